package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class PlainTextTest {
  @Test
  void lettersOfEveryScriptAreSeen() {
    for (String text :
        new String[] {"", "a b\tc", "jos\u00e9", "jose\u0301", "\u5c71\u7530", "\ud83d\ude00"}) {
      assertNull(PlainText.hidden(text));
    }
  }

  @Test
  void joinersAreLettersWithinWordsOnly() {
    assertNull(PlainText.hidden("\u0645\u06cc\u200c\u062e")); // Persian
    assertNull(PlainText.hidden("\u0d28\u0d4d\u200d\u0d31")); // Malayalam
    for (String text :
        new String[] {
          "a\u200c", "\u200ca", "a \u200cb", "a\u200c\u200cb", "a\u200cb", "1\u200c2"
        }) {
      assertEquals("U+200C (ZERO WIDTH NON-JOINER)", PlainText.hidden(text));
    }
  }

  @Test
  void selectorsOfVariantsAndEmptyPlacesAreNotSeen() {
    for (String hidden : new String[] {"\ufe0f", "\u180b", "\u2065", "\ufff0", "\udb40\udd00"}) {
      assertEquals(
          "U+%04X".formatted(hidden.codePointAt(0)),
          PlainText.hidden("a" + hidden).replaceFirst(" .*", ""));
    }
  }

  @Test
  void theMessageNamesPlaceAndCharacter() {
    assertEquals(
        "f, line 3: holds the invisible character U+00A0 (NO-BREAK SPACE); take it out",
        assertThrows(InputException.class, () -> PlainText.requireVisible("a\u00a0b", "f, line 3"))
            .getMessage());
    assertEquals("U+E0041 (TAG LATIN CAPITAL LETTER A)", PlainText.hidden("\udb40\udc41"));
  }
}
