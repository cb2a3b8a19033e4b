package slimvox.kernel;

import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Comments and signatures as people read them. */
final class JavadocText {
  private static final int PARAGRAPHS = 2;

  /** {@code {@link Recipe#with}}, {@code {@code x}} and the like; braces may stand in them. */
  private static final Pattern INLINE =
      Pattern.compile("\\{@(\\w+)\\s*((?:[^{}]|\\{[^{}]*\\})*)\\}");

  private JavadocText() {}

  /** The first paragraphs, then parameters, result, exceptions; without marks. */
  static String of(String comment) {
    String[] parts = comment.strip().split("(?m)^\\s*(?=@\\w)", 2);
    String body =
        Pattern.compile("<p>|\\n\\s*\\n")
            .splitAsStream(parts[0])
            .map(JavadocText::plain)
            .filter(paragraph -> !paragraph.isEmpty())
            .limit(PARAGRAPHS)
            .collect(Collectors.joining("\n\n"));
    if (parts.length == 1) return body;
    String tags =
        Pattern.compile("(?m)^\\s*@")
            .splitAsStream(parts[1])
            .map(JavadocText::plain)
            .filter(tag -> tag.matches("(param|return|throws) .*"))
            .map(tag -> "  " + tag.replaceFirst("^(param|return|throws) ", "$1: "))
            .collect(Collectors.joining("\n"));
    return tags.isEmpty() ? body : body + "\n\n" + tags;
  }

  private static String plain(String text) {
    String plain = INLINE.matcher(text).replaceAll(m -> quoted(m.group(1), m.group(2)));
    return plain
        .replaceAll("</?[a-zA-Z][^>]*>", "")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
        .replaceAll("\\s+", " ")
        .strip();
  }

  private static String quoted(String tag, String content) {
    String text = content.strip();
    if (tag.startsWith("link")) {
      String[] words = text.split("\\s+", 2);
      text = words.length == 2 && !text.contains("(") ? words[1] : text.replaceFirst("^#", "");
    }
    return java.util.regex.Matcher.quoteReplacement(text);
  }

  /** Without packages, and without the components of a record before the name of its method. */
  static String signature(String signature) {
    return signature
        .replaceFirst("(\\w+)\\([^()]*\\)\\.(\\w+)", "$1.$2")
        .replaceAll("\\b(?:[a-z]\\w*\\.)+(?=[A-Z])", "");
  }
}
