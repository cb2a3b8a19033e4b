package slimvox.optim;

/**
 * A learning rate that depends on the iteration.
 *
 * <p>An iteration is one optimizer step; the first has number 0. Rates are computed in double
 * precision, and an iteration after the last one keeps following the formula.
 */
@FunctionalInterface
public interface LearningRate {
  /** Returns the rate that the optimizer step with this number, counted from 0, uses. */
  double at(long iteration);

  /** The same rate, at least 0, in every iteration. */
  static LearningRate constant(double rate) {
    require(isRate(rate), "learning rate %s", rate);
    return _ -> rate;
  }

  /**
   * Half a cosine wave from one rate, above 0, down to another, at least 0.
   *
   * <p>{@code rate(i) = last + (first - last) / 2 * (1 + cos(pi * i / iterations))}, and {@code
   * last} from {@code iterations} on. With a {@link #warmup} in front this is 3D-Speaker's
   * WarmupCosineScheduler.
   *
   * @param iterations how many iterations the fall takes, at least 1
   * @throws IllegalArgumentException if a number is not as said
   */
  static LearningRate cosine(double first, double last, long iterations) {
    boolean possible = isRate(first) && first > 0 && isRate(last) && iterations >= 1;
    require(possible, "cosine from %s to %s in %d iterations", first, last, iterations);
    return i ->
        i >= iterations
            ? last
            : last + (first - last) / 2 * (1 + Math.cos(Math.PI * i / iterations));
  }

  /**
   * A straight rise from zero, over {@code iterations} (0 for none), to the first rate of another
   * schedule, which then begins.
   */
  static LearningRate warmup(long iterations, LearningRate then) {
    require(iterations >= 0, "warm-up in %d iterations", iterations);
    return i -> i >= iterations ? then.at(i - iterations) : then.at(0) * i / iterations;
  }

  /**
   * WeSpeaker's schedule: an exponential decrease with a linear warm-up from zero on top.
   *
   * <p>{@code rate(i) = c(i) * first * (last / first)^(i / iterations)}, {@code c(i) = i / warmup}
   * during the warm-up and 1 afterwards. The decrease already runs during the warm-up.
   *
   * <p>Source: wespeaker/utils/schedulers.py, class ExponentialDecrease, whose rates are to be
   * multiplied by devices * batch / 64 here, and whose warm-up is six epochs.
   *
   * @param first the rate the decrease starts from, above 0
   * @param last the rate it ends at, above 0
   * @param iterations how many iterations the decrease takes, at least 1
   * @param warmup how many iterations the warm-up takes, 0 for none
   * @throws IllegalArgumentException if a number is not as said
   */
  static LearningRate exponential(double first, double last, long iterations, long warmup) {
    boolean rates = isRate(first) && first > 0 && isRate(last) && last > 0;
    require(
        rates && iterations >= 1 && warmup >= 0,
        "exponential decrease from %s to %s in %d iterations, %d of them warm-up",
        first,
        last,
        iterations,
        warmup);
    return i -> {
      double risen = i >= warmup ? 1 : (double) i / warmup;
      return risen * first * Math.exp((double) i / iterations * Math.log(last / first));
    };
  }

  private static boolean isRate(double rate) {
    return rate >= 0 && rate < Double.POSITIVE_INFINITY;
  }

  private static void require(boolean possible, String what, Object... values) {
    if (!possible) throw new IllegalArgumentException(what.formatted(values));
  }
}
