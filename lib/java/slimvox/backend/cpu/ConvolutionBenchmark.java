package slimvox.backend.cpu;

import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/** Measures how fast the CPU runs the three passes of a convolution. */
public final class ConvolutionBenchmark {
  private static final int WARM_UP_ROUNDS = 2;

  private ConvolutionBenchmark() {}

  /**
   * One measurement: the shortest time of each pass in ms, and 10^9 operations a second, a
   * multiply-add being two.
   */
  public record Result(
      Convolution geometry,
      int threads,
      double forwardMs,
      double backwardDataMs,
      double backwardWeightMs,
      double forwardGigaflops,
      double backwardDataGigaflops,
      double backwardWeightGigaflops) {}

  /**
   * Runs each pass on tensors of zeros again and again.
   *
   * @param threads threads to use; 0 for one per core
   * @param rounds timed runs of each pass, of which the shortest counts
   */
  public static Result run(Convolution geometry, int threads, int rounds) {
    if (rounds < 1) throw new IllegalArgumentException(rounds + " rounds: at least 1 is needed");
    try (Backend backend = new Backend(CpuDevice.open(threads));
        Tensor x = zeros(backend, "x", geometry.inShape().toArray());
        Tensor weight = zeros(backend, "weight", geometry.weightShape().toArray());
        Tensor y = zeros(backend, "y", geometry.outShape().toArray())) {
      double forward = milliseconds(rounds, () -> backend.ops().convolve(geometry, x, weight, y));
      double data =
          milliseconds(rounds, () -> backend.ops().convolveBackwardData(geometry, y, weight, x));
      double gradient =
          milliseconds(
              rounds, () -> backend.ops().convolveBackwardWeight(geometry, x, y, weight, true));
      double megaflops = 2e-6 * geometry.multiplyAdds();
      return new Result(
          geometry,
          threads == 0 ? Runtime.getRuntime().availableProcessors() : threads,
          forward,
          data,
          gradient,
          megaflops / forward,
          megaflops / data,
          megaflops / gradient);
    }
  }

  private static Tensor zeros(Backend backend, String label, int... lengths) {
    Tensor x = backend.allocate(Category.ACTIVATION, label, lengths);
    backend.ops().fill(x, 0);
    return x;
  }

  private static double milliseconds(int rounds, Runnable pass) {
    double shortest = Double.POSITIVE_INFINITY;
    for (int round = -WARM_UP_ROUNDS; round < rounds; round++) {
      long start = System.nanoTime();
      pass.run();
      if (round >= 0) shortest = Math.min(shortest, (System.nanoTime() - start) * 1e-6);
    }
    return shortest;
  }
}
