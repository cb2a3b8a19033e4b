package slimvox.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
import slimvox.storage.InputException;

/**
 * The ways to train one network beside one another, as text and as JSON.
 *
 * @param rows one for each way
 * @param limited whether there is a budget
 */
record SchemeTable(List<Row> rows, boolean limited) {
  /**
   * One way to train.
   *
   * @param memory null if the network cannot be trained so
   * @param refusal why not
   * @param largestBatch that fits the budget
   */
  private record Row(MemoryScheme scheme, StepMemory memory, String refusal, int largestBatch) {}

  static SchemeTable of(MemoryAnalysis analysis, ModelSpec model, int batch, MemoryBudget budget) {
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
  String text() {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%-22s%12s%13s%13s%13s%13s%11s%s%n",
            "MiB",
            "total",
            "activations",
            "their grads",
            "parameters*",
            "other",
            "vanilla /",
            limited ? "  batch in budget" : ""));
    StepMemory vanilla = rows.getFirst().memory;
    for (Row row : rows) {
      text.append(String.format("%-22s", row.scheme.label()));
      if (row.memory == null) {
        text.append(" not possible: ").append(row.refusal).append('\n');
        continue;
      }
      long activations = at(row.memory, Category.ACTIVATION) + at(row.memory, Category.STATISTIC);
      long gradients = at(row.memory, Category.ACTIVATION_GRADIENT);
      long fixed =
          at(row.memory, Category.PARAMETER)
              + at(row.memory, Category.GRADIENT)
              + at(row.memory, Category.OPTIMIZER_STATE);
      long total = row.memory.totalPeak();
      for (long bytes :
          new long[] {
            total, activations, gradients, fixed, total - activations - gradients - fixed
          }) {
        int width = bytes == total ? 12 : 13;
        text.append(String.format(Locale.ROOT, "%," + width + ".2f", MemoryTable.mib(bytes)));
      }
      text.append(String.format(Locale.ROOT, "%11.2f", row.memory.timesLessThan(vanilla)));
      if (limited) text.append(String.format(Locale.ROOT, "%,17d", row.largestBatch));
      text.append('\n');
    }
    return text.append("\n* with their gradients and optimizer state\n").toString();
  }

  private static long at(StepMemory memory, Category category) {
    return memory.report().atTotalPeak().get(category);
  }

  /** One object a way to train. */
  List<Map<String, Object>> json() {
    List<Map<String, Object>> list = new ArrayList<>();
    StepMemory vanilla = rows.getFirst().memory;
    for (Row row : rows) {
      Map<String, Object> values = new LinkedHashMap<>();
      values.put("scheme", row.scheme.label());
      values.put("options", row.scheme.options());
      if (row.memory == null) {
        values.put("not_possible", row.refusal);
      } else {
        values.put("parameters", row.memory.parameters());
        values.put("total_peak_bytes", row.memory.totalPeak());
        values.put("kept_for_backward_bytes", row.memory.keptForBackwardBytes());
        values.put("arena_bytes", row.memory.plan().bytes());
        values.put("peak", MemoryTable.atPeak(row.memory.report()));
        values.put("vanilla_ratio", row.memory.timesLessThan(vanilla));
        if (limited) values.put("largest_batch", row.largestBatch);
      }
      list.add(values);
    }
    return list;
  }
}
