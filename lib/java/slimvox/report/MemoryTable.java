package slimvox.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryReport;

/** A {@link MemoryReport} as lines of a table and as JSON. */
public final class MemoryTable {
  /** A line of a report: of one category, or of all together. */
  record Line(String name, long now, long atPeak, double share) {}

  private MemoryTable() {}

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
