package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.BinaryGradient;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;
import slimvox.settings.Key;
import slimvox.storage.Safetensors;

/** Binary convolutions against PyTorch's answers in tests/data/binary. */
class BinaryConv2dTest {
  private static final Safetensors FILE =
      Safetensors.read(Path.of("tests/data/binary/binary.safetensors"));

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  private static BinaryConv2d layer(
      Backend backend, String conv, BinaryScheme scheme, BinaryGradient gradient) {
    return layer(backend, conv, scheme, gradient, false);
  }

  private static BinaryConv2d layer(
      Backend backend, String conv, BinaryScheme scheme, BinaryGradient gradient, boolean shift) {
    long[] w = FILE.shape(conv + ".weight"); // O x I x kH x kW
    int in = (int) w[1];
    int out = (int) w[0];
    int kernel = (int) w[2];
    var layer =
        new BinaryConv2d(backend, conv, in, out, kernel, stride(conv), scheme, gradient, shift);
    backend.ops().upload(FILE.floats(conv + ".weight"), layer.weight().value());
    return layer;
  }

  private static int stride(String conv) {
    return conv.endsWith("s2") ? 2 : 1;
  }

  /** B x C x H x W as the file has it, to N x H x W x C. */
  private static double[] channelsLast(double[] v, long[] s) {
    double[] out = new double[v.length];
    int at = 0;
    for (int b = 0; b < s[0]; b++) {
      for (int c = 0; c < s[1]; c++) {
        for (int h = 0; h < s[2]; h++) {
          for (int w = 0; w < s[3]; w++) {
            out[(int) (((b * s[2] + h) * s[3] + w) * s[1]) + c] = v[at++];
          }
        }
      }
    }
    return out;
  }

  private Tensor image(String name) {
    long[] s = FILE.shape(name);
    float[] floats = FILE.floats(name);
    double[] v = new double[floats.length];
    for (int i = 0; i < v.length; i++) v[i] = floats[i];
    double[] last = channelsLast(v, s);
    for (int i = 0; i < v.length; i++) floats[i] = (float) last[i];
    Tensor x =
        cpu.allocate(
            Category.ACTIVATION_GRADIENT, name, (int) s[0], (int) s[2], (int) s[3], (int) s[1]);
    cpu.ops().upload(floats, x);
    return x;
  }

  private void assertImage(String name, Tensor actual) {
    double[] expected = channelsLast(FILE.doubles(name), FILE.shape(name));
    assertClose(name, expected, cpu.ops().floats(actual));
  }

  private static void assertClose(String name, double[] expected, float[] actual) {
    assertEquals(expected.length, actual.length, name);
    double largest = 0;
    for (double e : expected) largest = Math.max(largest, Math.abs(e));
    for (int i = 0; i < expected.length; i++) {
      if (!(Math.abs(actual[i] - expected[i]) <= 1e-5 * largest)) {
        fail("%s[%d] is %s, not %s".formatted(name, i, actual[i], expected[i]));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"conv3x3_s1", "conv3x3_s2", "conv1x1_s1"})
  void binaryWeightsGiveTheOutputsAndGradientsOfPyTorch(String conv) {
    String name = "f64.w1a32." + conv;
    for (BinaryGradient gradient : BinaryGradient.values()) {
      try (BinaryConv2d layer = layer(cpu, conv, BinaryScheme.BWN, gradient);
          Tensor x = image(conv + ".input")) {
        try (Tensor y = layer.forward(x, Mode.EVALUATE)) {
          assertImage(name + ".out", y);
        }
        layer.forward(x, Mode.TRAIN).close();
        try (Tensor dx = layer.backward(image(conv + ".grad_out"))) {
          assertImage(name + ".grad.input", dx);
        }
        String dw = name + ".grad.weight." + Key.of(gradient);
        assertClose(dw, FILE.doubles(dw), cpu.ops().floats(layer.weight().gradient()));
      }
      cpu.ledger().checkOnly();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"conv3x3_s1", "conv3x3_s2", "conv1x1_s1"})
  void thePapersVariantTrainsOnRealOutputsWithTheGradientsOfTheBinaryWeights(String conv) {
    String name = "f64.w1a32." + conv;
    long[] w = FILE.shape(conv + ".weight");
    try (BinaryConv2d layer = layer(cpu, conv, BinaryScheme.PAPER, BinaryGradient.XNOR);
        Conv2d real = new Conv2d(cpu, "real", (int) w[1], (int) w[0], (int) w[2], stride(conv));
        Tensor x = image(conv + ".input")) {
      StateDict.of(real)
          .parameters()
          .values()
          .forEach(p -> cpu.ops().upload(FILE.floats(conv + ".weight"), p.value()));
      for (Mode mode : new Mode[] {Mode.EVALUATE, Mode.CALIBRATE}) {
        try (Tensor y = layer.forward(x, mode)) {
          assertImage(name + ".out", y);
        }
      }
      try (Tensor y = layer.forward(x, Mode.TRAIN);
          Tensor expected = real.forward(x, Mode.EVALUATE)) {
        assertArrayEquals(cpu.ops().floats(expected), cpu.ops().floats(y));
      }
      try (Tensor dx = layer.backward(image(conv + ".grad_out"))) {
        assertImage(name + ".grad.input", dx);
      }
      String dw = name + ".grad.weight.xnor";
      assertClose(dw, FILE.doubles(dw), cpu.ops().floats(layer.weight().gradient()));
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @ValueSource(strings = {"conv3x3_s1", "conv3x3_s2", "conv1x1_s1"})
  void signsGiveTheOutputsAndGradientsOfPyTorch(String conv) {
    String name = "f64.w1a1." + conv + ".one";
    try (BinaryConv2d layer = layer(cpu, conv, BinaryScheme.W1A1, BinaryGradient.STE);
        Tensor x = image(conv + ".input")) {
      try (Tensor y = layer.forward(x, Mode.TRAIN)) {
        assertImage(name + ".out", y);
      }
      try (Tensor dx = layer.backward(image(conv + ".grad_out"))) {
        assertImage(name + ".grad.input.approx", dx);
      }
      double[] expected = FILE.doubles(name + ".grad.binary_weight");
      float[] w = FILE.floats(conv + ".weight");
      for (int i = 0; i < w.length; i++) if (Math.abs(w[i]) > 1) expected[i] = 0;
      assertClose(name, expected, cpu.ops().floats(layer.weight().gradient()));
    }
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @ValueSource(strings = {"conv3x3_s1", "conv3x3_s2", "conv1x1_s1"})
  void outputsOfSignsAreTheScaleTimesWholeNumbersToTheBit(String conv) {
    try (BinaryConv2d layer = layer(cpu, conv, BinaryScheme.W1A1, BinaryGradient.STE);
        Tensor x = image(conv + ".input");
        Tensor y = layer.forward(x, Mode.EVALUATE);
        Tensor alpha =
            cpu.allocate(Category.ACTIVATION, "alpha", (int) FILE.shape(conv + ".weight")[0]);
        Tensor binary = cpu.allocateLike(layer.weight().value(), Category.ACTIVATION, "binary")) {
      cpu.ops().binary.binarizeFilters(layer.weight().value(), true, alpha, binary);
      float[] scales = cpu.ops().floats(alpha);
      long[] counts = FILE.longs("w1a1." + conv + ".one.acc");
      double[] expected = new double[counts.length];
      for (int i = 0; i < expected.length; i++) expected[i] = counts[i];
      expected = channelsLast(expected, FILE.shape("w1a1." + conv + ".one.acc"));
      float[] actual = cpu.ops().floats(y);
      for (int i = 0; i < actual.length; i++) {
        assertEquals(scales[i % scales.length] * (float) expected[i], actual[i]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"BWN, FIXED16", "BWN, FIXED8", "W1A1, FIXED16", "W1A1, FIXED8"})
  void aFixedStreamGivesWhatItsValuesGive(BinaryScheme scheme, DataType held) {
    Tensor.Grid grid = new Tensor.Grid(DataType.FLOAT32);
    grid.setStep(0x1p-5f);
    try (BinaryConv2d layer = layer(cpu, "conv3x3_s1", scheme, BinaryGradient.STE);
        Tensor image = image("conv3x3_s1.input");
        Tensor x = cpu.allocate(Category.ACTIVATION, "x", held, grid, image.shape());
        Tensor values = cpu.allocateLike(x, Category.ACTIVATION, "values")) {
      cpu.ops().elementwise.convert(image, x);
      cpu.ops().elementwise.convert(x, values);
      List<float[]> expected = outputAndGradients(layer, values);
      List<float[]> actual = outputAndGradients(layer, x);
      for (int i = 0; i < 3; i++) assertArrayEquals(expected.get(i), actual.get(i));
    }
    cpu.ledger().checkOnly();
  }

  private List<float[]> outputAndGradients(BinaryConv2d layer, Tensor x) {
    try (Tensor y = layer.forward(x, Mode.TRAIN);
        Tensor dx = layer.backward(image("conv3x3_s1.grad_out"))) {
      float[] dweight = cpu.ops().floats(layer.weight().gradient());
      layer.weight().dropGradient();
      return List.of(cpu.ops().floats(y), cpu.ops().floats(dx), dweight);
    }
  }

  @Test
  void groupsAreRefused() {
    Conv2d.Builder settings = Conv2d.builder(cpu, "c", 4, 4).groups(4);
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> settings.binary(BinaryScheme.W1A1, BinaryGradient.STE));
    assertEquals("c: a binary convolution has one group, not 4", e.getMessage());
  }

  @Test
  void theFirstStepTowardsW1A1HasRealWeightsOnSigns() {
    try (BinaryConv2d layer =
            Conv2d.builder(cpu, "c", 3, 2)
                .kernel(1)
                .binary(BinaryScheme.W32A1, BinaryGradient.STE);
        Tensor x = cpu.allocate(Category.INPUT, "x", 1, 1, 2, 3)) {
      cpu.ops().upload(new float[] {0.5f, -2, 3, -0.1f, 0, -0f}, x);
      cpu.ops().upload(new float[] {1, 2, 4, 0.5f, 0.25f, 0.125f}, layer.weight().value());
      try (Tensor y = layer.forward(x, Mode.EVALUATE)) {
        assertArrayEquals(new float[] {3, 0.375f, 5, -0.125f}, cpu.ops().floats(y)); // + - +, - + +
      }
      for (int pass = 1; pass <= 2; pass++) {
        layer.forward(x, Mode.TRAIN).close();
        Tensor dy = cpu.allocate(Category.ACTIVATION_GRADIENT, "dy", 1, 1, 2, 2);
        cpu.ops().upload(new float[] {1, 2, 10, 20}, dy);
        layer.backward(dy).close();
        float[] gradient = {-9, 9, 11, -18, 18, 22};
        for (int i = 0; i < 6; i++) gradient[i] *= pass;
        assertArrayEquals(gradient, cpu.ops().floats(layer.weight().gradient()));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(BinaryScheme.class)
  void recomputingGivesTheSameGradients(BinaryScheme scheme) {
    String conv = "conv3x3_s2";
    float[][] gradients = new float[2][];
    for (int pass = 0; pass < 2; pass++) {
      BinaryConv2d inner = layer(cpu, conv, scheme, BinaryGradient.EXACT);
      try (Layer layer = pass == 0 ? inner : new ActivationCheckpoint(inner);
          Tensor x = image(conv + ".input")) {
        layer.forward(x, Mode.TRAIN).close();
        layer.backward(image(conv + ".grad_out")).close();
        gradients[pass] = cpu.ops().floats(inner.weight().gradient());
      }
    }
    assertArrayEquals(gradients[0], gradients[1]);
    cpu.ledger().checkOnly();
  }

  @ParameterizedTest
  @EnumSource(BinaryScheme.class)
  void gradientsOfTwoPassesAddUp(BinaryScheme scheme) {
    String conv = "conv3x3_s1";
    boolean signs = scheme.binaryActivations();
    try (BinaryConv2d layer = layer(cpu, conv, scheme, BinaryGradient.EXACT, signs);
        Tensor x = image(conv + ".input")) {
      layer.initialize(new SplittableRandom(1));
      Parameter[] learned =
          signs
              ? new Parameter[] {layer.weight(), layer.shift()}
              : new Parameter[] {layer.weight()};
      float[][] once = new float[learned.length][];
      for (int pass = 1; pass <= 2; pass++) {
        layer.forward(x, Mode.TRAIN).close();
        layer.backward(image(conv + ".grad_out")).close();
        for (int p = 0; p < learned.length; p++) {
          float[] gradient = cpu.ops().floats(learned[p].gradient());
          if (pass == 1) once[p] = gradient;
          double[] expected = new double[gradient.length];
          for (int i = 0; i < expected.length; i++) expected[i] = (double) pass * once[p][i];
          assertClose(learned[p].name(), expected, gradient);
        }
      }
    }
    cpu.ledger().checkOnly();
  }

  @Test
  void shiftsMoveTheSignAndLearn() {
    try (BinaryConv2d layer =
            new BinaryConv2d(cpu, "c", 2, 1, 1, 1, BinaryScheme.W1A1, BinaryGradient.STE, true);
        Tensor x = cpu.allocate(Category.INPUT, "x", 1, 1, 2, 2)) {
      layer.initialize(new SplittableRandom(1));
      cpu.ops().upload(new float[] {1, 1}, layer.weight().value());
      cpu.ops().upload(new float[] {0.5f, -0.5f}, layer.shift().value());
      cpu.ops().upload(new float[] {-0.25f, 0.25f, -0.75f, 0.75f}, x);
      try (Tensor y = layer.forward(x, Mode.TRAIN)) {
        assertArrayEquals(new float[] {0, 0}, cpu.ops().floats(y)); // signs +1 -1, -1 +1
      }
      Tensor dy = cpu.allocate(Category.ACTIVATION_GRADIENT, "dy", 1, 1, 2, 1);
      cpu.ops().upload(new float[] {1, 10}, dy);
      try (Tensor dx = layer.backward(dy)) { // each z is 0.25 from 0: slope 1.5
        assertArrayEquals(new float[] {1.5f, 1.5f, 15, 15}, cpu.ops().floats(dx));
      }
      assertArrayEquals(new float[] {16.5f, 16.5f}, cpu.ops().floats(layer.shift().gradient()));
    }
  }

  @Test
  void shiftsWithoutSignsAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new BinaryConv2d(cpu, "c", 2, 1, 1, 1, BinaryScheme.BWN, BinaryGradient.STE, true));
  }
}
