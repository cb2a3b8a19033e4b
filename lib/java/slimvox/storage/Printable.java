package slimvox.storage;

/**
 * Text that came from files and names, as it may be shown: whatever a terminal or a page would obey
 * instead of showing it is written as in Java and JSON, <code>&#92;u001b</code>.
 *
 * <p>That is: control characters, marks that turn the direction of writing or cannot be seen (not
 * the two joiners, which some scripts need), separators of lines, halves of surrogate pairs.
 */
public final class Printable {
  private static final char ZERO_WIDTH_NON_JOINER = '\u200C';
  private static final char ZERO_WIDTH_JOINER = '\u200D';

  private Printable() {}

  /** The text with its line breaks and tabs. */
  public static String text(String text) {
    return of(text, true);
  }

  /** The text in one line: line breaks and tabs are made visible, too. */
  public static String line(String text) {
    return of(text, false);
  }

  private static String of(String text, boolean lines) {
    StringBuilder shown = new StringBuilder(text.length());
    for (int i = 0, next; i < text.length(); i = next) {
      int point = text.codePointAt(i);
      next = i + Character.charCount(point);
      boolean lineBreak =
          point == '\n' || (point == '\r' && next < text.length() && text.charAt(next) == '\n');
      if (!obeyed(point) || (lines && (lineBreak || point == '\t'))) {
        shown.appendCodePoint(point);
      } else if (point == '\n' || point == '\r' || point == '\t') {
        shown.append(point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t");
      } else {
        for (int c = i; c < next; c++) shown.append("\\u%04x".formatted((int) text.charAt(c)));
      }
    }
    return shown.toString();
  }

  private static boolean obeyed(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          true;
      case Character.FORMAT -> point != ZERO_WIDTH_NON_JOINER && point != ZERO_WIDTH_JOINER;
      default -> false;
    };
  }
}
