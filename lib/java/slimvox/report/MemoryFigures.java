package slimvox.report;

import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.plot.Figure;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;

/** Pictures and tables of a {@link MemoryLedger}. */
public final class MemoryFigures {
  private MemoryFigures() {}

  /** No timeline has more points: of more events, those with the highest totals are drawn. */
  private static final int MOST_POINTS = 250;

  /**
   * Memory by category over one training step: event by event, in MiB. Of a long step only some
   * events are drawn, with the highest total of each stretch among them.
   *
   * @param before bytes of each category that were in use before the first event
   */
  public static Figure timeline(
      String title, MemoryReport before, List<MemoryLedger.Event> events) {
    int points = Math.min(events.size(), MOST_POINTS);
    double[] x = new double[points + 1];
    Map<Category, double[]> mebibytes = new EnumMap<>(Category.class);
    Map<Category, Long> now = new EnumMap<>(before.now());
    for (Category c : Category.values()) mebibytes.put(c, new double[points + 1]);
    int[] drawn = highestOfEachStretch(events, points);
    int i = 0;
    for (int point = 0; point <= points; point++) {
      int end = point == 0 ? 0 : drawn[point - 1] + 1;
      for (; i < end; i++) {
        MemoryLedger.Event e = events.get(i);
        now.merge(e.category(), e.allocation() ? e.bytes() : -e.bytes(), Long::sum);
      }
      x[point] = end;
      for (Category c : Category.values()) mebibytes.get(c)[point] = rounded(now.get(c));
    }
    Figure figure = Figure.of(title).x("allocations and releases of one step").y("MiB");
    for (Category c : Category.values()) figure = figure.area(name(c), x, mebibytes.get(c));
    return figure;
  }

  /** Cuts the events into stretches and takes the one with the highest total of each; the last. */
  private static int[] highestOfEachStretch(List<MemoryLedger.Event> events, int stretches) {
    int[] highest = new int[stretches];
    for (int s = 0; s < stretches; s++) {
      int from = (int) ((long) s * events.size() / stretches);
      int to = (int) ((long) (s + 1) * events.size() / stretches);
      highest[s] = from;
      for (int i = from; i < to; i++) {
        if (events.get(i).totalBytes() > events.get(highest[s]).totalBytes()) highest[s] = i;
      }
    }
    if (stretches > 0) highest[stretches - 1] = events.size() - 1;
    return highest;
  }

  /** Bytes by category: now, and when the total was highest, with its share. */
  public static Table table(MemoryReport report) {
    StringColumn category = StringColumn.create("category");
    DoubleColumn now = DoubleColumn.create("now (MiB)");
    DoubleColumn atPeak = DoubleColumn.create("at the peak (MiB)");
    StringColumn share = StringColumn.create("share of the peak");
    for (Category c : Category.values()) {
      category.append(name(c));
      now.append(rounded(report.now().get(c)));
      atPeak.append(rounded(report.atTotalPeak().get(c)));
      double part = 100.0 * report.atTotalPeak().get(c) / Math.max(1, report.totalPeak());
      share.append(String.format(Locale.ROOT, "%.1f %%", part));
    }
    category.append("total");
    now.append(rounded(report.totalNow()));
    atPeak.append(rounded(report.totalPeak()));
    share.append("100.0 %");
    return Table.create("", category, now, atPeak, share);
  }

  private static double rounded(long bytes) {
    return Math.round(Bytes.mib(bytes) * 100) / 100.0;
  }

  private static String name(Category category) {
    return category.key().replace('_', ' ');
  }
}
