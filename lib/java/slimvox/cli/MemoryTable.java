package slimvox.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryReport;

/** A {@link MemoryReport} as text and as JSON. */
public final class MemoryTable {
  private MemoryTable() {}

  /** One line a category: MiB now and at the peak, and its share of the peak. */
  public static String text(MemoryReport report) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format("%-20s %14s %14s %7s%n", "MiB", "after a step", "at the peak", "share"));
    for (Category c : Category.values()) {
      long peak = report.atTotalPeak().get(c);
      double share = report.totalPeak() == 0 ? 0 : 100.0 * peak / report.totalPeak();
      text.append(line(c.key().replace('_', ' '), report.now().get(c), peak, share));
    }
    return text.append(line("total", report.totalNow(), report.totalPeak(), 100)).toString();
  }

  private static String line(String name, long now, long peak, double share) {
    return String.format(
        Locale.ROOT, "%-20s %,14.2f %,14.2f %5.1f %%%n", name, mib(now), mib(peak), share);
  }

  /** Bytes by category when the total was highest, under the keys that scripts rely on. */
  public static Map<String, Object> atPeak(MemoryReport report) {
    return byKey(report.atTotalPeak());
  }

  /** The highest bytes of each category by itself. */
  public static Map<String, Object> peaks(MemoryReport report) {
    return byKey(report.peak());
  }

  /** Bytes by category at the time of the report. */
  static Map<String, Object> now(MemoryReport report) {
    return byKey(report.now());
  }

  private static Map<String, Object> byKey(Map<Category, Long> bytes) {
    Map<String, Object> keyed = new LinkedHashMap<>();
    for (Category c : Category.values()) keyed.put(c.key(), bytes.get(c));
    return keyed;
  }

  public static double mib(long bytes) {
    return bytes / 1048576.0;
  }
}
