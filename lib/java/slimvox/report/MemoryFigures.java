package slimvox.report;

import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.plot.Figure;
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
    for (Category c : Category.values()) figure = figure.area(c.title(), x, mebibytes.get(c));
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
    return Rows.of(MemoryTable.lines(report))
        .column("category", null, MemoryTable.Line::name)
        .column("now (MiB)", null, l -> rounded(l.now()))
        .column("at the peak (MiB)", null, l -> rounded(l.atPeak()))
        .column("share of the peak", null, l -> String.format(Locale.ROOT, "%.1f %%", l.share()))
        .table();
  }

  private static double rounded(long bytes) {
    return Math.round(Bytes.mib(bytes) * 100) / 100.0;
  }
}
