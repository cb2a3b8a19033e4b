package slimvox.report;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.storage.InputException;
import tech.tablesaw.api.Table;

/** Tables of networks against the ways to train them; empty where a network cannot be. */
public final class SchemeTables {
  private SchemeTables() {}

  /** A network and the MiB of a vanilla step of it. */
  private record Vanilla(ModelSpec model, double mib) {}

  /** The total of a vanilla step in MiB, and how many times less every other way needs. */
  public static Table ratios(MemoryAnalysis analysis, List<ModelSpec> models, int batch) {
    Rows<Vanilla> rows =
        Rows.of(
                models.stream()
                    .map(MemoryScheme.VANILLA::apply)
                    .map(m -> new Vanilla(m, mib(analysis, m, MemoryScheme.VANILLA, batch)))
                    .toList())
            .column("model", null, v -> v.model.name())
            .column("vanilla (MiB)", "%,.0f", Vanilla::mib);
    for (MemoryScheme scheme : MemoryScheme.values()) {
      if (scheme == MemoryScheme.VANILLA) continue;
      rows.column(scheme.label(), "%,.1f", v -> v.mib / mib(analysis, v.model, scheme, batch));
    }
    return rows.table();
  }

  /** The largest batch of every way to train that fits a budget; 0 where none does. */
  public static Table largestBatches(
      MemoryAnalysis analysis, List<ModelSpec> models, MemoryBudget budget) {
    Rows<ModelSpec> rows = Rows.of(models).column("model", null, ModelSpec::name);
    for (MemoryScheme scheme : MemoryScheme.values()) {
      rows.column(
          scheme.label(),
          "%,.0f",
          m -> orMissing(scheme, s -> analysis.largestBatch(m, s, budget)));
    }
    return rows.table();
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
      double[] totals =
          Arrays.stream(batches).map(b -> mib(analysis, model, scheme, (int) b)).toArray();
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
      double[] totals = models.stream().mapToDouble(m -> mib(analysis, m, scheme, batch)).toArray();
      figure = figure.bars(scheme.label(), names, totals);
    }
    return figure;
  }

  /** The total of a step in MiB; NaN where the network cannot be trained this way. */
  private static double mib(
      MemoryAnalysis analysis, ModelSpec model, MemoryScheme scheme, int batch) {
    return orMissing(scheme, s -> Bytes.mib(analysis.price(model, s, batch).totalPeak()));
  }

  private static double orMissing(MemoryScheme scheme, ToDoubleFunction<MemoryScheme> value) {
    try {
      return value.applyAsDouble(scheme);
    } catch (InputException e) {
      return Double.NaN; // such a network cannot be trained this way
    }
  }
}
