package slimvox.kernel;

import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdk.jshell.JShell;
import jdk.jshell.MethodSnippet;
import jdk.jshell.Snippet;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.CompletionInfo;
import jdk.jshell.SourceCodeAnalysis.Documentation;
import jdk.jshell.SourceCodeAnalysis.Suggestion;
import slimvox.kernel.Completions.Item;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;

/** Documentation and completion in cells, from what JShell knows and from recipes' settings. */
public final class CellHelp {
  private static final Pattern ASKED = Pattern.compile("\\?+\\s*([\\w.]+)|([\\w.]+)\\s*\\?+");

  private final JShell shell;
  private final SourceCodeAnalysis analysis;

  /**
   * The help of a shell.
   *
   * @param sources jars with sources, beside the JDK's own
   */
  public CellHelp(JShell shell, Path... sources) {
    this.shell = shell;
    this.analysis = shell.sourceCodeAnalysis();
    addSources(sources);
  }

  /** JShell looks for comments in the JDK's sources only, and has no method to name others. */
  @SuppressWarnings("unchecked")
  private void addSources(Path[] sources) {
    try {
      Method find = analysis.getClass().getDeclaredMethod("findSources");
      find.setAccessible(true);
      ((List<Path>) find.invoke(analysis)).addAll(List.of(sources));
    } catch (ReflectiveOperationException | RuntimeException e) {
      System.err.println("no comments of SlimVox's classes in help: " + e); // signatures are there
    }
  }

  /** The name that a cell such as {@code ?Trainer.of} asks about; null for any other cell. */
  static String asked(String cell) {
    Matcher asked = ASKED.matcher(cell.strip());
    if (!asked.matches()) return null;
    return asked.group(1) != null ? asked.group(1) : asked.group(2);
  }

  /** What there is to say of what stands at the cursor; null if nothing. */
  public String at(String code, int cursor) {
    CellCursor place = CellCursor.of(code, cursor);
    if (place.text() != null) {
      Key key = RecipeText.setting(place.text());
      return key == null ? null : ofSetting(key);
    }
    int end = cursor;
    while (end < code.length() && Character.isJavaIdentifierPart(code.charAt(end))) end++;
    String before = statements(code.substring(0, end));
    List<Documentation> found = documentation(before);
    if (found.isEmpty()) found = documentation(before + "(");
    if (found.isEmpty()) found = documentation(before.replaceFirst("[\\s();]+$", ""));
    String text =
        found.stream()
            .sorted(Comparator.comparing(d -> d.javadoc() == null))
            .map(this::text)
            .distinct()
            .collect(Collectors.joining("\n\n"));
    return text.isEmpty() ? null : text;
  }

  /**
   * What there is to say of a name: a setting, settings that begin so, a class, method or variable;
   * null if it is not known.
   */
  String of(String name) {
    List<Key> settings = Recipe.SETTINGS.settings(name);
    if (settings.isEmpty()) return at(name, name.length());
    return settings.stream().map(CellHelp::ofSetting).collect(Collectors.joining("\n\n"));
  }

  private List<Documentation> documentation(String code) {
    return code.isBlank() ? List.of() : analysis.documentation(code, code.length(), true);
  }

  private static String ofSetting(Key key) {
    String allowed = key.allowed();
    return "%s = %s%s\n\n%s"
        .formatted(
            key.name(),
            key.shownDefault(),
            allowed.isEmpty() ? "" : " (" + allowed + ")",
            key.setting().value());
  }

  private String text(Documentation found) {
    String signature = JavadocText.signature(found.signature());
    String comment = found.javadoc();
    if (comment == null) comment = commentInNotebook(signature);
    String text = comment == null ? signature : signature + "\n\n" + JavadocText.of(comment);
    Matcher variable = Pattern.compile("(\\w+):([\\w.]+).*").matcher(found.signature());
    if (!variable.matches()) return text;
    return Stream.concat(Stream.of(text), documentation(variable.group(2)).stream().map(this::text))
        .collect(Collectors.joining("\n\n"));
  }

  /** The comment of a method that a cell has declared. */
  private String commentInNotebook(String signature) {
    return shell
        .snippets()
        .filter(s -> s instanceof MethodSnippet m && signature.contains(" " + m.name() + "("))
        .filter(s -> shell.status(s).isActive())
        .map(s -> Pattern.compile("(?s)\\s*/\\*\\*(.*?)\\*/.*").matcher(s.source()))
        .filter(Matcher::matches)
        .map(m -> m.group(1).replaceAll("(?m)^\\s*\\* ?", ""))
        .findFirst()
        .orElse(null);
  }

  /** The statements of a cell up to the cursor: what JShell analyses are no imports and methods. */
  private String statements(String code) {
    StringBuilder kept = new StringBuilder();
    String rest = code;
    while (true) {
      CompletionInfo next = analysis.analyzeCompletion(rest);
      if (!next.completeness().isComplete() || next.remaining().isBlank()) {
        return kept + rest.stripLeading();
      }
      Snippet.Kind kind = analysis.sourceToSnippets(next.source()).getFirst().kind();
      if (kind != Snippet.Kind.IMPORT && kind != Snippet.Kind.METHOD) kept.append(next.source());
      rest = next.remaining();
    }
  }

  /** What could stand at the cursor. */
  public Completions complete(String code, int cursor) {
    CellCursor place = CellCursor.of(code, cursor);
    if (place.text() != null) return RecipeText.at(place, cursor);
    String before = statements(code.substring(0, cursor));
    int[] anchor = new int[1];
    List<Suggestion> found = analysis.completionSuggestions(before, before.length(), anchor);
    List<Executable> methods = methods(before, anchor[0]);
    List<Item> items =
        found.stream()
            .sorted(Comparator.comparing(s -> !s.matchesType()))
            .map(Suggestion::continuation)
            .distinct()
            .map(text -> item(text, methods))
            .toList();
    return new Completions(cursor - (before.length() - anchor[0]), items);
  }

  private Item item(String text, List<Executable> methods) {
    int bracket = text.indexOf('(');
    if (bracket < 0) return new Item(text, text, "");
    String name = text.substring(0, bracket);
    List<Executable> same = methods.stream().filter(m -> m.getName().equals(name)).toList();
    if (!same.isEmpty()) {
      Method first = (Method) same.getFirst();
      String parameters =
          Arrays.stream(first.getParameters())
              .map(p -> JavadocText.signature(p.toString()))
              .collect(Collectors.joining(", "));
      String others = same.size() == 1 ? "" : " and %d more".formatted(same.size() - 1);
      return new Item(
          name + "(" + parameters + ")" + others, text, first.getReturnType().getSimpleName());
    }
    return shell
        .snippets()
        .filter(s -> s instanceof MethodSnippet m && m.name().equals(name))
        .filter(s -> shell.status(s).isActive())
        .map(s -> (MethodSnippet) s)
        .map(m -> new Item(name + "(" + m.parameterTypes() + ")", text, ""))
        .findFirst()
        .orElse(new Item(text, text, ""));
  }

  /** The methods of what stands before the dot before a position. */
  private List<Executable> methods(String code, int position) {
    if (position == 0 || code.charAt(position - 1) != '.') return List.of();
    int begin = position - 1;
    int depth = 0;
    while (begin > 0) {
      char c = code.charAt(begin - 1);
      if (c == ')' || c == ']') depth++;
      if (c == '(' || c == '[') depth--;
      if (depth < 0) break;
      if (depth == 0 && !Character.isJavaIdentifierPart(c) && ".)]([".indexOf(c) < 0) break;
      begin--;
    }
    String value = code.substring(begin, position - 1);
    String type = analysis.analyzeType(code.substring(0, begin) + value, position - 1);
    Class<?> found = type(type == null ? value : type.replaceAll("<.*>", ""));
    if (found == null) return List.of();
    List<Executable> methods = new ArrayList<>(List.of(found.getMethods()));
    methods.sort(Comparator.comparing(Executable::getParameterCount));
    return methods;
  }

  /** The class of a name as cells write it; null where it is a cell's own. */
  private Class<?> type(String name) {
    List<String> names =
        documentation(name).stream()
            .map(d -> d.signature().replaceAll("[<(].*", "")) // a record comes with components
            .collect(Collectors.toCollection(ArrayList::new));
    names.add(name);
    return names.stream().map(CellHelp::load).filter(Objects::nonNull).findFirst().orElse(null);
  }

  private static Class<?> load(String name) {
    for (String type = name; ; type = type.replaceFirst("\\.(?=[^.]*$)", "\\$")) {
      try {
        return Class.forName(type, false, CellHelp.class.getClassLoader());
      } catch (ClassNotFoundException | LinkageError e) {
        if (type.indexOf('.') < 0) return null;
      }
    }
  }
}
