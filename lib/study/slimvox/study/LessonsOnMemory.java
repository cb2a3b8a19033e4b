package slimvox.study;

import java.util.List;
import java.util.function.DoubleBinaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import slimvox.backend.DataType;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.nn.FixedPoint;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;

/** The exercises of the notebooks 01, 02, 03 and 05. */
final class LessonsOnMemory {
  private static final int BATCH = 64;
  private static final int CLASSES = 3 * 5994;

  private LessonsOnMemory() {}

  private static MemoryAnalysis analysis() {
    return MemoryAnalysis.of(Recipe.shipped("wespeaker-resnet34"), CLASSES);
  }

  private static double mib(long bytes) {
    return bytes / (double) (1 << 20);
  }

  private static double peak(String model, MemoryScheme scheme) {
    return mib(analysis().price(ModelSpec.of(model), scheme, BATCH).totalPeak());
  }

  private static double atPeak(String model, MemoryScheme scheme, Category... categories) {
    var peak = analysis().price(ModelSpec.of(model), scheme, BATCH).report().atTotalPeak();
    return mib(Stream.of(categories).mapToLong(peak::get).sum());
  }

  private static double largest(String model, MemoryScheme scheme, String budget) {
    MemoryBudget within = MemoryBudget.parse(budget);
    return analysis().largestBatch(ModelSpec.of(model), scheme, within);
  }

  static void addAll() {
    whereMemoryGoes();
    insideAReversibleBlock();
    reversibleNetworks();
    smallGpu();
  }

  private static void whereMemoryGoes() {
    Exercise.add(
            "01.1",
            "MiB",
            0.01,
            () -> atPeak("ResNet34", MemoryScheme.VANILLA, Category.ACTIVATION) / BATCH)
        .not(r -> r / 4, "these are numbers; each takes four bytes")
        .not(r -> r * 64, "this is a batch of 64")
        .not(r -> r * 1.048576, "this is in MB of 10^6 bytes; a MiB has 2^20");
    Category[] both = {Category.ACTIVATION, Category.ACTIVATION_GRADIENT};
    double of40 = 40.0 / BATCH;
    Exercise.add(
            "01.2", "MiB", 0.005, () -> of40 * atPeak("DF-ResNet110", MemoryScheme.TYPE_II, both))
        .notThat(
            () -> of40 * atPeak("DF-ResNet110", MemoryScheme.TYPE_II, Category.ACTIVATION),
            "the gradients of these activations are there as well")
        .not(r -> r / of40, "this is at batch 64")
        .not(21, "so many maps; how large is one?");
    Exercise.add("01.3", "", 0, () -> largest("DF-ResNet110", MemoryScheme.VANILLA, "11GB"))
        .notThat(
            () -> largest("DF-ResNet110", MemoryScheme.VANILLA, "11GiB"),
            "11 GB are 11 x 10^9 bytes here, not 11 GiB")
        .not(r -> r + 1, "rounded up: that one does not fit any more")
        .not(64, "so large was the batch above; does it fit?");
    Exercise.add("01.4", "", 0, LessonsOnMemory::firstBatchWithSmallState)
        .not(r -> r - 1, "at this batch the state is still a tenth or more")
        .not(64, "true at 64 already; is there a smaller one?")
        .not(1, "at batch 1 the state is most of it");
  }

  /** From which batch on Adam's state is less than a tenth of a lean type II step. */
  private static Object firstBatchWithSmallState() {
    Recipe recipe =
        Recipe.shipped("wespeaker-resnet34")
            .with("optimizer.name=adam", "optimizer.learningRate.initial=0.001");
    MemoryAnalysis adam = MemoryAnalysis.of(recipe, CLASSES);
    ModelSpec model = ModelSpec.of("DF-ResNet110");
    return IntStream.rangeClosed(1, 128)
        .filter(
            b -> {
              var step = adam.price(model, MemoryScheme.LEAN_II, b).report();
              return 10 * step.atTotalPeak().get(Category.OPTIMIZER_STATE) < step.totalPeak();
            })
        .findFirst()
        .orElseThrow();
  }

  private static double relu(double factor, double x) {
    return factor * Math.max(x, 0);
  }

  /** Forward through the coupling of the notebook: all of y1, then all of y2. */
  private static double[] coupled(double a, double b, boolean fromX1) {
    double[] x1 = {0.5, -1.25, 2, -0.75};
    double[] x2 = {1.5, -0.25, -3, 4};
    double[] y = new double[8];
    for (int i = 0; i < 4; i++) {
      y[i] = x1[i] + relu(a, x2[i]);
      y[i + 4] = x2[i] + relu(b, fromX1 ? x1[i] : y[i]);
    }
    return y;
  }

  private static void insideAReversibleBlock() {
    Exercise.add("02.1", "", 1e-6, () -> coupled(-1, 1, false))
        .not(coupled(-1, 1, true), "G is applied to y1, which is there already, not to x1")
        .not(coupled(0.5, -2, false), "these are the numbers for a = 0.5 and b = -2")
        .not(coupled(1, -1, false), "a and b are exchanged");
    DoubleBinaryOperator inverse = (y1, y2) -> y1 - relu(0.5, y2 - relu(-2, y1));
    Exercise.add("02.2", "", 1e-6, () -> inverse)
        .not(
            (DoubleBinaryOperator) (y1, y2) -> y1 - relu(0.5, y2), "F was applied to x2, not to y2")
        .not(
            (DoubleBinaryOperator) (y1, y2) -> y1 + relu(0.5, y2 - relu(-2, y1)),
            "what was added has to be subtracted")
        .not((DoubleBinaryOperator) (y1, y2) -> y2 - relu(-2, y1), "this is x2; x1 is asked for");
    Exercise.add("02.3", "", 0, () -> (1 << 24) * (double) FixedPoint.STEP)
        .not(1 << 24, "so many steps; how large is one?")
        .not(1 << 14, "this is one by the step")
        .not(r -> r / 2, "a float32 has 24 bits, the first of which is not stored");
    Exercise.add("02.4", "", 0.003, () -> variance(3) / variance(1))
        .not(3, "true for small steps only: the moves are not independent of what is there")
        .notThat(() -> variance(2) / variance(1), "this is for two times")
        .not(9, "the variance does not grow with the square: the batch is the same, not the state");
    Exercise.add("02.5", "", 1e-6, () -> leastStep(40))
        .not(40 / 127.0, "this is no power of two")
        .not(0.25, "127 steps of it are 31.75")
        .not(1, "half of it holds 40 as well");
  }

  /** The smallest power of two as a step with which {@code fixed8} holds a value. */
  private static double leastStep(double value) {
    double step = 1;
    while (DataType.FIXED8.largest() * step / 2 >= value) step /= 2;
    return step;
  }

  /** The variance of a running mean that a batch moves {@code times} by a tenth, in its own. */
  private static double variance(int times) {
    double moved = 1 - Math.pow(0.9, times);
    return moved / (2 - moved);
  }

  private static void reversibleNetworks() {
    Exercise.add("03.1", "", 0, LessonsOnMemory::whereTypeILoses)
        .not("", "there are some")
        .not("ResNet34", "there are more")
        .not(
            "ResNet18, ResNet34, ResNet50, ResNet101, DF-ResNet56",
            "of DF-ResNets type I needs less than checkpoints do");
    Exercise.add("03.2", "", 0.01, () -> 4 / 3.0)
        .not(2, "backward itself is about two forward passes, so a step has three")
        .not(1.5, "a step is three passes, not two")
        .not(1 / 3.0, "this is what comes on top");
    double[] deviations = {1.45, 2.04};
    double error = Math.sqrt((square(deviations[0]) + square(deviations[1])) / 3);
    Exercise.add("03.3", "", 0.02, () -> LessonsOnEvidence.student(4) * error)
        .not(error, "this is one standard error")
        .not(1.96 * error, "1.96 is for many runs; with 4 degrees of freedom it is more")
        .not(error * Math.sqrt(3), "this is the deviation of one difference, not of the mean");
  }

  private static double square(double x) {
    return x * x;
  }

  private static Object whereTypeILoses() {
    return List.of("ResNet18", "ResNet34", "ResNet50", "ResNet101", "DF-ResNet56", "DF-ResNet110")
        .stream()
        .filter(m -> peak(m, MemoryScheme.TYPE_I) > peak(m, MemoryScheme.CHECKPOINT))
        .collect(Collectors.joining(", "));
  }

  private static void smallGpu() {
    Exercise.add("05.1", "", 0, () -> largest("DF-ResNet233", MemoryScheme.TYPE_II, "24GB"))
        .notThat(
            () -> largest("DF-ResNet233", MemoryScheme.TYPE_II, "24GiB"),
            "24 GB are 24 x 10^9 bytes here, not 24 GiB")
        .notThat(
            () -> largest("DF-ResNet233", MemoryScheme.VANILLA, "24GB"), "this is vanilla's batch")
        .not(r -> r + 1, "rounded up: that one does not fit any more");
    Exercise.add(
            "05.2",
            "",
            0,
            () -> Math.ceil(128 / largest("DF-ResNet179", MemoryScheme.VANILLA, "11GB")))
        .not(r -> r - 1, "rounded down: some utterances have no card")
        .notThat(
            () -> largest("DF-ResNet179", MemoryScheme.VANILLA, "11GB"),
            "so many utterances fit a card; how many cards are that?")
        .not(1, "one is enough for type II");
    Exercise.add("05.3", "", 0.02, () -> checkpointWithTricks() / lean())
        .notThat(
            () -> peak("DF-ResNet233", MemoryScheme.VANILLA) / lean(),
            "this compares with vanilla, which has none of the tricks")
        .notThat(
            () -> peak("DF-ResNet233", MemoryScheme.CHECKPOINT) / lean(),
            "here checkpointing has none of the tricks")
        .not(r -> 1 / r, "upside down");
  }

  private static double lean() {
    return peak("DF-ResNet233", MemoryScheme.LEAN_II);
  }

  private static double checkpointWithTricks() {
    Recipe recipe = Recipe.shipped("wespeaker-resnet34").with("optimizer.update=in-backward");
    ModelSpec model = MemoryScheme.CHECKPOINT.apply(ModelSpec.of("DF-ResNet233"));
    return mib(
        MemoryAnalysis.of(recipe, CLASSES).price(model.with("rebuild=true"), BATCH).totalPeak());
  }
}
