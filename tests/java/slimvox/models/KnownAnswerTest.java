package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.AutoClose;
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
import slimvox.nn.StateDict;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.settings.Key;
import slimvox.step.TrainingStep;
import slimvox.storage.Safetensors;

/** Tiny WeSpeaker networks: outputs, gradients, running statistics and five steps as in PyTorch. */
class KnownAnswerTest {
  /** A network with its classifier; settings, shapes and data are the file's. */
  record Case(String name, Safetensors file, JsonNode spec) {
    Architecture architecture() {
      List<Integer> blocks = new ArrayList<>();
      spec.get("blocks").forEach(n -> blocks.add(n.asInt()));
      if (name.startsWith("resnet")) return new ResNet(blocks, name.contains("bottleneck"));
      Integer[] n = blocks.toArray(Integer[]::new);
      return name.startsWith("gemini") ? DfResNet.gemini(n) : DfResNet.original(n);
    }

    ModelSpec model() {
      JsonNode width = spec.has("dims") ? spec.get("dims").get(0) : spec.get("m_channels");
      var pooling = ModelSpec.Pooling.valueOf(spec.get("pooling").asText());
      return ModelSpec.of(
          name,
          "width=" + width.asInt(),
          "bins=" + number("feat_dim"),
          "embeddingSize=" + number("embed_dim"),
          "pooling=" + Key.of(pooling));
    }

    AamSoftmax classifier() {
      boolean easyMargin = spec.get("easy_margin").asBoolean();
      return new AamSoftmax(cpu, number("embed_dim"), number("classes"), number("scale"))
          .easyMargin(easyMargin);
    }

    int number(String setting) {
      return spec.get(setting).asInt();
    }

    double margin() {
      return spec.get("margin").asDouble();
    }

    double learningRate() {
      return spec.get("lr").asDouble();
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static List<Case> cases() throws IOException {
    List<Case> cases = new ArrayList<>();
    for (String name :
        List.of(
            "resnet_basic_1111",
            "resnet_basic_2111",
            "resnet_basic_astp",
            "resnet_bottleneck_1111",
            "gemini_1121",
            "dfresnet_1222_2121")) {
      Safetensors file = Safetensors.read(Path.of("tests/data/models", name + ".safetensors"));
      JsonNode meta = new ObjectMapper().readTree(file.metadata().get("meta"));
      cases.add(new Case(name, file, meta.get("spec")));
    }
    return cases;
  }

  @AutoClose private static final Backend cpu = new Backend(CpuDevice.open(1));

  private static TrainingStep step(Case c) {
    return step(c, DataType.FLOAT32);
  }

  private static TrainingStep step(Case c, DataType activations) {
    TrainingStep step =
        new TrainingStep(
            c.architecture().build(c.model(), cpu).withActivations(activations),
            c.classifier(),
            (b, parameters) ->
                new Sgd(b, parameters, 0.9, 0, 1e-4, true, OptimizerStateFormat.FLOAT32));
    Weights.load(c.file, "param.", step.state(), name -> false);
    return step;
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

  /** Largest difference, as a share of the largest value. */
  private static void close(double[] expected, float[] actual, double tolerance, String what) {
    close(expected, actual, tolerance, largest(expected, 1e-3), what);
  }

  private static void close(
      double[] expected, float[] actual, double tolerance, double scale, String what) {
    assertEquals(expected.length, actual.length, what);
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      difference = Math.max(difference, Math.abs(expected[i] - actual[i]));
    }
    assertTrue(
        difference <= tolerance * scale, what + " differs by " + difference + " at scale " + scale);
  }

  private static double largest(double[] values, double least) {
    for (double v : values) least = Math.max(least, Math.abs(v));
    return least;
  }

  /**
   * The scale of a gradient: its largest value, but of a bias at least a hundredth of its weight's,
   * since it adds up the same numbers. A bias in front of a softmax has rounding noise only.
   */
  private static double scale(Safetensors file, String gradient) {
    String weight = gradient.replace(".bias", ".weight");
    return largest(file.doubles(gradient), Math.max(1e-3, largest(file.doubles(weight), 0) / 100));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void evaluationIsPyTorchs(Case c) {
    Safetensors file = c.file;
    try (TrainingStep step = step(c);
        Tensor x = input(file, "input");
        Tensor out = step.network().forward(x, Mode.EVALUATE)) {
      close(file.doubles("f64.out.eval"), cpu.ops().floats(out), 1e-4, "out.eval");
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void outputsGradientsAndRunningStatisticsArePyTorchs(Case c) {
    Safetensors file = c.file;
    try (TrainingStep step = step(c);
        AamSoftmax classifier = c.classifier()) {
      StateDict state = step.state();
      cpu.ops().upload(file.floats("param.projection.weight"), classifier.weight().value());
      try (Tensor x = input(file, "input");
          Tensor y =
              cpu.allocate(Category.INPUT, "y", DataType.INT32, Shape.of(c.number("batch")))) {
        cpu.ops().upload(labels(file, "labels"), y);
        Tensor out = step.network().forward(x, Mode.TRAIN);
        close(file.doubles("f64.out.train"), cpu.ops().floats(out), 1e-4, "out.train");
        AamSoftmax.Result loss = classifier.forward(out, y, c.margin());
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
        String name = "f64.grad." + p.name();
        float[] gradient = cpu.ops().floats(p.gradient());
        close(file.doubles(name), gradient, 1e-4, scale(file, name), p.name());
        p.dropGradient();
      }
      for (Map.Entry<String, Tensor> b : state.buffers().entrySet()) {
        double[] expected = file.doubles("bn." + b.getKey());
        close(expected, cpu.ops().floats(b.getValue()), 1e-5, b.getKey());
      }
      for (Map.Entry<String, StateDict.Counter> counter : state.counters().entrySet()) {
        assertEquals(
            file.longs("bn." + counter.getKey())[0],
            counter.getValue().get().getAsLong(),
            counter.getKey());
      }
    }
    cpu.ledger().checkOnly();
  }

  /**
   * With activations of bfloat16: errors of gradients, of all together and by quartiles of single
   * parameters, against those of PyTorch's autocast (bf16.json). Autocast rounds the same outputs
   * of convolutions, and weights and the classifier's products as well, which here are float32. A
   * tenth is left for chance, three tenths for a quartile: each is one draw of rounding errors.
   */
  @ParameterizedTest
  @MethodSource("cases")
  void gradientsInBfloat16AreNoFurtherFromFloat64ThanAutocasts(Case c) throws IOException {
    JsonNode autocast =
        new ObjectMapper().readTree(Path.of("tests/data/models/bf16.json").toFile()).get(c.name);
    Assumptions.assumeTrue(autocast != null, "bf16.py does not write " + c.name + " down");
    Safetensors file = c.file;
    double difference = 0;
    double size = 0;
    List<Double> each = new ArrayList<>();
    try (TrainingStep step = step(c, DataType.BFLOAT16);
        AamSoftmax classifier = c.classifier()) {
      cpu.ops().upload(file.floats("param.projection.weight"), classifier.weight().value());
      try (Tensor x = input(file, "input");
          Tensor y =
              cpu.allocate(Category.INPUT, "y", DataType.INT32, Shape.of(c.number("batch")))) {
        cpu.ops().upload(labels(file, "labels"), y);
        Tensor out = step.network().forward(x, Mode.TRAIN);
        classifier.forward(out, y, c.margin());
        out.close();
        step.network().backward(classifier.backward());
      }
      List<Parameter> parameters = new ArrayList<>(step.state().parameters().values());
      parameters.removeIf(p -> p.name().startsWith("projection"));
      parameters.add(classifier.weight());
      for (Parameter p : parameters) {
        double[] exact = file.doubles("f64.grad." + p.name());
        float[] rounded = cpu.ops().floats(p.gradient());
        double d = 0;
        double s = 0;
        for (int i = 0; i < exact.length; i++) {
          d += Math.pow(rounded[i] - exact[i], 2);
          s += exact[i] * exact[i];
        }
        each.add(Math.sqrt(d / s));
        difference += d;
        size += s;
        p.dropGradient();
      }
    }
    each.sort(null);
    double all = Math.sqrt(difference / size);
    double most = 1.1 * autocast.get("all").asDouble();
    assertTrue(all <= most && all > most / 100, c.name + ": " + all + " of autocast's " + most);
    for (int q = 1; q <= 3; q++) {
      double here = each.get(q * (each.size() - 1) / 4);
      double theirs = 1.3 * autocast.get("quartiles").get(q - 1).asDouble();
      assertTrue(here <= theirs, c.name + ", quartile " + q + ": " + here + " of " + theirs);
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void fiveStepsArePyTorchs(Case c) {
    Safetensors file = c.file;
    try (TrainingStep step = step(c)) {
      for (int k = 1; k <= 5; k++) {
        String prefix = k == 1 ? "" : "step" + k + ".";
        TrainingStep.Result result =
            step.run(
                features(file, prefix + "input"),
                labels(file, prefix + "labels"),
                c.margin(),
                c.learningRate());
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
