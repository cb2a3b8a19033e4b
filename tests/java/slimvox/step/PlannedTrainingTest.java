package slimvox.step;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.ModelSpec.Reversibility;
import slimvox.models.Models;
import slimvox.nn.Parameter;
import slimvox.optim.Adam;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.optim.UpdateTime;
import slimvox.settings.Key;

/** A training step uses exactly the memory that the dry run predicts. */
class PlannedTrainingTest {
  private static final int BINS = 24;
  private static final int FRAMES = 25;
  private static final int BATCH = 3;
  private static final int CLASSES = 5;

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  private static Function<Backend, TrainingStep> step(
      ModelSpec spec, double scale, TrainingStep.OptimizerFactory optimizer, UpdateTime update) {
    return b ->
        new TrainingStep(
            Models.build(spec, b),
            new AamSoftmax(b, spec.embeddingSize(), CLASSES, scale),
            optimizer,
            update);
  }

  private static TrainingStep.OptimizerFactory adam(OptimizerStateFormat format) {
    return (b, parameters) -> new Adam(b, parameters, 0.9, 0.999, 1e-8, 0.01, true, format);
  }

  private static Function<Backend, TrainingStep> small(ModelSpec spec) {
    return step(spec, 32, adam(OptimizerStateFormat.FLOAT32), UpdateTime.AFTER_BACKWARD);
  }

  private static Function<Backend, TrainingStep> inBackward(ModelSpec spec, double scale) {
    return step(spec, scale, adam(OptimizerStateFormat.FLOAT32), UpdateTime.IN_BACKWARD);
  }

  private static Function<Backend, TrainingStep> eightBit(
      ModelSpec spec, boolean adam, OptimizerStateFormat format) {
    TrainingStep.OptimizerFactory sgd =
        (b, parameters) -> new Sgd(b, parameters, 0.9, 0, 1e-4, true, format);
    return step(spec, 32, adam ? adam(format) : sgd, UpdateTime.AFTER_BACKWARD);
  }

  private static ModelSpec spec(String name, ModelSpec.Pooling pooling) {
    return ModelSpec.of(
        name, "width=4", "bins=" + BINS, "embeddingSize=8", "pooling=" + Key.of(pooling));
  }

  static Stream<ModelSpec> everyModel() {
    Stream<ModelSpec> models =
        Models.names().stream()
            .flatMap(n -> Stream.of(ModelSpec.Pooling.values()).map(p -> spec(n, p)));
    return Stream.concat(models, binaryModels());
  }

  static Stream<ModelSpec> binaryModels() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.GSP);
    return Stream.of("bwn", "paper", "w1a1", "w32a1")
        .map(scheme -> spec.with("binary.scheme=" + scheme))
        .flatMap(s -> Stream.of(s, s.with("binary.activation=prelu")))
        .flatMap(s -> Stream.of(s, s.with("binary.layers=[layer2]")));
  }

  static Stream<ModelSpec> everyWayToSaveMemory() {
    List<String[]> savings =
        List.of(
            new String[0],
            new String[] {"recompute=checkpoint", "rebuild=true"},
            new String[] {"slice=3", "rebuild=true"},
            new String[] {"streams=fixed"},
            new String[] {"keep=2"},
            new String[] {"slice=3", "rebuild=true", "streams=fixed", "keep=1"});
    return Stream.of("ResNet18", "ResNet50", "DF-ResNet56", "Gemini-DF-ResNet60")
        .flatMap(
            name ->
                Stream.of(ModelSpec.Reversibility.values())
                    .flatMap(
                        kind ->
                            Stream.of(ModelSpec.Units.values())
                                .flatMap(
                                    units ->
                                        savings.stream()
                                            .map(
                                                s ->
                                                    spec(name, ModelSpec.Pooling.TSTP)
                                                        .with(
                                                            "reversible=" + Key.of(kind),
                                                            "units=" + Key.of(units))
                                                        .with(s)))))
        .filter(s -> !s.name().equals("ResNet50") || s.slice() == 0)
        .filter(
            s ->
                s.reversible() != Reversibility.NONE
                    || (s.units() == ModelSpec.Units.A
                        && s.slice() == 0
                        && s.keep() == 0
                        && s.streams() == ModelSpec.StreamArithmetic.FLOAT))
        .filter(s -> Models.savingFault(s) == null);
  }

  /** Reversible networks, plain, in slices, and normalizing behind convolutions. */
  static Stream<ModelSpec> reversibleModels() {
    String[] lean = {"slice=3", "rebuild=true"};
    return Stream.of("ResNet18", "DF-ResNet56")
        .map(name -> spec(name, ModelSpec.Pooling.TSTP))
        .flatMap(
            s ->
                Stream.of(
                    s.with("reversible=partial"),
                    s.with("reversible=partial").with(lean),
                    s.with("reversible=full").with(lean),
                    s.with("reversible=full", "units=b", "order=post")));
  }

  @ParameterizedTest
  @MethodSource("reversibleModels")
  void updatesInBackwardGiveReversibleNetworksTheSameBits(ModelSpec spec) {
    List<float[]> after = new ArrayList<>();
    List<float[]> within = new ArrayList<>();
    for (boolean in : new boolean[] {true, false}) {
      try (PlannedTraining training =
          new PlannedTraining(cpu, in ? inBackward(spec, 32) : small(spec))) {
        training.step().initialize(new SplittableRandom(1));
        for (int i = 0; i < 2; i++) training.run(features(), new int[] {0, 1, 4}, 0.1, 0.01);
        for (Parameter p : training.step().state().parameters().values()) {
          (in ? within : after).add(cpu.ops().floats(p.value()));
        }
      }
    }
    for (int i = 0; i < after.size(); i++) assertArrayEquals(after.get(i), within.get(i));
    cpu.ledger().checkOnly();
  }

  private static float[] features() {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[BATCH * BINS * FRAMES];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  @ParameterizedTest
  @MethodSource({"everyModel", "everyWayToSaveMemory"})
  void dryLedgerIsTheRealLedgerEventByEvent(ModelSpec spec) {
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      training.step().initialize(new SplittableRandom(1));
      List<String> planned = events(training.timeline(BATCH, FRAMES));
      cpu.ledger().startTimeline();
      training.step().run(features(), new int[BATCH], 0.2, 0.001);
      assertEquals(planned, events(cpu.ledger().stopTimeline()));
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @MethodSource("everyModel")
  void updatesInBackwardGiveTheSameBitsWithTheGradientsOfOneLayerAtATime(ModelSpec spec) {
    List<float[]> after = new ArrayList<>();
    List<float[]> within = new ArrayList<>();
    for (boolean in : new boolean[] {true, false}) { // the ledger keeps the higher peak
      try (PlannedTraining training =
          new PlannedTraining(cpu, in ? inBackward(spec, 32) : small(spec))) {
        training.step().initialize(new SplittableRandom(1));
        for (int i = 0; i < 2; i++) training.run(features(), new int[] {0, 1, 4}, 0.1, 0.01);
        assertEquals(2, training.step().optimizer().steps());
        long peak = cpu.ledger().report().peak().get(Category.GRADIENT);
        var parameters = training.step().state().parameters().values();
        assertEquals(in ? largestLayer(parameters) : bytes(parameters), peak);
        for (Parameter p : parameters) {
          (in ? within : after).add(cpu.ops().floats(p.value()));
        }
      }
    }
    for (int i = 0; i < after.size(); i++) assertArrayEquals(after.get(i), within.get(i));
    cpu.ledger().checkOnly();
  }

  private static long bytes(Collection<Parameter> parameters) {
    return parameters.stream().mapToLong(p -> p.value().bytes()).sum();
  }

  /** Weight and bias of one layer have the same name but for the last part. */
  private static long largestLayer(Collection<Parameter> parameters) {
    return parameters.stream()
        .collect(
            Collectors.groupingBy(p -> p.name().replaceFirst("[.][^.]+$", ""), Collectors.toList()))
        .values()
        .stream()
        .mapToLong(PlannedTrainingTest::bytes)
        .max()
        .orElseThrow();
  }

  @Test
  void aGradientThatIsNotFiniteStopsUpdatesInBackwardAtItsParameter() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    try (PlannedTraining training = new PlannedTraining(cpu, inBackward(spec, 2e38))) {
      training.step().initialize(new SplittableRandom(1));
      Map<String, Parameter> parameters = training.step().state().parameters();
      // So large a scale that the loss is finite and its gradient is not.
      Map<String, float[]> before = new HashMap<>();
      parameters.forEach((name, p) -> before.put(name, cpu.ops().floats(p.value())));
      var e =
          assertThrows(
              NonFiniteException.class,
              () -> training.run(features(), new int[] {0, 1, 4}, 0, 0.01));
      String named = e.getMessage().split(" ")[3];
      assertEquals(
          "the gradient of "
              + named
              + " is not finite; it was not changed, but those behind it were (update in-backward)."
              + " Lower the learning rate or look at the features",
          e.getMessage());
      assertArrayEquals(before.get(named), cpu.ops().floats(parameters.get(named).value()));
      String last = "projection.weight";
      assertNotEquals(before.get(last)[0], cpu.ops().floats(parameters.get(last).value())[0]);
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void stateOfEightBitsIsInTheLedgerByCodesAndScales(boolean adam) {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    for (OptimizerStateFormat format :
        List.of(
            OptimizerStateFormat.FLOAT32,
            OptimizerStateFormat.EIGHT_BIT,
            OptimizerStateFormat.eightBit(2048),
            new OptimizerStateFormat(
                8, 256, OptimizerStateFormat.Map.LINEAR, OptimizerStateFormat.Scale.TENSOR, 0))) {
      long expected = 0;
      try (PlannedTraining training = new PlannedTraining(cpu, eightBit(spec, adam, format))) {
        training.step().initialize(new SplittableRandom(1));
        List<String> planned = events(training.timeline(BATCH, FRAMES));
        cpu.ledger().startTimeline();
        training.run(features(), new int[] {0, 1, 4}, 0.2, 0.001);
        assertEquals(planned, events(cpu.ledger().stopTimeline()));
        for (Parameter p : training.step().state().parameters().values()) {
          long n = p.value().size();
          boolean exempt = format.bits() == 32 || n < format.exemptBelow();
          boolean oneScale = exempt || format.scale() == OptimizerStateFormat.Scale.TENSOR;
          int block = oneScale ? (int) n : format.block();
          expected += (adam ? 2 : 1) * (exempt ? 4 * n : n + 4 * ((n + block - 1) / block));
        }
        assertEquals(expected, cpu.ledger().bytes(Category.OPTIMIZER_STATE), format.toString());
      }
    }
    cpu.ledger().checkOnly();
  }

  private static List<String> events(List<MemoryLedger.Event> timeline) {
    return timeline.stream().map(e -> e + " total " + e.totalBytes()).toList();
  }

  @Test
  void plannedStepsGiveTheSameBitsAsFreeOnesInTheBytesOfThePlan() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    List<float[]> results = new ArrayList<>();
    for (boolean plan : new boolean[] {false, true}) {
      try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
        training.step().initialize(new SplittableRandom(1));
        for (int i = 0; i < 3; i++) {
          if (plan) {
            training.run(features(), new int[] {0, 1, 4}, 0.1, 0.01);
            assertEquals(training.plan(BATCH, FRAMES).bytes(), cpu.blockBytes());
          } else {
            training.step().run(features(), new int[] {0, 1, 4}, 0.1, 0.01);
          }
        }
        for (Parameter p : training.step().state().parameters().values()) {
          results.add(cpu.ops().floats(p.value()));
        }
      }
    }
    int half = results.size() / 2;
    for (int i = 0; i < half; i++) assertArrayEquals(results.get(i), results.get(half + i));
  }

  @ParameterizedTest
  @EnumSource
  void theSameStepsGiveTheSameBitsEarlyAndLateInTheLifeOfTheProcess(ModelSpec.Pooling pooling) {
    // The first rounds are interpreted, the last ones compiled.
    List<float[]> first = null;
    for (int round = 0; round < 40; round++) {
      try (PlannedTraining training = new PlannedTraining(cpu, small(spec("ResNet18", pooling)))) {
        training.step().initialize(new SplittableRandom(1));
        for (int i = 0; i < 4; i++) training.run(features(), new int[] {0, 1, 4}, 0.1, 0.01);
        List<float[]> values =
            training.step().state().parameters().values().stream()
                .map(p -> cpu.ops().floats(p.value()))
                .toList();
        if (first == null) first = values;
        for (int i = 0; i < values.size(); i++) {
          assertArrayEquals(first.get(i), values.get(i), "round " + round + ", tensor " + i);
        }
      }
    }
  }

  @Test
  void theBlockIsHardlyLargerThanWhatIsAliveAtOnce() {
    for (String name : List.of("ResNet34", "ResNet50")) {
      ModelSpec full = ModelSpec.of(name);
      try (PlannedTraining training = new PlannedTraining(cpu, small(full))) {
        var plan = training.plan(8, 200);
        assertTrue(
            plan.bytes() <= 1.05 * plan.liveBytes(),
            name + ": " + plan.bytes() + " for " + plan.liveBytes());
      }
    }
  }

  @Test
  void aStepOverTheBudgetIsRefusedBeforeItRunsAndNamesTheCategory() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    MemoryBudget budget = MemoryBudget.parse("9MB");
    try (PlannedTraining training = new PlannedTraining(cpu, budget, small(spec))) {
      var e = assertThrows(OutOfBudgetException.class, () -> training.plan(64, 200));
      assertTrue(e.getMessage().startsWith("out of the memory budget of 8.58 MiB (9 MB): "));
      assertEquals(Category.ACTIVATION, e.category());
    }
  }

  @Test
  void afterARefusedPlanASmallerOneIsPricedAsByAFreshObject() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    long needed;
    long block;
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      block = training.plan(2, FRAMES).bytes();
      needed = cpu.ledger().totalBytes() + block;
    }
    for (int readEvery : new int[] {1, 3}) {
      MemoryBudget budget = new MemoryBudget(needed + (readEvery == 1 ? 0 : 4000));
      try (PlannedTraining training = new PlannedTraining(cpu, budget, small(spec))) {
        training.readEvery(readEvery, 2);
        for (int batch : new int[] {4, 64, 3}) {
          assertThrows(OutOfBudgetException.class, () -> training.plan(batch, FRAMES));
          assertEquals(block, training.plan(2, FRAMES).bytes());
        }
      }
      MemoryBudget tooSmall = new MemoryBudget(needed - 1);
      try (PlannedTraining training = new PlannedTraining(cpu, tooSmall, small(spec))) {
        assertThrows(OutOfBudgetException.class, () -> training.plan(2, FRAMES));
      }
    }
  }

  /** What a card repeats as one has addresses, and the ledger has what the driver holds for it. */
  @Test
  void aStepRunsAsOneInItsPlanOnly() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      training.step().initialize(new SplittableRandom(1));
      training.step().runAsOne();
      training.run(features(), new int[BATCH], 0.2, 0.001);
      assertThrows(
          IllegalStateException.class,
          () -> training.step().run(features(), new int[BATCH], 0.2, 0.001));
    }
    cpu.ledger().checkOnly();
  }

  /** Network, classifier, optimizer and the room for results, at every size that is too small. */
  @Test
  void whatCannotBeBuiltLeavesNothingInTheLedger() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    long stays;
    try (PlannedTraining _ = new PlannedTraining(cpu, small(spec))) {
      stays = cpu.ledger().totalBytes();
    }
    for (long bytes = 1; bytes < stays; bytes += stays / 20) {
      try (Backend tight =
          new Backend(CpuDevice.open(1), new MemoryLedger(new MemoryBudget(bytes)))) {
        assertThrows(
            OutOfBudgetException.class, () -> new PlannedTraining(tight, small(spec)).close());
        assertEquals(0, tight.ledger().liveBuffers(), bytes + " bytes");
      }
    }
    try (Backend tight =
            new Backend(CpuDevice.open(1), new MemoryLedger(new MemoryBudget(stays + 100)));
        PlannedTraining training = new PlannedTraining(tight, small(spec))) {
      assertThrows(OutOfBudgetException.class, () -> training.readEvery(1000, BATCH));
      assertEquals(stays, tight.ledger().totalBytes());
    }
  }

  @Test
  void aStepThatFailsLeavesNoMemoryBehindAndTheNextOneWorks() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      training.step().initialize(new SplittableRandom(1));
      float[] bad = features();
      bad[17] = Float.NaN;
      var e =
          assertThrows(
              NonFiniteException.class, () -> training.run(bad, new int[BATCH], 0.1, 0.01));
      assertTrue(e.getMessage().startsWith("the features of a batch are not finite"));
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
      assertTrue(Double.isFinite(training.run(features(), new int[BATCH], 0.1, 0.01).loss()));
    }
  }

  @Test
  void aLossThatIsNotFiniteNamesTheFirstLayer() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP);
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      training.step().initialize(new SplittableRandom(1));
      Tensor weight = training.step().state().parameters().get("layer2.0.conv2.weight").value();
      float[] values = cpu.ops().floats(weight);
      values[3] = Float.POSITIVE_INFINITY;
      cpu.ops().upload(values, weight);
      var e =
          assertThrows(
              NonFiniteException.class, () -> training.run(features(), new int[BATCH], 0.1, 0.01));
      assertTrue(e.getMessage().contains("first not finite at layer2.0.conv2.out"), e.getMessage());
    }
  }

  @ParameterizedTest
  @MethodSource("reversibleModels")
  void aLossThatIsNotFiniteNamesTheFirstLayerOfAReversibleNetwork(ModelSpec spec) {
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      training.step().initialize(new SplittableRandom(1));
      Map<String, Parameter> parameters = training.step().state().parameters();
      String layer =
          parameters.keySet().stream()
              .filter(n -> n.matches("(layer1|stages.0)[.][0-9]+[.]f[.]conv.*"))
              .reduce((_, last) -> last)
              .orElseThrow()
              .replace(".weight", "");
      Tensor weight = parameters.get(layer + ".weight").value();
      float[] sound = cpu.ops().floats(weight);
      float[] values = sound.clone();
      values[3] = Float.POSITIVE_INFINITY;
      cpu.ops().upload(values, weight);
      var e =
          assertThrows(
              NonFiniteException.class, () -> training.run(features(), new int[BATCH], 0.1, 0.01));
      assertTrue(e.getMessage().contains("first not finite at " + layer + ".out"), e.getMessage());
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
  }

  @Test
  void featuresThatAreFilledUpCountAsKept() {
    ModelSpec spec = spec("ResNet18", ModelSpec.Pooling.TSTP).with("reversible=full");
    try (PlannedTraining training = new PlannedTraining(cpu, small(spec))) {
      training.step().initialize(new SplittableRandom(1));
      training.step().run(new float[BATCH * BINS * 17], new int[BATCH], 0.2, 0.001);
      long seventeen = training.step().keptForBackwardBytes();
      training.step().run(new float[BATCH * BINS * 24], new int[BATCH], 0.2, 0.001);
      assertEquals(training.step().keptForBackwardBytes(), seventeen);
    }
  }
}
