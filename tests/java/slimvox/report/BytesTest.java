package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class BytesTest {
  @Test
  void bytesAreWrittenInMebibytes() {
    assertEquals("0 B", Bytes.format(0));
    assertEquals("512 B", Bytes.format(512));
    assertEquals("1.50 KiB", Bytes.format(1536));
    assertEquals("0.50 MiB", Bytes.format(1 << 19));
    assertEquals("12.3 MiB", Bytes.format(12_900_000));
    assertEquals("11,264 MiB", Bytes.format(11L << 30));
    assertEquals("-2.00 MiB", Bytes.format(-2 << 20));
    assertEquals(1.5, Bytes.mib(3 << 19));
  }
}
