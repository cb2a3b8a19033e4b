package slimvox.memory;

import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/**
 * Bytes by category: a snapshot of a {@link MemoryLedger}.
 *
 * @param now bytes in use at the time of the snapshot
 * @param peak highest bytes of each category by itself; these do not add up
 * @param atTotalPeak bytes of each category when the total was highest; these add up to {@code
 *     totalPeak}
 * @param totalNow bytes in use, all categories
 * @param totalPeak highest bytes in use, all categories
 */
public record MemoryReport(
    Map<Category, Long> now,
    Map<Category, Long> peak,
    Map<Category, Long> atTotalPeak,
    long totalNow,
    long totalPeak) {
  public MemoryReport {
    now = Collections.unmodifiableMap(new EnumMap<>(now));
    peak = Collections.unmodifiableMap(new EnumMap<>(peak));
    atTotalPeak = Collections.unmodifiableMap(new EnumMap<>(atTotalPeak));
  }

  /** A table in plain text: one line a category, in MiB (2^20 bytes). */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    text.append(String.format("%-20s %12s %12s %14s%n", "MiB", "now", "peak", "at total peak"));
    for (Category c : Category.values()) {
      text.append(line(c.key(), now.get(c), peak.get(c), atTotalPeak.get(c)));
    }
    return text.append(line("total", totalNow, totalPeak, totalPeak)).toString();
  }

  private static String line(String name, long now, long peak, long atTotalPeak) {
    return String.format(
        java.util.Locale.ROOT,
        "%-20s %12.2f %12.2f %14.2f%n",
        name,
        now / 1048576.0,
        peak / 1048576.0,
        atTotalPeak / 1048576.0);
  }
}
