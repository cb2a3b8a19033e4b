package slimvox.report;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
import slimvox.storage.InputException;

/** The ways to train one network beside one another; limited if there is a budget. */
public record SchemeTable(List<Row> rows, boolean limited) {
  /**
   * One way to train.
   *
   * @param memory null if the network cannot be trained so
   * @param refusal why not
   * @param largestBatch that fits the budget
   */
  private record Row(MemoryScheme scheme, StepMemory memory, String refusal, int largestBatch) {
    double mib(Category... categories) {
      long bytes = 0;
      for (Category c : categories) bytes += memory.report().atTotalPeak().get(c);
      return Bytes.mib(bytes);
    }
  }

  /** Prices every way to train; the largest batch is that of the budget, if it has a limit. */
  public static SchemeTable of(
      MemoryAnalysis analysis, ModelSpec model, int batch, MemoryBudget budget) {
    boolean limited = budget.bytes() != Long.MAX_VALUE;
    List<Row> rows = new ArrayList<>();
    for (MemoryScheme scheme : MemoryScheme.values()) {
      try {
        StepMemory memory = analysis.price(model, scheme, batch);
        int largest = limited ? analysis.largestBatch(model, scheme, budget) : 0;
        rows.add(new Row(scheme, memory, null, largest));
      } catch (InputException e) {
        rows.add(new Row(scheme, null, e.getMessage(), 0));
      }
    }
    return new SchemeTable(rows, limited);
  }

  /** One line a way to train, in MiB. */
  public String text() {
    Rows<Row> columns =
        Rows.of(rows.stream().filter(r -> r.memory != null).toList())
            .column("MiB", "%-22s", r -> r.scheme.label())
            .column("total", "%,12.2f", r -> Bytes.mib(r.memory.totalPeak()))
            .column("activations", "%,13.2f", r -> r.mib(Category.ACTIVATION, Category.STATISTIC))
            .column("their grads", "%,13.2f", r -> r.mib(Category.ACTIVATION_GRADIENT))
            .column(
                "parameters*",
                "%,13.2f",
                r -> r.mib(Category.PARAMETER, Category.GRADIENT, Category.OPTIMIZER_STATE))
            .column("other", "%,13.2f", r -> r.mib(Category.WORKSPACE, Category.INPUT))
            .column("times less", "%11.2f", this::vanillaRatio);
    if (limited) columns.column("  batch in budget", "%,17d", Row::largestBatch);
    Iterator<String> lines = columns.text().lines().iterator();
    StringBuilder text = new StringBuilder(lines.next()).append('\n');
    for (Row row : rows) {
      String refused = "%-22s not possible: %s".formatted(row.scheme.label(), row.refusal);
      text.append(row.memory == null ? refused : lines.next()).append('\n');
    }
    return text.append("\n* with their gradients and optimizer state\n").toString();
  }

  private double vanillaRatio(Row row) {
    return row.memory.timesLessThan(rows.getFirst().memory);
  }

  /** One object a way to train. */
  public List<Map<String, Object>> json() {
    List<Map<String, Object>> list = new ArrayList<>();
    for (Row row : rows) {
      Values values =
          new Values().with("scheme", row.scheme.label()).with("options", row.scheme.options());
      list.add(values);
      if (row.memory == null) {
        values.put("not_possible", row.refusal);
        continue;
      }
      values.put("parameters", row.memory.parameters());
      values.put("total_peak_bytes", row.memory.totalPeak());
      values.put("kept_for_backward_bytes", row.memory.keptForBackwardBytes());
      values.put("arena_bytes", row.memory.plan().bytes());
      values.put("peak", row.memory.report().atTotalPeak());
      values.put("vanilla_ratio", vanillaRatio(row));
      if (limited) values.put("largest_batch", row.largestBatch);
    }
    return list;
  }
}
