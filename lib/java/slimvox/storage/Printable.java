package slimvox.storage;

import java.util.function.Supplier;

/**
 * Text from files and names: what a terminal or a page would obey instead of showing it, and what
 * nobody sees.
 *
 * <p>Obeyed are control characters, marks that turn the direction of writing, separators of lines,
 * halves of surrogate pairs; they are shown as in Java and JSON, <code>&#92;u001b</code>. Hidden
 * are control characters and those that make two names of one (a no-break space, a zero-width
 * space). The two joiners, which Persian, Indic and other scripts need within words, are neither
 * there.
 */
public final class Printable {
  private static final char ZERO_WIDTH_NON_JOINER = '\u200C';
  private static final char ZERO_WIDTH_JOINER = '\u200D';

  /** Letters and signs by their kind, blank all the same: fillers, a joiner, Braille's blank. */
  private static final String BLANK = "\u034f\u115f\u1160\u2800\u3164\uffa0";

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
      if (!isObeyed(point) || (lines && (lineBreak || point == '\t'))) {
        shown.appendCodePoint(point);
      } else if (point == '\n' || point == '\r' || point == '\t') {
        shown.append(point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t");
      } else {
        for (int c = i; c < next; c++) shown.append("\\u%04x".formatted((int) text.charAt(c)));
      }
    }
    return shown.toString();
  }

  private static boolean isObeyed(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          true;
      case Character.FORMAT -> !isJoiner(c);
      default -> false;
    };
  }

  private static boolean isJoiner(int c) {
    return c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER;
  }

  /** Refuses a line with a character that cannot be seen; {@code place} tells file and line. */
  public static void requireVisible(String text, Supplier<String> place) {
    String hidden = hidden(text);
    if (hidden == null) return;
    String remedy =
        hidden.equals("U+0000 (NULL)") ? "text in UTF-8 is needed, not UTF-16" : "take it out";
    throw InputException.at(place.get(), "holds the invisible character %s; %s", hidden, remedy);
  }

  /**
   * The first character that cannot be seen, for example {@code U+00A0 (NO-BREAK SPACE)}; null if
   * there is none.
   */
  public static String hidden(String text) {
    for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
      c = text.codePointAt(i);
      if (c >= ' ' && c < 0x7f || c == '\t' || !isHidden(c)) continue;
      if (isJoiner(c) && i > 0 && i + 1 < text.length()) {
        if (joins(text.codePointBefore(i)) && joins(text.codePointAt(i + 1))) continue;
      }
      return String.format("U+%04X (%s)", c, Character.getName(c));
    }
    return null;
  }

  /** Whether a joiner beside this character can make a difference to the eye. */
  private static boolean joins(int c) {
    return !isHidden(c)
        && switch (Character.UnicodeScript.of(c)) {
          case LATIN, GREEK, CYRILLIC, HAN, COMMON -> Character.isEmoji(c) && c > 0xff;
          default -> true;
        };
  }

  private static boolean isHidden(int c) {
    return switch (Character.getType(c)) {
      case Character.SURROGATE -> false;
      case Character.SPACE_SEPARATOR -> c != ' ';
      // Selectors of a variant, and places that nothing is drawn for.
      default ->
          isObeyed(c)
              || isJoiner(c)
              || BLANK.indexOf(c) >= 0
              || c >= 0xfe00 && c <= 0xfe0f
              || c >= 0x180b && c <= 0x180f
              || c == 0x17b4
              || c == 0x17b5
              || c == 0x2065
              || c >= 0xfff0 && c <= 0xfff8
              || c >= 0xe0000 && c <= 0xe0fff;
    };
  }
}
