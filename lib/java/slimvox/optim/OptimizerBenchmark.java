package slimvox.optim;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import slimvox.backend.Backend;
import slimvox.memory.Category;
import slimvox.nn.Parameter;

/** Times an optimizer's step on parameters and gradients of normally distributed numbers. */
public final class OptimizerBenchmark {
  private static final int LARGEST_TENSOR = 2_359_296; // ResNet's largest filters: 512 x 512 x 9

  private OptimizerBenchmark() {}

  /**
   * What was measured.
   *
   * @param parameters how many
   * @param stateBytes of the optimizer
   * @param medianMs a step
   * @param bestMs the fastest step
   */
  public record Result(long parameters, long stateBytes, double medianMs, double bestMs) {
    /** Bytes of state a parameter. */
    public double stateBytesPerParameter() {
      return (double) stateBytes / parameters;
    }

    /** One line. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%.2f ms a step (best %.2f) for %,d parameters; %,d bytes of state, %.4f a parameter",
          medianMs,
          bestMs,
          parameters,
          stateBytes,
          stateBytesPerParameter());
    }
  }

  /**
   * Measures.
   *
   * @param parameters how many, in tensors of up to 2,359,296
   * @param optimizer builds it
   * @param warmUpSeconds how long to step before measuring, for the compiler
   * @param steps how many to measure
   */
  public static Result run(
      Backend backend,
      long parameters,
      BiFunction<Backend, List<Parameter>, Optimizer> optimizer,
      double warmUpSeconds,
      int steps) {
    List<Parameter> tensors = tensors(backend, parameters);
    try (Optimizer o = optimizer.apply(backend, tensors)) {
      long bytes =
          o.state().stream()
              .flatMap(s -> s.tensors().values().stream())
              .filter(t -> t.category() == Category.OPTIMIZER_STATE)
              .mapToLong(t -> t.bytes())
              .sum();
      long end = System.nanoTime() + (long) (warmUpSeconds * 1e9);
      do {
        o.step(1e-4);
      } while (System.nanoTime() < end);
      double[] ms = new double[steps];
      for (int i = 0; i < steps; i++) {
        long start = System.nanoTime();
        o.step(1e-4);
        ms[i] = (System.nanoTime() - start) / 1e6;
      }
      Arrays.sort(ms);
      return new Result(parameters, bytes, ms[steps / 2], ms[0]);
    } finally {
      tensors.forEach(Parameter::close);
    }
  }

  private static List<Parameter> tensors(Backend backend, long parameters) {
    SplittableRandom random = new SplittableRandom(1);
    List<Parameter> tensors = new ArrayList<>();
    for (long left = parameters; left > 0; left -= LARGEST_TENSOR) {
      int size = (int) Math.min(left, LARGEST_TENSOR);
      Parameter p = new Parameter(backend, "tensor" + tensors.size(), size);
      backend.ops().upload(normal(random, size, 0.05), p.value());
      backend.ops().upload(normal(random, size, 0.01), p.gradient());
      tensors.add(p);
    }
    return tensors;
  }

  private static float[] normal(SplittableRandom random, int size, double deviation) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = (float) (deviation * random.nextGaussian());
    return values;
  }
}
