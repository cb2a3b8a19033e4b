package slimvox.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryReport;

/** A {@link MemoryReport} as text and as JSON. */
public final class MemoryTable {
  /** A line of a report: of one category, or of all together. */
  record Line(String name, long now, long atPeak, double share) {}

  private MemoryTable() {}

  /** One line a category: MiB now and at the peak, and its share of the peak. */
  public static String text(MemoryReport report) {
    return Rows.of(lines(report))
        .column("MiB", "%-20s", Line::name)
        .column("after a step", " %,14.2f", l -> Bytes.mib(l.now))
        .column("at the peak", " %,14.2f", l -> Bytes.mib(l.atPeak))
        .column("share", " %5.1f %%", Line::share)
        .text();
  }

  static List<Line> lines(MemoryReport report) {
    List<Line> lines = new ArrayList<>();
    long total = report.totalPeak();
    for (Category c : Category.values()) {
      long peak = report.atTotalPeak().get(c);
      lines.add(new Line(c.title(), report.now().get(c), peak, 100.0 * peak / Math.max(1, total)));
    }
    lines.add(new Line("total", report.totalNow(), total, 100));
    return lines;
  }

  /** Bytes by category, under the keys that scripts rely on. */
  public static Values json(Map<Category, Long> bytes) {
    Values keyed = new Values();
    for (Category c : Category.values()) keyed.put(c.key(), bytes.get(c));
    return keyed;
  }
}
