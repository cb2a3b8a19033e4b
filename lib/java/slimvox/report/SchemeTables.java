package slimvox.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleBiFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
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

  /** The same with a line where a budget ends; the title says how many networks stay within it. */
  public static Figure byModel(
      MemoryAnalysis analysis, List<ModelSpec> models, int batch, MemoryBudget budget) {
    String title =
        "Of %d networks fit: %s".formatted(models.size(), fitting(analysis, models, batch, budget));
    double limit = Bytes.mib(budget.bytes());
    return byModel(title, analysis, models, batch)
        .x(Axis.log("MiB at batch " + batch))
        .dashed(
            budget.toString(),
            new double[] {limit, limit},
            new double[] {0.4, models.size() + 0.6});
  }

  /** How many networks fit a budget, by the ways to train that are not lean. */
  private static String fitting(
      MemoryAnalysis analysis, List<ModelSpec> models, int batch, MemoryBudget budget) {
    double limit = Bytes.mib(budget.bytes());
    return Arrays.stream(MemoryScheme.values())
        .filter(s -> !s.isLean())
        .map(
            s -> {
              long fit = models.stream().filter(m -> mib(analysis, m, s, batch) <= limit).count();
              return s.label() + " " + fit;
            })
        .collect(Collectors.joining(", "));
  }

  /** The largest batch of every way to train that fits, with a slider for the budget. */
  public static Gallery byBudget(
      MemoryAnalysis analysis, List<ModelSpec> models, List<String> budgets) {
    List<Figure> figures = new ArrayList<>();
    ModelSpec deepest = models.getLast();
    for (String text : budgets) {
      MemoryBudget budget = MemoryBudget.parse(text);
      String title =
          "%s, %s: batch %s"
              .formatted(text, deepest.name(), largestBatches(analysis, deepest, budget));
      Figure figure = Figure.of(title).x(Axis.log("largest batch"));
      figures.add(
          dots(figure, models, (m, s) -> orMissing(s, w -> analysis.largestBatch(m, w, budget))));
    }
    return Gallery.slider("budget", budgets, figures);
  }

  /** The largest batch of one network, vanilla, reversible and lean, in words. */
  private static String largestBatches(
      MemoryAnalysis analysis, ModelSpec model, MemoryBudget budget) {
    return Stream.of(MemoryScheme.VANILLA, MemoryScheme.TYPE_II, MemoryScheme.LEAN_II)
        .map(
            s ->
                "%,.0f (%s)"
                    .formatted(
                        orMissing(s, w -> analysis.largestBatch(model, w, budget)), s.label()))
        .collect(Collectors.joining(", "));
  }

  /** Total memory in MiB of networks, with a slider for the frames of an utterance. */
  public static Gallery byFrames(
      MemoryAnalysis analysis, List<ModelSpec> models, int batch, int[] frames, String budget) {
    List<String> labels = new ArrayList<>();
    List<Figure> figures = new ArrayList<>();
    MemoryBudget room = MemoryBudget.parse(budget);
    for (int length : frames) {
      MemoryAnalysis longer =
          new MemoryAnalysis(
              analysis.builder(),
              analysis.update(),
              length,
              analysis.workspacesOf(),
              analysis.readEvery());
      String title =
          "%d frames, of %d fit %s: %s"
              .formatted(length, models.size(), budget, fitting(longer, models, batch, room));
      labels.add(Integer.toString(length));
      figures.add(
          byModel(title, longer, models, batch)
              .x(Axis.log("MiB at batch %d; shaded is what fits".formatted(batch)))
              .span("", 1, Bytes.mib(room.bytes())));
    }
    return Gallery.slider("frames", labels, figures);
  }

  /** What the peak of every way to train consists of, with a slider for the batch. */
  public static Gallery byBatch(
      MemoryAnalysis analysis, ModelSpec model, int[] batches, MemoryBudget budget) {
    List<String> labels = new ArrayList<>();
    List<Figure> figures = new ArrayList<>();
    for (int batch : batches) {
      StepTable steps = new StepTable("");
      for (MemoryScheme scheme : MemoryScheme.values()) {
        steps.add(scheme.label(), analysis.price(model, scheme, batch));
      }
      labels.add(Integer.toString(batch));
      String title =
          "%s, batch %d: %,.0f MiB vanilla, %,.0f %s"
              .formatted(
                  model.name(),
                  batch,
                  mib(analysis, model, MemoryScheme.VANILLA, batch),
                  mib(analysis, model, MemoryScheme.LEAN_II, batch),
                  MemoryScheme.LEAN_II.label());
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
