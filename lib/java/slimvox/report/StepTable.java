package slimvox.report;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.plot.Figure;
import slimvox.step.StepMemory;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;

/**
 * The memory of some training steps beside one another.
 *
 * <pre>{@code
 * StepTable steps = new StepTable("step").add("vanilla", vanilla).add("type II", reversible);
 * Notebook.show(steps.table());
 * }</pre>
 */
public final class StepTable {
  private final String what;
  private final Map<String, StepMemory> steps = new LinkedHashMap<>();

  /**
   * A table without rows.
   *
   * @param what the name of the first column: what the steps differ in
   */
  public StepTable(String what) {
    this.what = what;
  }

  /** Adds a step; returns this table. */
  public StepTable add(String name, StepMemory step) {
    steps.put(name, step);
    return this;
  }

  /**
   * One row a step: MiB of each category that any of them uses when its total is highest, their
   * sum, and how many times less that is than in the first row.
   */
  public Table table() {
    Table table = Table.create("", StringColumn.create(what, steps.keySet().stream().toList()));
    for (Category c : Category.values()) {
      if (!isUsed(c)) continue;
      DoubleColumn column = DoubleColumn.create(c.key().replace('_', ' '));
      column.setPrintFormatter(new Decimals(1));
      for (StepMemory s : steps.values()) column.append(Bytes.mib(s.report().atTotalPeak().get(c)));
      table.addColumns(column);
    }
    DoubleColumn total = DoubleColumn.create("total (MiB)");
    DoubleColumn times = DoubleColumn.create("times less");
    total.setPrintFormatter(new Decimals(1));
    times.setPrintFormatter(new Decimals(2));
    StepMemory first = steps.values().iterator().next();
    for (StepMemory s : steps.values()) {
      total.append(Bytes.mib(s.totalPeak()));
      times.append(s.timesLessThan(first));
    }
    return table.addColumns(total, times);
  }

  /** The categories of each step when its total is highest, stacked, in MiB. */
  public Figure bars(String title) {
    String[] names = steps.keySet().toArray(String[]::new);
    Figure figure = Figure.of(title).y("MiB").stacked();
    for (Category c : Category.values()) {
      if (!isUsed(c)) continue;
      double[] mebibytes =
          steps.values().stream()
              .mapToDouble(s -> Bytes.mib(s.report().atTotalPeak().get(c)))
              .toArray();
      figure = figure.bars(c.key().replace('_', ' ').toLowerCase(Locale.ROOT), names, mebibytes);
    }
    return figure;
  }

  private boolean isUsed(Category c) {
    return steps.values().stream().anyMatch(s -> s.report().atTotalPeak().get(c) > 0);
  }
}
