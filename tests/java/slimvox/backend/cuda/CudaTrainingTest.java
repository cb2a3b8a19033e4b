package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.Device;
import slimvox.backend.cpu.CpuDevice;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.ModelSpec.Pooling;
import slimvox.models.Models;
import slimvox.nn.Parameter;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.settings.Key;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;

/** Whole training steps on CUDA kernels, here on the host's processor, against the CPU backend. */
class CudaTrainingTest {
  private static final int BINS = 24;
  private static final int FRAMES = 25;
  private static final int BATCH = 6;
  private static final int CLASSES = 5;
  private static final int[] LABELS = {0, 1, 4, 2, 3, 1};
  private static final double RATE = 0.01;

  /** The device that is held against the CPU; both ways must give the same bits. */
  Device device(boolean backwards) {
    return HostDevice.open(backwards);
  }

  /** How long two runs are compared; short where kernels are loops on the processor. */
  int steps() {
    return 20;
  }

  private static ModelSpec spec(String name, Pooling pooling) {
    return ModelSpec.of(
        name, "width=4", "bins=" + BINS, "embeddingSize=8", "pooling=" + Key.of(pooling));
  }

  static Stream<ModelSpec> models() {
    String[] full = {"reversible=full", "units=a"};
    return Stream.of(
        spec("ResNet18", Pooling.TSTP),
        spec("ResNet18", Pooling.ASTP),
        spec("ResNet50", Pooling.TSTP),
        spec("DF-ResNet56", Pooling.GSP),
        spec("Gemini-DF-ResNet60", Pooling.TSTP),
        spec("Gemini-DF-ResNet60", Pooling.TSTP).with(full),
        spec("ResNet18", Pooling.TSTP).with(full).with("slice=3", "rebuild=true", "streams=fixed"),
        spec("DF-ResNet56", Pooling.TSTP).with(full).with("rebuild=true"),
        spec("ResNet18", Pooling.TSTP).with("binary.scheme=bwn", "binary.activation=prelu"));
  }

  private static Function<Backend, TrainingStep> step(ModelSpec spec) {
    return b ->
        new TrainingStep(
            Models.build(spec, b),
            new AamSoftmax(b, spec.embeddingSize(), CLASSES, 32),
            (c, parameters) ->
                new Sgd(c, parameters, 0.9, 0, 1e-4, true, OptimizerStateFormat.FLOAT32));
  }

  private static float[] features(int seed, double shake) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[BATCH * BINS * FRAMES];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * (1 + shake * (i % 3 - 1)));
    }
    return values;
  }

  private record Run(List<Double> losses, List<float[]> before, List<float[]> after) {}

  private static Run run(Backend backend, ModelSpec spec, int steps, double shake) {
    List<Double> losses = new ArrayList<>();
    List<float[]> before;
    try (PlannedTraining training = new PlannedTraining(backend, step(spec))) {
      training.step().initialize(new SplittableRandom(1));
      before = parameters(training);
      for (int i = 0; i < steps; i++) {
        losses.add(training.run(features(i, shake), LABELS, 0.2, RATE).loss());
      }
      assertEquals(training.plan(BATCH, FRAMES).bytes(), backend.blockBytes());
      return new Run(losses, before, parameters(training));
    }
  }

  private static List<float[]> parameters(PlannedTraining training) {
    List<float[]> values = new ArrayList<>();
    for (Parameter p : training.step().state().parameters().values()) {
      values.add(p.value().backend().ops().floats(p.value()));
    }
    return values;
  }

  /**
   * Networks this small normalize over few values and are ill conditioned, and a ReLU whose input
   * rounding moves over 0 changes some gradients by percents. What rounding does to one is seen on
   * the CPU itself, when the features change by a millionth; a wrong gradient is off by all of its
   * length.
   */
  @ParameterizedTest
  @MethodSource("models")
  void aStepGivesTheLossAndTheParametersOfTheCpu(ModelSpec spec) {
    try (Backend cpu = new Backend(CpuDevice.open(2));
        Backend cuda = new Backend(device(false))) {
      assertEquals("cuda", cuda.name());
      Run expected = run(cpu, spec, 1, 0);
      Run actual = run(cuda, spec, 1, 0);
      List<Run> shaken = new ArrayList<>();
      for (double shake : new double[] {1e-6, -1e-6, 2e-6}) shaken.add(run(cpu, spec, 1, shake));
      double loss = expected.losses.getFirst();
      double rounding =
          shaken.stream()
              .mapToDouble(r -> Math.abs(loss - r.losses.getFirst()))
              .max()
              .orElseThrow();
      assertEquals(loss, actual.losses.getFirst(), 3 * rounding + 1e-5 * loss);
      List<float[]> e = expected.after;
      for (int i = 0; i < e.size(); i++) {
        int p = i;
        double moved = apart(e.subList(p, p + 1), expected.before.subList(p, p + 1));
        double apart = apart(e.subList(p, p + 1), actual.after.subList(p, p + 1));
        double usual = usual(shaken, r -> apart(e.subList(p, p + 1), r.after.subList(p, p + 1)));
        assertTrue(
            apart <= 3 * usual + 0.05 * moved + 1e-6,
            "parameter %d moved by %g, %g apart".formatted(i, moved, apart));
      }
      double moved = apart(e, expected.before);
      double apart = apart(e, actual.after);
      double usual = usual(shaken, r -> apart(e, r.after));
      assertTrue(
          apart <= 3 * usual + 1e-3 * moved,
          "all moved by %g, %g apart, %g by rounding".formatted(moved, apart, usual));
    }
  }

  private static double usual(List<Run> shaken, ToDoubleFunction<Run> apart) {
    return shaken.stream().mapToDouble(apart).max().orElseThrow();
  }

  /** Length of the difference. */
  private static double apart(List<float[]> a, List<float[]> b) {
    double sum = 0;
    for (int p = 0; p < a.size(); p++) {
      for (int i = 0; i < a.get(p).length; i++) {
        double d = (double) a.get(p)[i] - b.get(p)[i];
        sum += d * d;
      }
    }
    return Math.sqrt(sum);
  }

  @ParameterizedTest
  @MethodSource("models")
  void dryLedgerIsTheRealLedgerEventByEvent(ModelSpec spec) {
    try (Backend cuda = new Backend(device(false))) {
      try (PlannedTraining training = new PlannedTraining(cuda, step(spec))) {
        training.step().initialize(new SplittableRandom(1));
        List<String> planned = events(training.timeline(BATCH, FRAMES));
        cuda.ledger().startTimeline();
        training.step().run(features(0, 0), LABELS, 0.2, RATE);
        assertEquals(planned, events(cuda.ledger().stopTimeline()));
        HostBackend.checkOnly(cuda.ledger(), Category.PARAMETER, Category.OPTIMIZER_STATE);
      }
      HostBackend.checkOnly(cuda.ledger());
    }
  }

  private static List<String> events(List<MemoryLedger.Event> timeline) {
    return timeline.stream().map(e -> e + " total " + e.totalBytes()).toList();
  }

  @ParameterizedTest
  @MethodSource("models")
  void stepsThatAreReadTogetherGiveTheBitsAndTheLedgerOfStepsThatAreWaitedFor(ModelSpec spec) {
    try (Backend waiting = new Backend(device(false));
        Backend cuda = new Backend(device(false))) {
      Run expected = run(waiting, spec, 3, 0);
      try (PlannedTraining training = new PlannedTraining(cuda, step(spec))) {
        training.step().initialize(new SplittableRandom(1));
        training.readEvery(3, BATCH);
        for (int i = 0; i < 2; i++) training.queue(features(i, 0), LABELS, 0.2, RATE, null);
        List<String> planned = events(training.timeline(BATCH, FRAMES));
        cuda.ledger().startTimeline();
        training.queue(features(2, 0), LABELS, 0.2, RATE, null);
        assertEquals(planned, events(cuda.ledger().stopTimeline()));
        assertEquals(
            expected.losses, training.results().stream().map(TrainingStep.Result::loss).toList());
        List<float[]> after = parameters(training);
        for (int i = 0; i < after.size(); i++)
          assertArrayEquals(expected.after.get(i), after.get(i));
      }
      HostBackend.checkOnly(cuda.ledger());
    }
  }

  @Test
  void threadsOfABlockInEitherOrderTrainToTheSameBits() {
    List<Run> runs = new ArrayList<>();
    for (boolean backwards : new boolean[] {false, true}) {
      try (Backend cuda = new Backend(device(backwards))) {
        runs.add(run(cuda, spec("ResNet18", Pooling.ASTP), 3, 0));
      }
    }
    assertEquals(runs.get(0).losses, runs.get(1).losses);
    for (int i = 0; i < runs.get(0).after.size(); i++) {
      assertArrayEquals(runs.get(0).after.get(i), runs.get(1).after.get(i));
    }
  }

  @Test
  void manyStepsLearnAsTheCpuDoes() {
    ModelSpec spec = spec("ResNet18", Pooling.TSTP);
    try (Backend cpu = new Backend(CpuDevice.open(2));
        Backend cuda = new Backend(device(false))) {
      List<Double> expected = run(cpu, spec, steps(), 0).losses;
      List<Double> actual = run(cuda, spec, steps(), 0).losses;
      for (int i = 0; i < 5; i++) assertEquals(expected.get(i), actual.get(i), 0.05, "loss " + i);
      assertEquals(average(expected), average(actual), 0.1 * average(expected));
    }
  }

  private static double average(List<Double> losses) {
    return losses.stream().mapToDouble(d -> d).average().orElseThrow();
  }
}
