package slimvox.memory;

import java.util.Collections;
import java.util.EnumMap;
import java.util.Locale;
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

  /** A table: one line a category, now and when the total was highest, in MiB (2^20 bytes). */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            "%-20s %14s %18s %8s%n", "category", "now (MiB)", "at the peak (MiB)", "share"));
    for (Category c : Category.values()) {
      text.append(line(c.title(), now.get(c), atTotalPeak.get(c)));
    }
    return text.append(line("total", totalNow, totalPeak)).toString();
  }

  private String line(String name, long now, long atTotalPeak) {
    return String.format(
        Locale.ROOT,
        "%-20s %,14.2f %,18.2f %6.1f %%%n",
        name,
        now / 1048576.0,
        atTotalPeak / 1048576.0,
        100.0 * atTotalPeak / Math.max(1, totalPeak));
  }
}
