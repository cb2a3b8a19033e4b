package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
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
import slimvox.step.GradientCheck;

/** Backward of every layer against central differences at odd sizes. */
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
                        List.of(new Conv2d(b, "c1", 5, 8, 3, 1), new Conv2d(b, "c2", 8, 5, 3, 1))),
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
    try (Layer layer = c.layer.apply(cpu)) {
      GradientCheck check = GradientCheck.of(layer, cpu, c.input);
      check
          .errors()
          .forEach(
              (name, error) ->
                  assertTrue(error < 0.02 || name.contains("linear2.bias"), c + ", " + check));
    }
    cpu.ledger().checkOnly();
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
