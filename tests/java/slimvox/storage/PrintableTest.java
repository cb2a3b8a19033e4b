package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;

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
}
