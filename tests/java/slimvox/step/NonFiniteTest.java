package slimvox.step;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.Adam;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.UpdateTime;
import slimvox.storage.InputException;

/** A step that is refused because of NaN leaves everything as it was, and says where it began. */
class NonFiniteTest {
  private static final int[] LABELS = {0, 1, 4};
  private static final int FRAMES = 25;
  private static final OptimizerStateFormat EIGHT_BIT =
      new OptimizerStateFormat(
          8, 256, OptimizerStateFormat.Map.DYNAMIC, OptimizerStateFormat.Scale.BLOCK, 0);

  static Stream<ModelSpec> models() {
    ModelSpec plain = ModelSpec.of("ResNet18", "width=4", "bins=24", "embeddingSize=8");
    String[] checkpoint = {"recompute=checkpoint", "rebuild=true"};
    ModelSpec twice = plain.with("reversible=full");
    String[] fixed = {"slice=3", "rebuild=true", "streams=fixed"};
    return Stream.of(
            Stream.of(plain, plain.with(checkpoint)),
            Stream.of(twice.with(fixed), twice.with("keep=2")),
            PlannedTrainingTest.reversibleModels(),
            Stream.of("bwn", "paper", "w1a1", "w32a1")
                .map(scheme -> plain.with("binary.scheme=" + scheme, "binary.activation=prelu")))
        .flatMap(s -> s);
  }

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  private static Function<Backend, TrainingStep> build(
      ModelSpec spec, double scale, UpdateTime update) {
    return b ->
        new TrainingStep(
            Models.build(spec, b),
            new AamSoftmax(b, spec.embeddingSize(), 5, scale),
            (c, parameters) -> new Adam(c, parameters, 0.9, 0.999, 1e-8, 0.01, true, EIGHT_BIT),
            update);
  }

  private static PlannedTraining training(ModelSpec spec, Backend backend) {
    PlannedTraining training =
        new PlannedTraining(backend, build(spec, 32, UpdateTime.AFTER_BACKWARD));
    training.step().initialize(new SplittableRandom(1));
    return training;
  }

  private static float[] features(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[LABELS.length * 24 * FRAMES];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  /** Everything that a checkpoint would hold. */
  private static Map<String, float[]> state(TrainingStep step) {
    Map<String, float[]> state = new LinkedHashMap<>();
    step.state().parameters().forEach((name, p) -> state.put(name, floats(p.value())));
    step.state().buffers().forEach((name, b) -> state.put(name, floats(b)));
    step.state()
        .counters()
        .forEach((name, c) -> state.put(name, new float[] {c.get().getAsLong()}));
    step.optimizer().state().forEach(s -> state.put("optimizer." + s.name(), s.values()));
    state.put("steps", new float[] {step.optimizer().steps()});
    return state;
  }

  private static float[] floats(Tensor x) {
    return x.backend().ops().floats(x);
  }

  private static void same(Map<String, float[]> expected, Map<String, float[]> actual) {
    assertEquals(expected.keySet(), actual.keySet());
    expected.forEach((name, values) -> assertArrayEquals(values, actual.get(name), name));
  }

  private static void refuse(PlannedTraining training, float[] features, String what) {
    var e = assertThrows(NonFiniteException.class, () -> training.run(features, LABELS, 0.1, 0.01));
    assertEquals(
        what
            + "; parameters and running statistics were not changed. Lower the learning rate or"
            + " look at the features",
        e.getMessage().replace(".slice;", ".out;"));
    training
        .step()
        .network()
        .backend()
        .ledger()
        .checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
  }

  @ParameterizedTest
  @MethodSource("models")
  void aRunGoesOnAfterARefusedStepAsIfItHadNotBeen(ModelSpec spec) {
    Map<String, float[]> expected;
    try (PlannedTraining training = training(spec, cpu)) {
      for (int i = 0; i < 3; i++) training.run(features(i), LABELS, 0.1, 0.01);
      expected = state(training.step());
    }
    try (PlannedTraining training = training(spec, cpu)) {
      float[] bad = features(9);
      bad[17] = Float.NaN;
      refuse(training, bad, "the features of a batch are not finite");
      for (int i = 0; i < 3; i++) {
        training.run(features(i), LABELS, 0.1, 0.01);
        Map<String, float[]> before = state(training.step());
        refuse(training, bad, "the features of a batch are not finite");
        same(before, state(training.step()));
      }
      same(expected, state(training.step()));
    }
  }

  /** Each convolution in turn; the network is found as it was when its weight is repaired. */
  @ParameterizedTest
  @MethodSource("models")
  void theLayerIsNamedInTheMemoryOfTheStep(ModelSpec spec) {
    long needed;
    try (PlannedTraining training = training(spec, cpu)) {
      needed = cpu.ledger().totalBytes() + training.plan(LABELS.length, FRAMES).bytes();
    }
    try (Backend tight =
            new Backend(CpuDevice.open(1), new MemoryLedger(new MemoryBudget(needed)));
        PlannedTraining training = training(spec, tight)) {
      training.run(features(1), LABELS, 0.1, 0.01);
      Map<String, float[]> before = state(training.step());
      List<String> weights =
          before.keySet().stream()
              .filter(name -> name.matches(".*conv.*[.]weight"))
              .filter(name -> !name.startsWith("optimizer."))
              .toList();
      assertTrue(weights.size() > 10, weights.toString());
      for (int i = weights.size() - 1; i >= 0; i -= 3) {
        String name = weights.get(i);
        Tensor weight = training.step().state().parameters().get(name).value();
        float[] sound = floats(weight);
        float[] spoilt = sound.clone();
        spoilt[3] = Float.NaN;
        tight.ops().upload(spoilt, weight);
        String layer = name.substring(0, name.length() - ".weight".length());
        refuse(training, features(2), "the loss is NaN, first not finite at " + layer + ".out");
        tight.ops().upload(sound, weight);
        same(before, state(training.step()));
      }
      assertEquals(needed, tight.ledger().totalBytes() + tight.blockBytes());
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aGradientThatIsNotFiniteLeavesRunningStatisticsFinite(boolean inBackward) {
    ModelSpec spec = models().findFirst().orElseThrow();
    UpdateTime update = inBackward ? UpdateTime.IN_BACKWARD : UpdateTime.AFTER_BACKWARD;
    try (PlannedTraining training = new PlannedTraining(cpu, build(spec, 2e38, update))) {
      training.step().initialize(new SplittableRandom(1));
      var e =
          assertThrows(NonFiniteException.class, () -> training.run(features(1), LABELS, 0, 0.01));
      assertTrue(
          e.getMessage()
              .contains(
                  inBackward
                      ? "; it was not changed, but those behind it were (update in-backward). "
                      : "; parameters were not changed, running statistics have taken the batch"
                          + " in. "),
          e.getMessage());
      training
          .step()
          .state()
          .buffers()
          .forEach((name, b) -> assertTrue(cpu.ops().elementwise.isFinite(b), name));
    }
  }

  @Test
  void aStreamThatLeavesFixedPointChangesNothing() {
    ModelSpec spec =
        models()
            .filter(s -> s.streams() == ModelSpec.StreamArithmetic.FIXED)
            .findFirst()
            .orElseThrow();
    try (PlannedTraining training = training(spec, cpu)) {
      Map<String, float[]> before = state(training.step());
      float[] loud = features(1);
      Tensor weight = training.step().state().parameters().get("bn1.weight").value();
      float[] sound = floats(weight);
      float[] large = sound.clone();
      for (int i = 0; i < large.length; i++) large[i] = 1e6f;
      cpu.ops().upload(large, weight);
      assertThrows(InputException.class, () -> training.run(loud, LABELS, 0.1, 0.01));
      cpu.ops().upload(sound, weight);
      same(before, state(training.step()));
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
  }

  @Test
  void aStepOutsideOfAPlanLeavesNothingEither() {
    ModelSpec spec = models().findFirst().orElseThrow();
    try (PlannedTraining training = training(spec, cpu)) {
      float[] bad = features(1);
      bad[0] = Float.POSITIVE_INFINITY;
      TrainingStep step = training.step();
      assertThrows(NonFiniteException.class, () -> step.run(bad, LABELS, 0.1, 0.01));
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
      assertTrue(Double.isFinite(step.run(features(1), LABELS, 0.1, 0.01).loss()));
      cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
  }
}
