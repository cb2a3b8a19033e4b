package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

/**
 * Backward of every layer against central differences at odd sizes.
 *
 * <p>With L = sum r y(x) for a random r, the derivative of L in a random direction v is (L(x + h v)
 * - L(x - h v)) / 2h, and must be the gradient times v; for the input and for each parameter.
 */
class GradientTest {
  record Case(String name, int[] input, Function<Backend, Layer> layer) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Case> cases() {
    int[] image = {2, 7, 9, 5};
    List<Case> cases = new ArrayList<>();
    cases.add(new Case("conv 3x3", image, b -> new Conv2d(b, "c", 5, 6, 3, 1)));
    cases.add(new Case("conv 3x3 stride 2", image, b -> new Conv2d(b, "c", 5, 6, 3, 2)));
    cases.add(
        new Case("conv 3x3 stride 2 x 1", image, b -> new Conv2d(b, "c", 5, 6, 3, 2, 1, 1, true)));
    cases.add(new Case("conv 1x1", image, b -> new Conv2d(b, "c", 5, 11, 1, 1)));
    cases.add(new Case("conv 1x1 stride 2", image, b -> new Conv2d(b, "c", 5, 11, 1, 2)));
    cases.add(new Case("depthwise", image, b -> new Conv2d(b, "c", 5, 5, 3, 1, 1, 5, true)));
    cases.add(new Case("batch norm", image, b -> new BatchNorm2d(b, "n", 5, false)));
    cases.add(new Case("batch norm + ReLU", image, b -> new BatchNorm2d(b, "n", 5, true)));
    cases.add(new Case("ReLU", image, b -> new Nonlinearity(b, "r", Nonlinearity.Function.RELU)));
    cases.add(new Case("GELU", image, b -> new Nonlinearity(b, "g", Nonlinearity.Function.GELU)));
    cases.add(new Case("linear", new int[] {3, 13}, b -> new Linear(b, "l", 13, 7, false)));
    cases.add(
        new Case("linear over frames", new int[] {3, 4, 13}, b -> new Linear(b, "l", 13, 7, true)));
    cases.add(new Case("TSTP", image, b -> new StatisticsPooling(b, "p")));
    cases.add(new Case("GSP", image, b -> new GlobalStatisticsPooling(b, "p")));
    cases.add(new Case("PReLU", image, b -> new PReLU(b, "r", 5, false)));
    cases.add(new Case("RPReLU", image, b -> new PReLU(b, "r", 5, true)));
    cases.add(new Case("ASTP", image, b -> new AttentiveStatisticsPooling(b, "p", 35, 4)));
    cases.add(
        new Case(
            "reversible, couplings that end with PReLU",
            image,
            b ->
                new ReversibleSequence(
                    "s",
                    ReversibleSequence.Form.TWINS,
                    List.of(coupling(b)),
                    null,
                    DataType.FLOAT32)));
    cases.add(
        new Case(
            "residual block, identity shortcut",
            image,
            b ->
                new ResidualBlock(
                    new Sequential(
                        new Conv2d(b, "c1", 5, 5, 3, 1),
                        new BatchNorm2d(b, "n1", 5, true),
                        new Conv2d(b, "c2", 5, 5, 3, 1)),
                    new BatchNorm2d(b, "n2", 5, true),
                    null)));
    cases.add(
        new Case(
            "residual block, pre-activation",
            image,
            b ->
                new ResidualBlock(
                    new Branch(
                        List.of(
                            new BatchNorm2d(b, "n1", 5, true), new BatchNorm2d(b, "n2", 8, true)),
                        List.of(new Conv2d(b, "c1", 5, 8, 3, 1), new Conv2d(b, "c2", 8, 5, 3, 1)),
                        null,
                        false,
                        0),
                    null,
                    null)));
    cases.add(
        new Case(
            "residual block, strided shortcut",
            image,
            b ->
                new ResidualBlock(
                    new Sequential(new Conv2d(b, "c1", 5, 8, 3, 2)),
                    new BatchNorm2d(b, "n2", 8, true),
                    new Sequential(
                        new Conv2d(b, "s0", 5, 8, 1, 2), new BatchNorm2d(b, "s1", 8, false)))));
    return cases;
  }

  private static AdditiveCoupling coupling(Backend b) {
    return new AdditiveCoupling(
        new Sequential(new Conv2d(b, "f", 5, 5, 3, 1), new PReLU(b, "pf", 5, false)),
        new Sequential(new Conv2d(b, "g", 5, 5, 3, 1), new PReLU(b, "pg", 5, true)));
  }

  private static final float STEP = 1.5e-4f;

  /** The median over several is taken: a step across the kink of a ReLU spoils a difference. */
  private static final int DIRECTIONS = 7;

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  private final SplittableRandom random = new SplittableRandom(8);

  private float[] normal(int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientsAreCentralDifferences(Case c) {
    try (Layer layer = c.layer.apply(cpu);
        Tensor x = cpu.allocate(Category.INPUT, "x", c.input)) {
      layer.initialize(random);
      StateDict state = StateDict.of(layer);
      for (Parameter p : state.parameters().values()) {
        if (p.value().shape().rank() == 1) { // gamma and beta: neither 1 nor 0
          cpu.ops().upload(normal(Math.toIntExact(p.value().size())), p.value());
        }
      }
      cpu.ops().upload(normal(Math.toIntExact(x.size())), x);
      Tensor y = layer.forward(x, Mode.TRAIN);
      float[] weights = normal(Math.toIntExact(y.size()));
      Tensor dy = cpu.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
      y.close();
      cpu.ops().upload(weights, dy);
      try (Tensor dx = layer.backward(dy)) {
        check(c + ", input", layer, x, x, cpu.ops().floats(dx), weights);
      }
      for (Parameter p : state.parameters().values()) {
        check(c + ", " + p.name(), layer, x, p.value(), cpu.ops().floats(p.gradient()), weights);
        p.dropGradient();
      }
    }
    cpu.ledger().checkOnly();
  }

  private void check(
      String what, Layer layer, Tensor x, Tensor moved, float[] gradient, float[] weights) {
    float[] at = cpu.ops().floats(moved);
    double[] errors = new double[DIRECTIONS];
    for (int k = 0; k < DIRECTIONS; k++) {
      float[] direction = normal(at.length);
      double expected = 0;
      double size = 0;
      for (int i = 0; i < at.length; i++) {
        expected += (double) gradient[i] * direction[i];
        size += Math.pow(gradient[i] * direction[i], 2);
      }
      double difference =
          loss(layer, x, moved, at, direction, STEP, weights)
              - loss(layer, x, moved, at, direction, -STEP, weights);
      cpu.ops().upload(at, moved);
      assertTrue(size > 0 || what.contains("linear2.bias"), what + ": no gradient at all");
      errors[k] = Math.abs(expected - difference / (2 * STEP)) / (Math.sqrt(size) + 1);
    }
    Arrays.sort(errors);
    assertTrue(errors[DIRECTIONS / 2] < 0.02, what + ": errors " + Arrays.toString(errors));
  }

  private double loss(
      Layer layer,
      Tensor x,
      Tensor moved,
      float[] at,
      float[] direction,
      float step,
      float[] weights) {
    float[] values = new float[at.length];
    for (int i = 0; i < at.length; i++) values[i] = at[i] + step * direction[i];
    cpu.ops().upload(values, moved);
    Tensor kept = layer.forward(x, Mode.TRAIN);
    float[] y = cpu.ops().floats(kept);
    // Backward releases what the forward pass kept; its results are not needed.
    Tensor dy = cpu.allocateLike(kept, Category.ACTIVATION_GRADIENT, "dy");
    kept.close();
    cpu.ops().elementwise.fill(dy, 0);
    layer.backward(dy).close();
    double sum = 0;
    for (int i = 0; i < y.length; i++) sum += (double) weights[i] * y[i];
    return sum;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void backwardTwiceAddsUpTheParametersGradients(Case c) {
    try (Layer layer = c.layer.apply(cpu);
        Tensor x = cpu.allocate(Category.INPUT, "x", c.input)) {
      layer.initialize(random);
      cpu.ops().upload(normal(Math.toIntExact(x.size())), x);
      StateDict state = StateDict.of(layer);
      float[][] once = new float[state.parameters().size()][];
      for (int pass = 0; pass < 2; pass++) {
        Tensor y = layer.forward(x, Mode.TRAIN);
        Tensor dy = cpu.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
        y.close();
        cpu.ops().elementwise.fill(dy, 0.5f);
        layer.backward(dy).close();
        int i = 0;
        for (Parameter p : state.parameters().values()) {
          float[] gradient = cpu.ops().floats(p.gradient());
          if (pass == 0) once[i] = gradient;
          for (int j = 0; j < gradient.length; j++) {
            float expected = (pass + 1) * once[i][j];
            assertEquals(expected, gradient[j], 1e-3 + 1e-4 * Math.abs(expected), p.name());
          }
          i++;
        }
      }
      for (Parameter p : state.parameters().values()) p.dropGradient();
    }
    cpu.ledger().checkOnly();
  }
}
