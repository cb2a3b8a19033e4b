package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static slimvox.Refusals.assertRefused;

import org.junit.jupiter.api.Test;

class PrintableTest {
  @Test
  void whatATerminalObeysIsMadeVisible() {
    assertEquals("a\\u001b]0;title\\u0007b", Printable.text("a\u001b]0;title\u0007b"));
    assertEquals("\\u009b31m\\u007f\\u0000", Printable.text("\u009b31m\u007f\0"));
    assertEquals("gpj.\\u202eexe \\u2066x\\u2069", Printable.text("gpj.\u202eexe \u2066x\u2069"));
    assertEquals("\\u2028\\u2029\\u0085\\ufeff", Printable.line("\u2028\u2029\u0085\ufeff"));
    assertEquals("\\udb40\\udc41 \\ud83d", Printable.line("\udb40\udc41 \ud83d"));
  }

  @Test
  void linesStayWhereTheyAreMeant() {
    assertEquals("a\tb\nc\r\nd\\re", Printable.text("a\tb\nc\r\nd\re"));
    assertEquals("a\\tb\\nc\\r\\nd", Printable.line("a\tb\nc\r\nd"));
  }

  @Test
  void lettersOfEveryScriptStay() {
    String names = "josé Zoë Łukasz نعم می\u200cخواهم 東京 ไทย \ud83d\ude00 µ ½ \\n a\\";
    assertEquals(names, Printable.text(names));
    assertEquals(names, Printable.line(names));
  }

  @Test
  void lettersOfEveryScriptAreNotHidden() {
    for (String text :
        new String[] {"", "a b\tc", "jos\u00e9", "jose\u0301", "\u5c71\u7530", "\ud83d\ude00"}) {
      assertNull(Printable.hidden(text));
    }
  }

  @Test
  void joinersAreLettersWithinWordsOnly() {
    assertNull(Printable.hidden("\u0645\u06cc\u200c\u062e")); // Persian
    assertNull(Printable.hidden("\u0d28\u0d4d\u200d\u0d31")); // Malayalam
    for (String text :
        new String[] {
          "a\u200c", "\u200ca", "a \u200cb", "a\u200c\u200cb", "a\u200cb", "1\u200c2"
        }) {
      assertEquals("U+200C (ZERO WIDTH NON-JOINER)", Printable.hidden(text));
    }
  }

  @Test
  void selectorsOfVariantsAndEmptyPlacesAreNotSeen() {
    for (String hidden : new String[] {"\ufe0f", "\u180b", "\u2065", "\ufff0", "\udb40\udd00"}) {
      assertEquals(
          "U+%04X".formatted(hidden.codePointAt(0)),
          Printable.hidden("a" + hidden).replaceFirst(" .*", ""));
    }
  }

  @Test
  void theMessageNamesPlaceAndCharacter() {
    assertRefused(
        "f, line 3: holds the invisible character U+00A0 (NO-BREAK SPACE); take it out",
        () -> Printable.requireVisible("a\u00a0b", () -> "f, line 3"));
    assertEquals("U+E0041 (TAG LATIN CAPITAL LETTER A)", Printable.hidden("\udb40\udc41"));
  }
}
