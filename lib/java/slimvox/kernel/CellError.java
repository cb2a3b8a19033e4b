package slimvox.kernel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.Diag;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import slimvox.cli.Failures;

/**
 * An error as a cell shows it.
 *
 * @param message what is wrong; where the user can mend it, in one line
 * @param place where, in lines
 */
record CellError(String message, List<String> place) {
  /** How JShell names a statement of a cell in the place of a file. */
  private static final String STATEMENT = "#";

  private static final int MOST_ERRORS = 5;

  /**
   * Errors of the compiler: what, the line, and a caret below the place.
   *
   * @param cell the whole cell, in which lines count
   */
  static CellError ofCompiler(JShell shell, Snippet snippet, String cell) {
    String source = snippet.source();
    int start = Math.max(0, cell.indexOf(source));
    List<String> lines = new ArrayList<>();
    shell
        .diagnostics(snippet)
        .filter(Diag::isError) // no warnings, such as of incubating modules
        .limit(MOST_ERRORS)
        .forEach(error -> lines.addAll(at(cell, start + (int) error.getPosition(), said(error))));
    if (snippet instanceof DeclarationSnippet declaration) {
      String missing = shell.unresolvedDependencies(declaration).collect(Collectors.joining(", "));
      if (!missing.isEmpty()) lines.add("not defined: " + missing);
    }
    return new CellError(lines.getFirst(), List.copyOf(lines.subList(1, lines.size())));
  }

  /** A cell that ends within a statement. */
  static CellError ofEnd(String cell, String remaining) {
    int end = Math.max(0, cell.lastIndexOf(remaining)) + remaining.length();
    List<String> lines =
        at(cell, end, "the cell ends within a statement: a bracket or quote is open");
    return new CellError(lines.getFirst(), lines.subList(1, lines.size()));
  }

  private static String said(Diag error) {
    return error
        .getMessage(Locale.ROOT)
        .lines()
        .map(String::strip)
        .filter(line -> !line.startsWith("location:"))
        .map(line -> line.replaceFirst("^symbol: +", ""))
        .collect(Collectors.joining(": "));
  }

  private static List<String> at(String cell, int position, String message) {
    int at = Math.min(position, cell.length());
    int begin = cell.lastIndexOf('\n', at - 1) + 1;
    int end = cell.indexOf('\n', at);
    long number = cell.substring(0, begin).lines().count() + 1;
    return List.of(
        "line %d: %s".formatted(number, message),
        "    " + cell.substring(begin, end < 0 ? cell.length() : end),
        "    " + cell.substring(begin, at).replaceAll("[^\t]", " ") + "^");
  }

  /**
   * An exception of a cell. The user's own mistakes are one line and the line of the cell; a wrong
   * call of SlimVox's methods is named by its exception, too; all else comes with its full trace.
   */
  static CellError ofCell(JShell shell, EvalException thrown) {
    String type = thrown.getExceptionClassName();
    String message = String.valueOf(thrown.getMessage());
    StackTraceElement[] trace = thrown.getStackTrace();
    List<String> line = cellLine(shell, trace);
    Class<?> known = known(type);
    if (known != null && Failures.isExpected(known, thrown.getMessage())) {
      return new CellError(message, line);
    }
    String simple = type.substring(type.lastIndexOf('.') + 1);
    boolean misuse =
        known != null
            && trace.length > 0
            && trace[0].getClassName().startsWith("slimvox.")
            && (IllegalArgumentException.class.isAssignableFrom(known)
                || IllegalStateException.class.isAssignableFrom(known));
    if (misuse) return new CellError(simple + ": " + message, line);
    List<String> lines = new ArrayList<>(line);
    addTrace(lines, thrown);
    return new CellError(type + ": " + message, lines);
  }

  private static void addTrace(List<String> lines, EvalException thrown) {
    Arrays.stream(thrown.getStackTrace()).map(frame -> "\tat " + frame).forEach(lines::add);
    if (thrown.getCause() instanceof EvalException cause) {
      lines.add("Caused by: " + cause.getExceptionClassName() + ": " + cause.getMessage());
      addTrace(lines, cause);
    }
  }

  private static Class<?> known(String type) {
    try {
      return Class.forName(type, false, CellError.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      return null; // a class of a cell
    }
  }

  /** The innermost line of the notebook's code. */
  private static List<String> cellLine(JShell shell, StackTraceElement[] trace) {
    for (StackTraceElement frame : trace) {
      String file = String.valueOf(frame.getFileName());
      if (!file.startsWith(STATEMENT)) continue;
      return shell
          .snippets()
          .filter(s -> s.id().equals(file.substring(1)))
          .flatMap(s -> s.source().lines().skip(Math.max(0, frame.getLineNumber() - 1)).limit(1))
          .map(line -> "    in: " + line.strip())
          .toList();
    }
    return List.of();
  }

  /** A cell that was stopped. */
  static CellError ofStop() {
    return new CellError(
        "Stopped.",
        CellThread.isRunning()
            ? List.of(
                "What the cell has called does not listen and runs on in the background; what it"
                    + " prints is not shown. Kernel > Restart ends it.")
            : List.of());
  }
}
