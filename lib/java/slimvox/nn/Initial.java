package slimvox.nn;

import java.util.random.RandomGenerator;
import slimvox.backend.Shape;

/** Distributions of initial parameters. */
public final class Initial {
  private Initial() {}

  /**
   * Uniform in &plusmn;1 / sqrt(fanIn): what PyTorch's Conv2d and Linear draw (Kaiming uniform with
   * a = sqrt 5; biases alike).
   */
  public static void uniform(Parameter parameter, long fanIn, RandomGenerator random) {
    fill(parameter, 1 / Math.sqrt(fanIn), random);
  }

  /** Uniform in &plusmn;sqrt(6 / (rows + columns)): Xavier's, for a matrix rows x columns. */
  public static void xavier(Parameter parameter, RandomGenerator random) {
    long rows = parameter.value().shape().get(0);
    fill(parameter, Math.sqrt(6.0 / (rows + parameter.value().size() / rows)), random);
  }

  private static void fill(Parameter parameter, double bound, RandomGenerator random) {
    float[] values = new float[Shape.axis(parameter.value().size())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) ((2 * random.nextDouble() - 1) * bound);
    }
    parameter.value().backend().ops().upload(values, parameter.value());
  }
}
