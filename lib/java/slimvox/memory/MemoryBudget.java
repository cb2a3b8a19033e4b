package slimvox.memory;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The most bytes a run may use.
 *
 * @param bytes the limit
 */
public record MemoryBudget(long bytes) {
  /** No limit. */
  public static final MemoryBudget UNLIMITED = new MemoryBudget(Long.MAX_VALUE);

  private static final Pattern SIZE =
      Pattern.compile(
          "\\h*([0-9]*\\.?[0-9]+)\\h*(?:([KMGT])(I?)B?|B)\\h*", Pattern.CASE_INSENSITIVE);

  /**
   * Reads {@code 11GB} (10^9 bytes each), {@code 512MiB} (2^20 bytes each) or {@code 1000B}, from k
   * to T, in upper or lower case; {@code 11G} is 11GB. Part of a byte is left out.
   *
   * @throws IllegalArgumentException if the text is no size, one too large for a number of bytes,
   *     or a bare number
   */
  public static MemoryBudget parse(String text) {
    Matcher m = SIZE.matcher(text);
    if (!m.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a size: write a number and B, kB, MB, GB, MiB or GiB, as in 11GB");
    }
    int power = m.group(2) == null ? 0 : "KMGT".indexOf(m.group(2).toUpperCase(Locale.ROOT)) + 1;
    BigDecimal base = BigDecimal.valueOf(power == 0 || m.group(3).isEmpty() ? 1000 : 1024);
    BigDecimal bytes = new BigDecimal(m.group(1)).multiply(base.pow(power));
    if (bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) >= 0) {
      throw new IllegalArgumentException(
          "'" + text + "' is more than a number of bytes can be; leave the limit out for none");
    }
    return new MemoryBudget(bytes.longValue());
  }

  /** What is left of the budget when something outside the ledger takes this many bytes of it. */
  public MemoryBudget without(long outsideBytes) {
    return bytes == Long.MAX_VALUE ? this : new MemoryBudget(Math.max(0, bytes - outsideBytes));
  }

  /** In MiB and, in brackets, round as it may have been given: {@code 10,490.42 MiB (11 GB)}. */
  @Override
  public String toString() {
    if (bytes == Long.MAX_VALUE) return "unlimited";
    if (bytes > 0 && bytes % 1_000_000 == 0) {
      boolean giga = bytes >= 1e9;
      BigDecimal round = BigDecimal.valueOf(bytes, giga ? 9 : 6).stripTrailingZeros();
      return "%s (%s %s)".formatted(text(bytes), round.toPlainString(), giga ? "GB" : "MB");
    }
    boolean whole = bytes > 0 && bytes % (1L << 30) == 0;
    return text(bytes) + (whole ? " (" + (bytes >> 30) + " GiB)" : "");
  }

  /** Bytes as tables write them, {@code 10,490.42 MiB}; less than 0.1 MiB in KiB or bytes. */
  public static String text(long bytes) {
    if (bytes < 1024) return bytes + " B";
    boolean mib = bytes >= 0.1 * (1 << 20);
    return String.format(
        Locale.ROOT, "%,.2f %s", bytes / (mib ? 1048576.0 : 1024), mib ? "MiB" : "KiB");
  }
}
