package slimvox.storage;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What a name or number in a text file may not hold: characters that nobody sees, and that make two
 * names of one (a no-break space, a zero-width space), and control characters.
 */
public final class PlainText {
  /** Letters and signs by their kind, blank all the same: fillers, a joiner, Braille's blank. */
  private static final String BLANK = "\u034f\u115f\u1160\u2800\u3164\uffa0";

  private static final int ZERO_WIDTH_NON_JOINER = 0x200c;
  private static final int ZERO_WIDTH_JOINER = 0x200d;

  private PlainText() {}

  /**
   * Checks the text of a line; spaces and tabs may be in it.
   *
   * @param place file and line, for the message
   * @return the text
   * @throws InputException naming the first character that cannot be seen
   */
  public static String requireVisible(String text, String place) {
    String hidden = hidden(text);
    if (hidden == null) return text;
    String remedy =
        hidden.equals("U+0000 (NULL)") ? "text in UTF-8 is needed, not UTF-16" : "take it out";
    throw InputException.at(place, "holds the invisible character %s; %s", hidden, remedy);
  }

  /**
   * The first character that cannot be seen, for example {@code U+00A0 (NO-BREAK SPACE)}; null if
   * there is none. The joiners that Persian, Indic and other scripts need within words are none.
   */
  public static String hidden(String text) {
    for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
      c = text.codePointAt(i);
      if (c >= ' ' && c < 0x7f || c == '\t' || !isHidden(c)) continue;
      boolean joiner = c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER;
      if (joiner && i > 0 && joins(text.codePointBefore(i)) && i + 1 < text.length()) {
        if (joins(text.codePointAt(i + 1))) continue;
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
      case Character.CONTROL,
          Character.FORMAT,
          Character.SPACE_SEPARATOR,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          c != ' ';
      // Selectors of a variant, and places that nothing is drawn for.
      default ->
          BLANK.indexOf(c) >= 0
              || c >= 0xfe00 && c <= 0xfe0f
              || c >= 0x180b && c <= 0x180f
              || c == 0x17b4
              || c == 0x17b5
              || c == 0x2065
              || c >= 0xfff0 && c <= 0xfff8
              || c >= 0xe0000 && c <= 0xe0fff;
    };
  }

  /** Why a file whose bytes are no UTF-8 cannot be read, for messages. */
  public static String notUtf8(Path file) {
    try (InputStream bytes = Files.newInputStream(file)) {
      byte[] mark = bytes.readNBytes(2);
      if (Arrays.equals(mark, new byte[] {(byte) 0xff, (byte) 0xfe})
          || Arrays.equals(mark, new byte[] {(byte) 0xfe, (byte) 0xff})) {
        return "text in UTF-16; save it as UTF-8";
      }
    } catch (IOException e) {
      // The first failure is the one to report.
    }
    return "not UTF-8 text";
  }
}
