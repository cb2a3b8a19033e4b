package slimvox.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.InvalidPathException;
import java.util.List;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;
import slimvox.backend.DeviceException;
import slimvox.memory.OutOfBudgetException;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;
import slimvox.step.NonFiniteException;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;

/** What went wrong, as one line and an exit code. */
public final class Failures {
  /** Something the user gave cannot be used. */
  static final int INPUT = 2;

  /** The result is written, without recordings that cannot be used. */
  static final int INCOMPLETE = 3;

  /** A mistake within SlimVox. */
  static final int INTERNAL = 1;

  /** Whoever read the results has stopped; as for a program that the signal for it ends. */
  static final int UNREAD = 141;

  /** Stopped by Ctrl-C. */
  static final int INTERRUPTED = 130;

  /** What is wrong with an argument without a letter, which would name the current folder. */
  static final String EMPTY = "an empty argument; is a variable of the shell not set?";

  private static final List<String> OF_THE_HEAP =
      List.of("Java heap space", "GC overhead limit", "array size exceeds");

  private static final List<Class<?>> EXPECTED =
      List.of(
          InputException.class,
          OutOfBudgetException.class,
          NonFiniteException.class,
          DeviceException.class,
          // a name from a file or an argument, with a character that no file name has
          InvalidPathException.class);

  private Failures() {}

  /** The command line itself is wrong: the reason and where to find help. */
  static int usage(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    String said = e instanceof UnmatchedArgumentException u ? unknown(u) : e.getMessage();
    err.println(
        "slimvox: "
            + oneLine(said)
                .replaceFirst(" is not an int$", " is no whole number of 32 bits")
                .replaceFirst(" is not a long$", " is no whole number of 64 bits")
                .replaceFirst(" is not a double$", " is not a number"));
    err.println("See '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return INPUT;
  }

  /** What a word that no command, option or place is for may have meant. */
  private static String unknown(UnmatchedArgumentException e) {
    CommandSpec spec = e.getCommandLine().getCommandSpec();
    String word = e.getUnmatched().getFirst();
    if (word.isEmpty()) return EMPTY;
    if (!e.isUnknownOption() && spec.subcommands().isEmpty()) {
      return "'" + word + "' is one argument too many";
    }
    String option = word.replaceFirst("=.*", "");
    String end = "." + option.replaceFirst("^--", "");
    List<Key> settings =
        spec.optionsMap().containsKey("--set") ? Recipe.SETTINGS.settings("") : List.of();
    for (Key key : settings) {
      if (!key.setting().flag().equals(option) && !key.name().endsWith(end)) continue;
      return "'%s': no such option; it is a setting: --set %s=...".formatted(word, key.name());
    }
    Set<String> known =
        e.isUnknownOption() ? spec.optionsMap().keySet() : spec.subcommands().keySet();
    String near = NearestNames.of(option, known, 1).getFirst();
    String what = e.isUnknownOption() ? "option" : "command";
    return "'%s': no such %s; the nearest is %s".formatted(word, what, near);
  }

  /** A command failed. */
  static int report(Throwable e, CommandLine command) {
    PrintWriter err = command.getErr();
    if (command.getCommandSpec().userObject() instanceof Subcommand c && c.debug) {
      e.printStackTrace(err);
    }
    if (e instanceof InterruptedException) {
      err.println("slimvox: stopped before the end; nothing was written");
      return INTERRUPTED;
    }
    boolean expected = isExpected(e.getClass(), e.getMessage());
    if (expected) {
      err.println("slimvox: " + oneLine(e.getMessage()));
    } else if (e instanceof OutOfMemoryError) {
      err.println("slimvox: " + outOfMemory(e, command));
    } else {
      err.println(
          "slimvox: internal error: "
              + oneLine(e.toString())
              + "; please report it with what --debug shows");
    }
    return expected || e instanceof OutOfMemoryError ? INPUT : INTERNAL;
  }

  /** The results could not be written, whatever became of the command. */
  static int output(IOException e, CommandLine command, int code) {
    if ("Broken pipe".equals(e.getMessage())) return code == 0 ? UNREAD : code;
    command
        .getErr()
        .println("slimvox: standard output: cannot be written (" + oneLine(e.getMessage()) + ")");
    return code == 0 ? INPUT : code;
  }

  /** Whether a failure is the user's to mend, so that its message says it all. */
  public static boolean isExpected(Class<?> type, String message) {
    return EXPECTED.stream().anyMatch(expected -> expected.isAssignableFrom(type))
        // oneDNN cannot be loaded; the message says why
        || (type == UnsupportedOperationException.class && message != null);
  }

  private static String outOfMemory(Throwable e, CommandLine command) {
    String reason = oneLine(String.valueOf(e.getMessage()));
    // What a step needs lies outside the Java heap; it is files that fill the heap.
    String advice =
        OF_THE_HEAP.stream().anyMatch(reason::contains)
            ? "the Java heap of %d MiB is too small for what it reads; set SLIMVOX_XMX, for example"
                + " SLIMVOX_XMX=8g"
            : "take a smaller batch or fewer threads, or leave more to what lies outside the Java"
                + " heap of %d MiB with a smaller SLIMVOX_XMX";
    return "out of memory (%s) in '%s'; "
            .formatted(reason, command.getCommandSpec().qualifiedName())
        + advice.formatted(Runtime.getRuntime().maxMemory() >> 20);
  }

  private static String oneLine(String message) {
    return message == null
        ? "no reason given"
        : message.strip().replaceAll("\\s*[\\r\\n]\\s*", "; ");
  }
}
