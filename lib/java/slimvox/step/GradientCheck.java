package slimvox.step;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Supplier;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.loss.Classifier;
import slimvox.memory.Category;
import slimvox.nn.Layer;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.StateDict;
import slimvox.nn.Stateful;

/**
 * Backward against central differences, for the input and for each parameter.
 *
 * <p>With L = sum r y(x) for a random r (of a loss: its mean over the batch), the derivative of L
 * in a random direction v is (L(x + h v) - L(x - h v)) / 2h, and must be the gradient times v. The
 * median of seven directions is taken: a step across the kink of a ReLU spoils a difference.
 *
 * @param errors by name, {@code input} for the input: the difference as a share of the size of the
 *     gradient in such directions (where that is below 1, as it is); NaN without any gradient
 */
public record GradientCheck(Map<String, Double> errors) {
  /** Rounding of float32 and the curvature of usual layers stay below it, mistakes do not. */
  private static final double MOST = 0.02;

  private static final float STEP = 1.5e-4f;
  private static final int DIRECTIONS = 7;

  /**
   * Checks a layer, whose parameters are drawn anew.
   *
   * @param shape of the input, for example N, H, W, C; odd lengths find more mistakes
   */
  public static GradientCheck of(Layer layer, Backend backend, int... shape) {
    SplittableRandom random = new SplittableRandom(8);
    try (Tensor x = backend.allocate(Category.INPUT, "x", shape)) {
      prepare(layer, x, random);
      float[] weights;
      try (Tensor y = layer.forward(x, Mode.TRAIN)) {
        weights = normal(random, Math.toIntExact(y.size()));
        backward(layer, y, weights).close();
      }
      forget(layer);
      float[] dx;
      try (Tensor y = layer.forward(x, Mode.TRAIN);
          Tensor gradient = backward(layer, y, weights)) {
        dx = backend.ops().floats(gradient);
      }
      Supplier<Double> loss =
          () -> {
            try (Tensor y = layer.forward(x, Mode.TRAIN)) {
              float[] values = backend.ops().floats(y);
              backward(layer, y, new float[values.length]).close(); // lets go what was kept
              double sum = 0;
              for (int i = 0; i < values.length; i++) sum += (double) weights[i] * values[i];
              return sum;
            }
          };
      return of(layer, x, dx, loss, random);
    }
  }

  private static Tensor backward(Layer layer, Tensor y, float[] values) {
    Tensor dy = y.backend().allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
    y.backend().ops().upload(values, dy);
    Tensor dx = layer.backward(dy);
    if (dx != null) return dx;
    throw new IllegalArgumentException(
        layer.getClass().getSimpleName() + " gives no gradient of its input, which is checked");
  }

  /** Checks a loss, whose parameters are drawn anew, with a margin of 0.2. */
  public static GradientCheck of(Classifier loss, Backend backend, int embeddingSize, int classes) {
    SplittableRandom random = new SplittableRandom(8);
    int[] labels = random.ints(5, 0, classes).toArray();
    try (Tensor x = backend.allocate(Category.INPUT, "x", labels.length, embeddingSize);
        Tensor y =
            backend.allocate(Category.INPUT, "labels", DataType.INT32, Shape.of(labels.length))) {
      backend.ops().upload(labels, y);
      prepare(loss, x, random);
      loss.forward(x, y, 0.2);
      float[] dx;
      try (Tensor gradient = loss.backward()) {
        dx = backend.ops().floats(gradient);
      }
      Supplier<Double> value =
          () -> {
            double mean = loss.forward(x, y, 0.2).loss();
            loss.backward().close();
            return mean;
          };
      return of(loss, x, dx, value, random);
    }
  }

  /** Parameters and input as they are checked: vectors such as gamma are neither 1 nor 0. */
  private static void prepare(Stateful part, Tensor x, SplittableRandom random) {
    part.initialize(random);
    for (Parameter p : StateDict.of(part).parameters().values()) {
      if (p.value().shape().rank() == 1) upload(normal(random, p.value()), p.value());
    }
    upload(normal(random, x), x);
  }

  private static void forget(Stateful part) {
    StateDict.of(part).parameters().values().forEach(Parameter::dropGradient);
  }

  private static GradientCheck of(
      Stateful part, Tensor x, float[] dx, Supplier<Double> loss, SplittableRandom random) {
    Map<Tensor, float[]> gradients = new LinkedHashMap<>();
    Map<Tensor, String> names = new LinkedHashMap<>();
    gradients.put(x, dx);
    names.put(x, "input");
    for (Parameter p : StateDict.of(part).parameters().values()) {
      names.put(p.value(), p.name());
      gradients.put(p.value(), p.hasGradient() ? floats(p.gradient()) : floats(p.value()));
      if (!p.hasGradient()) Arrays.fill(gradients.get(p.value()), 0);
    }
    Map<String, Double> errors = new LinkedHashMap<>();
    gradients.forEach(
        (moved, gradient) -> errors.put(names.get(moved), error(moved, gradient, loss, random)));
    forget(part);
    return new GradientCheck(errors);
  }

  private static double error(
      Tensor moved, float[] gradient, Supplier<Double> loss, SplittableRandom random) {
    float[] at = floats(moved);
    double[] errors = new double[DIRECTIONS];
    for (int k = 0; k < DIRECTIONS; k++) {
      float[] direction = normal(random, moved);
      double expected = 0;
      double size = 0;
      for (int i = 0; i < at.length; i++) {
        expected += (double) gradient[i] * direction[i];
        size += Math.pow(gradient[i] * direction[i], 2);
      }
      Function<Float, Double> along =
          step -> {
            float[] values = new float[at.length];
            for (int i = 0; i < at.length; i++) values[i] = at[i] + step * direction[i];
            upload(values, moved);
            return loss.get();
          };
      double difference = along.apply(STEP) - along.apply(-STEP);
      upload(at, moved);
      if (size == 0) return Double.NaN;
      errors[k] = Math.abs(expected - difference / (2 * STEP)) / (Math.sqrt(size) + 1);
    }
    Arrays.sort(errors);
    return errors[DIRECTIONS / 2];
  }

  private static float[] normal(SplittableRandom random, Tensor like) {
    return normal(random, Math.toIntExact(like.size()));
  }

  private static float[] normal(SplittableRandom random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  private static float[] floats(Tensor x) {
    return x.backend().ops().floats(x);
  }

  private static void upload(float[] values, Tensor x) {
    x.backend().ops().upload(values, x);
  }

  /** Whether all gradients are those of central differences, to rounding. */
  public boolean passes() {
    return errors.values().stream().allMatch(error -> error < MOST);
  }

  /** One line: the largest error, and where. */
  @Override
  public String toString() {
    Map.Entry<String, Double> worst =
        errors.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow();
    return String.format(
        Locale.ROOT,
        "%s: backward and central differences differ by %.2g at most, in %s",
        passes() ? "right" : "wrong",
        worst.getValue(),
        worst.getKey());
  }
}
