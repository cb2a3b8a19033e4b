package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.storage.Safetensors;

/**
 * Couplings, space to depth and reversible sequences: known answers, memory, running statistics.
 */
class ReversibleTest {
  private static final Safetensors KNOWN =
      Safetensors.read(Path.of("tests/data/nn/reversible.safetensors"));

  @AutoClose private static final Backend cpu = new Backend(CpuDevice.open(1));

  /** F or G of the reference, named as there. */
  private static Layer branch(Backend b, String kind, String name, int c) {
    return switch (kind) {
      case "basic" ->
          new Sequential(
              new Conv2d(b, name + ".conv1", c, c, 3, 1),
              new BatchNorm2d(b, name + ".bn1", c, true),
              new Conv2d(b, name + ".conv2", c, c, 3, 1),
              new BatchNorm2d(b, name + ".bn2", c, false));
      case "preact" ->
          new Sequential(
              new BatchNorm2d(b, name + ".bn1", c, true),
              new Conv2d(b, name + ".conv1", c, c, 3, 1),
              new BatchNorm2d(b, name + ".bn2", c, true),
              new Conv2d(b, name + ".conv2", c, c, 3, 1));
      default -> {
        int inner = kind.equals("inverted") ? 4 * c : Math.max(1, c / 2);
        int groups = kind.equals("inverted") ? inner : 1;
        yield new Sequential(
            new Conv2d(b, name + ".conv1", c, inner, 1, 1),
            new BatchNorm2d(b, name + ".bn1", inner, true),
            new Conv2d(b, name + ".conv2", inner, inner, 3, 1, 1, groups, true),
            new BatchNorm2d(b, name + ".bn2", inner, true),
            new Conv2d(b, name + ".conv3", inner, c, 1, 1),
            new BatchNorm2d(b, name + ".bn3", c, false));
      }
    };
  }

  private static AdditiveCoupling coupling(Backend b, String kind, String prefix, int c) {
    return new AdditiveCoupling(branch(b, kind, prefix + "F", c), branch(b, kind, prefix + "G", c));
  }

  /** B x C x H x W of the files to N x H x W x C. */
  private static float[] channelsLast(double[] values, long[] shape) {
    float[] out = new float[values.length];
    int c = (int) shape[1];
    int pixels = (int) (shape[2] * shape[3]);
    for (int n = 0; n < shape[0]; n++) {
      for (int k = 0; k < c; k++) {
        for (int p = 0; p < pixels; p++) {
          out[(n * pixels + p) * c + k] = (float) values[(n * c + k) * pixels + p];
        }
      }
    }
    return out;
  }

  private static Tensor load(Safetensors file, String name, Category category) {
    long[] s = file.shape(name);
    Tensor x = cpu.allocate(category, name, (int) s[0], (int) s[2], (int) s[3], (int) s[1]);
    cpu.ops().upload(channelsLast(file.doubles(name), s), x);
    return x;
  }

  private static void near(float[] expected, Tensor actual, double tolerance, String what) {
    float[] values = cpu.ops().floats(actual);
    assertEquals(expected.length, values.length, what);
    double largest = 0.1; // smaller gradients are differences of larger numbers
    double difference = 0;
    for (int i = 0; i < values.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(expected[i] - values[i]));
    }
    assertTrue(
        difference <= tolerance * largest, what + " is off by " + difference + " of " + largest);
  }

  private static float[] floats(double[] values) {
    float[] out = new float[values.length];
    for (int i = 0; i < out.length; i++) out[i] = (float) values[i];
    return out;
  }

  @ParameterizedTest
  @ValueSource(strings = {"basic", "preact", "inverted", "bottleneck", "chain3"})
  void outputsGradientsAndRunningStatisticsAreThoseOfOrdinaryAutograd(String name) {
    List<Reversible> stages = new ArrayList<>();
    int half = (int) KNOWN.shape(name + ".input")[1] / 2;
    if (name.equals("chain3")) {
      for (int i = 0; i < 3; i++) stages.add(coupling(cpu, "basic", i + ".", half));
    } else {
      stages.add(coupling(cpu, name, "", half));
    }
    try (Layer sequence = new ReversibleSequence("rev", stages)) {
      StateDict state = StateDict.of(sequence);
      for (Parameter p : state.parameters().values()) {
        cpu.ops().upload(KNOWN.floats(name + ".param." + p.name()), p.value());
      }
      for (Map.Entry<String, Tensor> b : state.buffers().entrySet()) {
        cpu.ops().upload(KNOWN.floats(name + ".param." + b.getKey()), b.getValue());
      }
      try (Tensor x = load(KNOWN, name + ".input", Category.INPUT);
          Tensor y = sequence.forward(x, Mode.TRAIN)) {
        long[] shape = KNOWN.shape(name + ".input");
        near(channelsLast(KNOWN.doubles("f64." + name + ".out"), shape), y, 1e-5, "output");
        Tensor dy = load(KNOWN, name + ".grad_out", Category.ACTIVATION_GRADIENT);
        try (Tensor dx = sequence.backward(dy)) {
          double[] expected = KNOWN.doubles("f64." + name + ".grad.input");
          near(channelsLast(expected, shape), dx, 1e-4, "input gradient");
        }
      }
      for (Parameter p : state.parameters().values()) {
        double[] expected = KNOWN.doubles("f64." + name + ".grad." + p.name());
        near(floats(expected), p.gradient(), 1e-4, p.name());
        p.dropGradient();
      }
      for (Map.Entry<String, Tensor> b : state.buffers().entrySet()) {
        double[] expected = KNOWN.doubles("f64." + name + ".after." + b.getKey());
        near(floats(expected), b.getValue(), 1e-5, b.getKey());
      }
      for (var c : state.counters().entrySet()) {
        assertEquals(KNOWN.longs(name + ".after." + c.getKey())[0], c.getValue().get().getAsLong());
      }
    }
    cpu.ledger().checkOnly();
  }

  @Test
  void spaceToDepthHasTheOrderOfIRevNetAndIsUndoneExactly() {
    Safetensors file = Safetensors.read(Path.of("tests/data/nn/space_to_depth.safetensors"));
    try (SpaceToDepth layer = new SpaceToDepth(cpu, "down", 2);
        Tensor x = load(file, "input", Category.ACTIVATION)) {
      Tensor y = layer.forward(x, Mode.TRAIN);
      assertArrayEquals(
          channelsLast(file.doubles("offset_major.out"), file.shape("offset_major.out")),
          cpu.ops().floats(y));
      try (Tensor back = layer.backward(y)) {
        assertArrayEquals(cpu.ops().floats(x), cpu.ops().floats(back));
      }
    }
    cpu.ledger().checkOnly();
  }

  /** Two frames side by side are one pixel of twice the channels: then frequencies are squeezed. */
  @Test
  void oneAxisAfterTheOtherIsBothAtOnce() {
    Safetensors file = Safetensors.read(Path.of("tests/data/nn/space_to_depth.safetensors"));
    try (SpaceToDepth layer = new SpaceToDepth(cpu, "down", 1);
        Tensor x = load(file, "input", Category.ACTIVATION)) {
      int[] s = x.shape().toArray();
      try (Tensor frames = x.view(s[0], s[1], s[2] / 2, 2 * s[3])) {
        Tensor y = layer.forward(frames, Mode.TRAIN);
        assertEquals(List.of(s[0], s[1] / 2, s[2] / 2, 4 * s[3]), boxed(y.shape().toArray()));
        assertArrayEquals(
            channelsLast(file.doubles("offset_major.out"), file.shape("offset_major.out")),
            cpu.ops().floats(y));
        try (Tensor back = layer.backward(y)) {
          assertArrayEquals(cpu.ops().floats(x), cpu.ops().floats(back));
        }
      }
    }
    cpu.ledger().checkOnly();
  }

  private static ReversibleSequence fullyReversible(Backend b, int couplings) {
    List<Reversible> stages = new ArrayList<>();
    for (int i = 0; i < couplings; i++) stages.add(coupling(b, "preact", "a" + i + ".", 3));
    stages.add(new SpaceToDepth(b, "down", 2));
    for (int i = 0; i < couplings; i++) stages.add(coupling(b, "preact", "b" + i + ".", 12));
    stages.add(new SpaceToDepth(b, "flat", 1));
    return new ReversibleSequence("rev", stages);
  }

  @Test
  void backwardRebuildsTheInputThroughSpaceToDepth() {
    try (ReversibleSequence sequence = fullyReversible(cpu, 2);
        Tensor x = cpu.allocate(Category.INPUT, "x", 2, 4, 6, 6)) {
      SplittableRandom random = new SplittableRandom(5);
      sequence.initialize(random);
      float[] values = new float[(int) x.size()];
      for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
      cpu.ops().upload(values, x);
      Tensor y = sequence.forward(x, Mode.TRAIN);
      assertEquals(List.of(2, 1, 3, 48), boxed(y.shape().toArray()));
      Tensor dy = cpu.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
      y.close();
      cpu.ops().elementwise.fill(dy, 1);
      Tensor dx = sequence.backward(dy);
      // Central difference along a random direction, where the loss is the sum of the output.
      float[] gradient = cpu.ops().floats(dx);
      dx.close();
      float[] direction = new float[values.length];
      double expected = 0;
      for (int i = 0; i < direction.length; i++) {
        direction[i] = (float) random.nextGaussian();
        expected += (double) gradient[i] * direction[i];
      }
      double step = 1e-3;
      double slope =
          (sum(sequence, x, values, direction, step) - sum(sequence, x, values, direction, -step))
              / (2 * step);
      assertEquals(expected, slope, 0.02 * Math.abs(expected) + 0.3);
      for (Parameter p : StateDict.of(sequence).parameters().values()) p.dropGradient();
    }
    cpu.ledger().checkOnly();
  }

  private static double sum(Layer layer, Tensor x, float[] values, float[] direction, double step) {
    float[] moved = values.clone();
    for (int i = 0; i < moved.length; i++) moved[i] += (float) (step * direction[i]);
    cpu.ops().upload(moved, x);
    Tensor y = layer.forward(x, Mode.TRAIN);
    double sum = 0;
    for (float v : cpu.ops().floats(y)) sum += v;
    Tensor dy = cpu.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
    y.close();
    cpu.ops().elementwise.fill(dy, 0);
    layer.backward(dy).close();
    return sum;
  }

  private static List<Integer> boxed(int[] values) {
    return java.util.Arrays.stream(values).boxed().toList();
  }

  @Test
  void activationsDoNotGrowWithDepthAndStatisticsByEightBytesAChannel() {
    long[] kept = new long[2];
    long[] statistics = new long[2];
    int[] couplings = {2, 10};
    for (int i = 0; i < 2; i++) {
      try (Backend dry = new Backend(new DryDevice());
          ReversibleSequence sequence = fullyReversible(dry, couplings[i]);
          Tensor x = dry.allocate(Category.INPUT, "x", 2, 4, 6, 6);
          Tensor y = sequence.forward(x, Mode.TRAIN)) {
        kept[i] = dry.ledger().bytes(Category.ACTIVATION) - y.bytes();
        statistics[i] = dry.ledger().bytes(Category.STATISTIC);
        Tensor dy = dry.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
        sequence.backward(dy).close();
        for (Parameter p : StateDict.of(sequence).parameters().values()) p.dropGradient();
      }
    }
    // Each coupling has F and G with two batch normalizations each, on 3 or on 12 channels.
    assertEquals(kept[0], kept[1]);
    assertEquals(8 * (3 + 12) * 4 * (couplings[1] - couplings[0]), statistics[1] - statistics[0]);
  }

  @Test
  void aCheckpointedBlockGivesTheBitsOfAStoredOneAndMovesStatisticsOnce() {
    List<List<float[]>> results = new ArrayList<>();
    long[] kept = new long[2];
    for (int i = 0; i < 2; i++) {
      Layer block = branch(cpu, "inverted", "F", 6);
      try (Layer layer = i == 0 ? block : new ActivationCheckpoint(block);
          Tensor x = cpu.allocate(Category.INPUT, "x", 2, 5, 7, 6)) {
        SplittableRandom random = new SplittableRandom(9);
        layer.initialize(random);
        float[] values = new float[(int) x.size()];
        for (int j = 0; j < values.length; j++) values[j] = (float) random.nextGaussian();
        cpu.ops().upload(values, x);
        List<float[]> result = new ArrayList<>();
        Tensor y = layer.forward(x, Mode.TRAIN);
        kept[i] =
            cpu.ledger().bytes(Category.ACTIVATION)
                + cpu.ledger().bytes(Category.STATISTIC)
                - y.bytes();
        result.add(cpu.ops().floats(y));
        y.close();
        Tensor dy = cpu.allocateLike(x, Category.ACTIVATION_GRADIENT, "dy");
        cpu.ops().upload(values, dy);
        try (Tensor dx = layer.backward(dy)) {
          result.add(cpu.ops().floats(dx));
        }
        StateDict state = StateDict.of(layer);
        for (Parameter p : state.parameters().values()) {
          result.add(cpu.ops().floats(p.gradient()));
          p.dropGradient();
        }
        for (Tensor b : state.buffers().values()) result.add(cpu.ops().floats(b));
        for (var c : state.counters().values()) assertEquals(1, c.get().getAsLong());
        results.add(result);
      }
    }
    for (int i = 0; i < results.get(0).size(); i++) {
      assertArrayEquals(results.get(0).get(i), results.get(1).get(i), "result " + i);
    }
    assertEquals(8 * (24 + 24 + 6), kept[1]); // mean and inverse deviation of three normalizations
    assertTrue(kept[0] > 10 * kept[1], kept[0] + " bytes kept without a checkpoint");
    cpu.ledger().checkOnly();
  }

  @Test
  void oddChannelsAndOddSizesAreRefusedByName() {
    try (ReversibleSequence sequence = fullyReversible(cpu, 1);
        Tensor odd = cpu.allocate(Category.INPUT, "x", 2, 4, 6, 5)) {
      var e = assertThrows(IllegalArgumentException.class, () -> sequence.forward(odd, Mode.TRAIN));
      assertEquals("rev: 5 channels cannot be cut into two streams", e.getMessage());
    }
    try (SpaceToDepth layer = new SpaceToDepth(cpu, "down", 2);
        Tensor odd = cpu.allocate(Category.INPUT, "x", 2, 4, 5, 6)) {
      var e = assertThrows(IllegalArgumentException.class, () -> layer.forward(odd, Mode.TRAIN));
      assertEquals(
          "space to depth needs even numbers of frequency rows and frames, not [2, 4, 5, 6]",
          e.getMessage());
    }
    cpu.ledger().checkOnly();
  }
}
