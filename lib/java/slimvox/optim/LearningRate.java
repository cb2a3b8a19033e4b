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
   * A straight rise to the first rate of another schedule, which then begins.
   *
   * <p>{@code rate(i) = from + (then.at(0) - from) * i / iterations} for {@code i < iterations},
   * else {@code then.at(i - iterations)}.
   *
   * @param from the rate of iteration 0, at least 0
   * @param iterations how many iterations the rise takes, 0 for none
   */
  static LearningRate warmup(double from, long iterations, LearningRate then) {
    boolean possible = isRate(from) && iterations >= 0;
    require(possible, "warm-up from %s in %d iterations", from, iterations);
    return i ->
        i >= iterations ? then.at(i - iterations) : from + (then.at(0) - from) * i / iterations;
  }

  /** WeSpeaker's schedule without scaling, whose warm-up, if there is one, starts at zero. */
  static LearningRate exponential(double first, double last, long iterations, long warmup) {
    return exponential(first, last, iterations, warmup, 1, true);
  }

  /**
   * WeSpeaker's schedule: an exponential decrease with a linear warm-up on top.
   *
   * <p>{@code rate(i) = c(i) * first * (last / first)^(i / iterations)}. The factor is {@code c(i)
   * = scale * i / warmup} during a warm-up from zero, so that {@code rate(0) = 0}; during another
   * one it rises from 1 to {@code scale}, if that is more than 1; afterwards it is {@code scale}.
   * The decrease already runs during the warm-up.
   *
   * <p>Source: wespeaker/utils/schedulers.py, class ExponentialDecrease. WeSpeaker sets {@code
   * scale} to devices * batch / 64 and the warm-up to six epochs.
   *
   * @param first the rate the decrease starts from, before scaling, above 0
   * @param last the rate it ends at, before scaling, above 0
   * @param iterations how many iterations the decrease takes, at least 1
   * @param warmup how many iterations the warm-up takes, 0 for none
   * @param scale the factor for a batch that is larger than the usual one, above 0
   * @param fromZero whether the warm-up starts at zero
   * @throws IllegalArgumentException if a number is not as said
   */
  static LearningRate exponential(
      double first, double last, long iterations, long warmup, double scale, boolean fromZero) {
    boolean rates = isRate(first) && first > 0 && isRate(last) && last > 0;
    require(
        rates && isRate(scale) && scale > 0 && iterations >= 1 && warmup >= 0,
        "exponential decrease from %s to %s (scale %s) in %d iterations, %d of them warm-up",
        first,
        last,
        scale,
        iterations,
        warmup);
    return i -> {
      double done = (double) i / warmup;
      double rising = fromZero ? scale * done : scale > 1 ? 1 + (scale - 1) * done : scale;
      double decrease = Math.exp((double) i / iterations * Math.log(last / first));
      return (i >= warmup ? scale : rising) * first * decrease;
    };
  }

  private static boolean isRate(double rate) {
    return rate >= 0 && rate < Double.POSITIVE_INFINITY;
  }

  private static void require(boolean possible, String what, Object... values) {
    if (!possible) throw new IllegalArgumentException(what.formatted(values));
  }
}
