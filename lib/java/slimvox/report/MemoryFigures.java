package slimvox.report;

import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;

/** Pictures and tables of a {@link MemoryLedger}. */
public final class MemoryFigures {
  private MemoryFigures() {}

  /**
   * Memory by category over one training step: event by event, in MiB.
   *
   * @param before bytes of each category that were in use before the first event
   */
  public static Figure timeline(
      String title, MemoryReport before, List<MemoryLedger.Event> events) {
    double[] x = new double[events.size() + 1];
    Map<Category, double[]> mebibytes = new EnumMap<>(Category.class);
    for (Category c : Category.values()) {
      double[] y = new double[events.size() + 1];
      y[0] = Bytes.mib(before.now().get(c));
      mebibytes.put(c, y);
    }
    for (int i = 0; i < events.size(); i++) {
      MemoryLedger.Event e = events.get(i);
      x[i + 1] = i + 1;
      for (double[] y : mebibytes.values()) y[i + 1] = y[i];
      double change = Bytes.mib(e.bytes());
      mebibytes.get(e.category())[i + 1] += e.allocation() ? change : -change;
    }
    Figure figure = Figure.of(title).x("allocations and releases of one step").y("MiB");
    for (Category c : Category.values()) figure = figure.area(name(c), x, mebibytes.get(c));
    return figure;
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
