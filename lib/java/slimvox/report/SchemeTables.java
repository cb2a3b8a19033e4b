package slimvox.report;

import java.util.List;
import java.util.function.ToDoubleFunction;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
import slimvox.storage.InputException;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;

/** Tables of networks against the ways to train them; empty where a network cannot be. */
public final class SchemeTables {
  private SchemeTables() {}

  /** The total of a vanilla step in MiB, and how many times less every other way needs. */
  public static Table ratios(MemoryAnalysis analysis, List<ModelSpec> models, int batch) {
    Table table = named(models);
    List<StepMemory> vanilla =
        models.stream().map(m -> analysis.price(m, MemoryScheme.VANILLA, batch)).toList();
    DoubleColumn total = DoubleColumn.create("vanilla (MiB)");
    total.setPrintFormatter(new Decimals(0));
    vanilla.forEach(v -> total.append(Bytes.mib(v.totalPeak())));
    table.addColumns(total);
    for (MemoryScheme scheme : MemoryScheme.values()) {
      if (scheme == MemoryScheme.VANILLA) continue;
      DoubleColumn times = DoubleColumn.create(scheme.label());
      times.setPrintFormatter(new Decimals(1));
      for (StepMemory v : vanilla) {
        ModelSpec model = MemoryScheme.VANILLA.apply(v.model());
        times.append(orMissing(scheme, s -> analysis.price(model, s, batch).timesLessThan(v)));
      }
      table.addColumns(times);
    }
    return table;
  }

  /** The largest batch of every way to train that fits a budget; 0 where none does. */
  public static Table largestBatches(
      MemoryAnalysis analysis, List<ModelSpec> models, MemoryBudget budget) {
    Table table = named(models);
    for (MemoryScheme scheme : MemoryScheme.values()) {
      DoubleColumn batches = DoubleColumn.create(scheme.label());
      batches.setPrintFormatter(new Decimals(0));
      for (ModelSpec model : models) {
        batches.append(orMissing(scheme, s -> analysis.largestBatch(model, s, budget)));
      }
      table.addColumns(batches);
    }
    return table;
  }

  /**
   * Total memory in MiB against the batch, a line for every way to train.
   *
   * @param batches the batches, ascending
   */
  public static Figure againstBatch(
      String title, MemoryAnalysis analysis, ModelSpec model, double[] batches) {
    Figure figure = Figure.of(title).x("batch").y("MiB");
    for (MemoryScheme scheme : MemoryScheme.values()) {
      double[] totals = new double[batches.length];
      for (int i = 0; i < totals.length; i++) {
        int batch = (int) batches[i];
        totals[i] = orMissing(scheme, s -> Bytes.mib(analysis.price(model, s, batch).totalPeak()));
      }
      figure = figure.line(scheme.label(), batches, totals);
    }
    return figure;
  }

  /** Total memory in MiB of networks, a group of bars for each and a bar for every way to train. */
  public static Figure byModel(
      String title, MemoryAnalysis analysis, List<ModelSpec> models, int batch) {
    String[] names = models.stream().map(ModelSpec::name).toArray(String[]::new);
    Figure figure = Figure.of(title).y(Axis.log("MiB"));
    for (MemoryScheme scheme : MemoryScheme.values()) {
      double[] totals =
          models.stream()
              .mapToDouble(
                  m -> orMissing(scheme, s -> Bytes.mib(analysis.price(m, s, batch).totalPeak())))
              .toArray();
      figure = figure.bars(scheme.label(), names, totals);
    }
    return figure;
  }

  private static Table named(List<ModelSpec> models) {
    return Table.create(
        "", StringColumn.create("model", models.stream().map(ModelSpec::name).toList()));
  }

  private static double orMissing(MemoryScheme scheme, ToDoubleFunction<MemoryScheme> value) {
    try {
      return value.applyAsDouble(scheme);
    } catch (InputException e) {
      return Double.NaN; // such a network cannot be trained this way
    }
  }
}
