package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.State;
import slimvox.optim.Sgd;
import slimvox.storage.Safetensors;
import slimvox.train.TrainingStep;

/** Tiny WeSpeaker networks: outputs, gradients, running statistics and five steps as in PyTorch. */
class KnownAnswerTest {
  record Case(
      String file,
      Architecture architecture,
      int width,
      int bins,
      ModelSpec.Pooling pooling,
      double margin,
      double learningRate,
      boolean easyMargin) {
    @Override
    public String toString() {
      return file;
    }
  }

  static List<Case> cases() {
    var tstp = ModelSpec.Pooling.TSTP;
    var astp = ModelSpec.Pooling.ASTP;
    return List.of(
        new Case(
            "resnet_basic_1111",
            new ResNet(List.of(1, 1, 1, 1), false),
            8,
            16,
            tstp,
            0.2,
            0.01,
            false),
        new Case(
            "resnet_basic_2111",
            new ResNet(List.of(2, 1, 1, 1), false),
            8,
            16,
            tstp,
            0.0,
            0.01,
            false),
        new Case(
            "resnet_basic_astp",
            new ResNet(List.of(1, 1, 1, 1), false),
            8,
            16,
            astp,
            0.5,
            0.01,
            true),
        new Case(
            "resnet_bottleneck_1111",
            new ResNet(List.of(1, 1, 1, 1), true),
            8,
            16,
            tstp,
            0.2,
            0.01,
            false),
        new Case("gemini_1121", DfResNet.gemini(1, 1, 2, 1), 4, 32, tstp, 0.2, 0.001, false),
        new Case(
            "dfresnet_1222_2121", DfResNet.original(2, 1, 2, 1), 4, 16, tstp, 0.2, 0.001, false));
  }

  private static final int CLASSES = 10;
  private static Backend cpu;

  @BeforeAll
  static void open() {
    cpu = new Backend(CpuDevice.open(1));
  }

  @AfterAll
  static void close() {
    cpu.close();
  }

  private static TrainingStep step(Case c, Safetensors file) {
    ModelSpec spec = new ModelSpec(c.file, c.width, c.bins, 16, c.pooling);
    TrainingStep step =
        new TrainingStep(
            c.architecture.build(spec, cpu),
            new AamSoftmax(cpu, 16, CLASSES, 32, c.easyMargin),
            (b, parameters) -> new Sgd(b, parameters, 0.9, 0, 1e-4, true));
    Weights.load(file, "param.", step.state(), name -> false);
    return step;
  }

  private static Safetensors file(Case c) {
    return Safetensors.read(Path.of("tests/data/models", c.file + ".safetensors"));
  }

  /** B x T x F as the files have it, to B x F x T x 1. */
  private static float[] features(Safetensors file, String name) {
    long[] shape = file.shape(name);
    float[] in = file.floats(name);
    float[] out = new float[in.length];
    int frames = (int) shape[1];
    int bins = (int) shape[2];
    for (int b = 0; b < shape[0]; b++) {
      for (int t = 0; t < frames; t++) {
        for (int f = 0; f < bins; f++) {
          out[(b * bins + f) * frames + t] = in[(b * frames + t) * bins + f];
        }
      }
    }
    return out;
  }

  private static int[] labels(Safetensors file, String name) {
    long[] values = file.longs(name);
    int[] labels = new int[values.length];
    for (int i = 0; i < labels.length; i++) labels[i] = (int) values[i];
    return labels;
  }

  private static Tensor input(Safetensors file, String name) {
    float[] values = features(file, name);
    long[] shape = file.shape(name);
    Tensor x = cpu.allocate(Category.INPUT, "x", (int) shape[0], (int) shape[2], (int) shape[1], 1);
    cpu.ops().upload(values, x);
    return x;
  }

  /**
   * Largest difference, as a share of the largest value. Gradients that are zero but for rounding
   * (a bias in front of a softmax) are compared with 1e-3 instead.
   */
  private static void close(double[] expected, float[] actual, double tolerance, String what) {
    assertEquals(expected.length, actual.length, what);
    double largest = 1e-3;
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(expected[i] - actual[i]));
    }
    assertTrue(
        difference <= tolerance * largest,
        what + " differs by " + difference + " where the largest value is " + largest);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void evaluationIsPyTorchs(Case c) {
    Safetensors file = file(c);
    try (TrainingStep step = step(c, file);
        Tensor x = input(file, "input");
        Tensor out = step.network().forward(x, Mode.EVALUATE)) {
      close(file.doubles("f64.out.eval"), cpu.ops().floats(out), 1e-4, "out.eval");
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void outputsGradientsAndRunningStatisticsArePyTorchs(Case c) {
    Safetensors file = file(c);
    try (TrainingStep step = step(c, file);
        AamSoftmax classifier = new AamSoftmax(cpu, 16, CLASSES, 32, c.easyMargin)) {
      State state = step.state();
      cpu.ops().upload(file.floats("param.projection.weight"), classifier.weight().value());
      try (Tensor x = input(file, "input");
          Tensor y = cpu.allocate(Category.INPUT, "y", DataType.INT32, Shape.of(4))) {
        cpu.ops().upload(labels(file, "labels"), y);
        Tensor out = step.network().forward(x, Mode.TRAIN);
        close(file.doubles("f64.out.train"), cpu.ops().floats(out), 1e-4, "out.train");
        AamSoftmax.Result loss = classifier.forward(out, y, c.margin);
        out.close();
        assertEquals(file.doubles("f64.loss")[0], loss.loss(), 1e-4 * loss.loss());
        step.network().backward(classifier.backward());
      }
      close(
          file.doubles("f64.grad.projection.weight"),
          cpu.ops().floats(classifier.weight().gradient()),
          1e-4,
          "projection.weight");
      for (Parameter p : state.parameters().values()) {
        if (p.name().startsWith("projection")) continue;
        double[] expected = file.doubles("f64.grad." + p.name());
        close(expected, cpu.ops().floats(p.gradient()), 1e-4, p.name());
        p.dropGradient();
      }
      for (Map.Entry<String, Tensor> b : state.buffers().entrySet()) {
        double[] expected = file.doubles("bn." + b.getKey());
        close(expected, cpu.ops().floats(b.getValue()), 1e-5, b.getKey());
      }
      for (Map.Entry<String, State.Counter> counter : state.counters().entrySet()) {
        assertEquals(
            file.longs("bn." + counter.getKey())[0],
            counter.getValue().get().getAsLong(),
            counter.getKey());
      }
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void fiveStepsArePyTorchs(Case c) {
    Safetensors file = file(c);
    try (TrainingStep step = step(c, file)) {
      for (int k = 1; k <= 5; k++) {
        String prefix = k == 1 ? "" : "step" + k + ".";
        TrainingStep.Result result =
            step.run(
                features(file, prefix + "input"),
                labels(file, prefix + "labels"),
                c.margin,
                c.learningRate);
        double expected = file.doubles("f64.step" + k + ".loss")[0];
        assertEquals(expected, result.loss(), 2e-4 * expected, "loss of step " + k);
      }
      for (Parameter p : step.state().parameters().values()) {
        close(file.doubles("final." + p.name()), cpu.ops().floats(p.value()), 2e-4, p.name());
      }
      try (Tensor x = input(file, "input");
          Tensor out = step.network().forward(x, Mode.EVALUATE)) {
        close(file.doubles("f64.out.eval_final"), cpu.ops().floats(out), 2e-4, "out.eval_final");
      }
    }
    cpu.ledger().checkOnly();
  }
}
