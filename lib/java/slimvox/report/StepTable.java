package slimvox.report;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.plot.Figure;
import slimvox.step.StepMemory;
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
  private final String title;
  private final Map<String, StepMemory> steps = new LinkedHashMap<>();

  /** A table of this title without rows. */
  public StepTable(String title) {
    this.title = title;
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
    StepMemory first = steps.values().iterator().next();
    Rows<String> rows = Rows.of(steps.keySet()).column("step", null, name -> name);
    for (Category c : used()) rows.column(c.title(), "%,.1f", name -> mib(steps.get(name), c));
    return rows.column("total (MiB)", "%,.1f", name -> Bytes.mib(steps.get(name).totalPeak()))
        .column("times less than the first", "%,.2f", name -> steps.get(name).timesLessThan(first))
        .table()
        .setName(title);
  }

  /** The categories of each step when its total is highest, stacked, in MiB. */
  public Figure bars(String title) {
    String[] names = steps.keySet().toArray(String[]::new);
    Figure figure = Figure.of(title).y("MiB").stacked();
    for (Category c : Category.values()) {
      // Whatever it has at the peak: the bars of other batches have the same categories.
      if (steps.values().stream().allMatch(s -> s.report().peak().get(c) == 0)) continue;
      double[] mebibytes = steps.values().stream().mapToDouble(s -> mib(s, c)).toArray();
      figure = figure.bars(c.title(), names, mebibytes);
    }
    return figure;
  }

  private List<Category> used() {
    return Arrays.stream(Category.values())
        .filter(c -> steps.values().stream().anyMatch(s -> mib(s, c) > 0))
        .toList();
  }

  private static double mib(StepMemory step, Category category) {
    return Bytes.mib(step.report().atTotalPeak().get(category));
  }
}
