package slimvox.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleBiFunction;
import java.util.function.ToDoubleFunction;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
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
    return rows.table().setName("Vanilla, and how many times less the others need, batch " + batch);
  }

  /** What per cent of the peak of every way to train a category takes, a column for each batch. */
  public static Table shares(
      String title, MemoryAnalysis analysis, ModelSpec model, Category category, int... batches) {
    Rows<MemoryScheme> rows =
        Rows.of(List.of(MemoryScheme.values())).column("way", null, MemoryScheme::label);
    for (int batch : batches) {
      rows.column(
          "batch " + batch,
          "%,.1f",
          scheme -> {
            StepMemory step = analysis.price(model, scheme, batch);
            return 100.0 * step.report().atTotalPeak().get(category) / step.totalPeak();
          });
    }
    return rows.table().setName(title);
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
    return rows.table().setName("The largest batch within " + budget);
  }

  /** Total memory in MiB against the batch, ascending, a line for every way to train. */
  public static Figure againstBatch(
      String title, MemoryAnalysis analysis, ModelSpec model, double[] batches) {
    Figure figure = Figure.of(title).x("batch").y("MiB");
    for (MemoryScheme scheme : MemoryScheme.values()) {
      double[] totals =
          Arrays.stream(batches).map(b -> mib(analysis, model, scheme, (int) b)).toArray();
      figure = figure.line(scheme.label(), batches, totals);
    }
    return figure.labelled();
  }

  /** Total memory in MiB of networks, a row for each and a dot for every way to train. */
  public static Figure byModel(
      String title, MemoryAnalysis analysis, List<ModelSpec> models, int batch) {
    return dots(Figure.of(title).x(Axis.log("MiB")), models, (m, s) -> mib(analysis, m, s, batch));
  }

  /** The largest batch of every way to train that fits, with a slider for the budget. */
  public static Gallery byBudget(
      String title, MemoryAnalysis analysis, List<ModelSpec> models, List<String> budgets) {
    List<Figure> figures = new ArrayList<>();
    for (String text : budgets) {
      MemoryBudget budget = MemoryBudget.parse(text);
      Figure figure = Figure.of(title).x(Axis.log("largest batch"));
      figures.add(
          dots(figure, models, (m, s) -> orMissing(s, w -> analysis.largestBatch(m, w, budget))));
    }
    return Gallery.slider("budget", budgets, figures);
  }

  /** Total memory in MiB of networks, with a slider for the frames of an utterance. */
  public static Gallery byFrames(
      MemoryAnalysis analysis, List<ModelSpec> models, int batch, int[] frames, String budget) {
    List<String> labels = new ArrayList<>();
    List<Figure> figures = new ArrayList<>();
    double limit = Bytes.mib(MemoryBudget.parse(budget).bytes());
    for (int length : frames) {
      MemoryAnalysis longer =
          new MemoryAnalysis(
              analysis.builder(),
              analysis.update(),
              length,
              analysis.workspacesOf(),
              analysis.readEvery());
      String title = "%d frames, batch %d: what fits %s is shaded".formatted(length, batch, budget);
      labels.add(Integer.toString(length));
      figures.add(byModel(title, longer, models, batch).span("", 1, limit));
    }
    return Gallery.slider("frames", labels, figures);
  }

  /** What the peak of every way to train consists of, with a slider for the batch. */
  public static Gallery byBatch(
      String title, MemoryAnalysis analysis, ModelSpec model, int[] batches, MemoryBudget budget) {
    List<String> labels = new ArrayList<>();
    List<Figure> figures = new ArrayList<>();
    for (int batch : batches) {
      StepTable steps = new StepTable("");
      for (MemoryScheme scheme : MemoryScheme.values()) {
        steps.add(scheme.label(), analysis.price(model, scheme, batch));
      }
      labels.add(Integer.toString(batch));
      figures.add(steps.bars(title).level(budget.toString(), Bytes.mib(budget.bytes())));
    }
    return Gallery.slider("batch", labels, figures);
  }

  private static Figure dots(
      Figure figure, List<ModelSpec> models, ToDoubleBiFunction<ModelSpec, MemoryScheme> value) {
    String[] names = models.stream().map(ModelSpec::name).toArray(String[]::new);
    for (MemoryScheme scheme : MemoryScheme.values()) {
      double[] values = models.stream().mapToDouble(m -> value.applyAsDouble(m, scheme)).toArray();
      figure = figure.dots(scheme.label(), names, values);
    }
    return figure.size(720, 150 + 32 * names.length);
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
