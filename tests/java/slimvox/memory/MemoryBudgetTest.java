package slimvox.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryBudgetTest {
  @ParameterizedTest
  @CsvSource({
    "11GB, 11000000000",
    "11G, 11000000000",
    "11gb, 11000000000",
    "11 GB, 11000000000",
    "'\t11  GB ', 11000000000",
    "11.1GB, 11100000000",
    "11.3GB, 11300000000",
    "11GiB, 11811160064",
    "11Gi, 11811160064",
    "11gib, 11811160064",
    "1.5 GiB, 1610612736",
    ".5GiB, 536870912",
    "11KiB, 11264",
    "11kiB, 11264",
    "11kB, 11000",
    "11KB, 11000",
    "11k, 11000",
    "512MiB, 536870912",
    "512MB, 512000000",
    "2TB, 2000000000000",
    "2TiB, 2199023255552",
    "1000B, 1000",
    "1000 b, 1000",
    "1.9B, 1",
    "0B, 0",
    "9000000TB, 9000000000000000000"
  })
  void sizes(String text, long bytes) {
    assertEquals(bytes, MemoryBudget.parse(text).bytes());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "11",
        "0",
        "GB",
        "B",
        "5iB",
        "11iB",
        "11i",
        "-5GB",
        "+5GB",
        "1,5GB",
        "1.GB",
        "1.2.3GB",
        "1e3MB",
        "0x5GB",
        "5GBB",
        "5GBi",
        "5 G B",
        "5 gigabytes",
        "NaNGB",
        "InfinityGB",
        "eleven",
        "\u0661\u0661GB",
        "5\u212AB"
      })
  void noSizes(String text) {
    var e = assertThrows(IllegalArgumentException.class, () -> MemoryBudget.parse(text));
    assertEquals(
        "'" + text + "' is not a size: write a number and B, kB, MB, GB, MiB or GiB, as in 11GB",
        e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"99999999999TB", "8388608TiB", "9223372036854775807B"})
  void moreThanANumberOfBytesIsNotUnlimited(String text) {
    var e = assertThrows(IllegalArgumentException.class, () -> MemoryBudget.parse(text));
    assertTrue(e.getMessage().startsWith("'" + text + "' is more than"), e.getMessage());
  }

  @Test
  void theLargestSizeIsALimitStill() {
    MemoryBudget most = MemoryBudget.parse("9223372036854775806B");
    assertEquals(Long.MAX_VALUE - 1, most.bytes());
    assertTrue(most.toString().endsWith(" MiB"), most.toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "11GB | 10,490.42 MiB (11 GB)",
        "11.5GB | 10,967.25 MiB (11.5 GB)",
        "30MB | 28.61 MiB (30 MB)",
        "11GiB | 11,264.00 MiB (11 GiB)",
        "512MiB | 512.00 MiB",
        "1001B | 1001 B",
        "2000B | 1.95 KiB"
      })
  void aBudgetSaysItselfInMiBAndAsGiven(String given, String text) {
    assertEquals(text, MemoryBudget.parse(given).toString());
  }
}
