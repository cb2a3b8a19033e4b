package slimvox.optim;

/**
 * WeSpeaker's schedule: an exponential decrease with a linear warm-up on top.
 *
 * <p>{@code rate(i) = c(i) * first * (last / first)^(i / iterations)}. The factor is {@code c(i) =
 * scale * i / warmup} during a warm-up from zero, so that {@code rate(0) = 0}; during another one
 * it rises from 1 to {@code scale}, if that is more than 1; afterwards it is {@code scale}. The
 * decrease already runs during the warm-up.
 *
 * <p>Source: wespeaker/utils/schedulers.py, class ExponentialDecrease. WeSpeaker sets {@code scale}
 * to devices * batch / 64 and the warm-up to six epochs.
 *
 * @param first the rate the decrease starts from, before scaling, above 0
 * @param last the rate it ends at, before scaling, above 0
 * @param iterations how many iterations the run has, at least 1
 * @param warmup how many iterations the warm-up takes, 0 for none
 * @param scale the factor for a batch that is larger than the usual one, above 0
 * @param fromZero whether the warm-up starts at zero
 */
public record ExponentialDecrease(
    double first, double last, long iterations, long warmup, double scale, boolean fromZero)
    implements LearningRate {
  public ExponentialDecrease {
    if (!(first > 0 && first < Double.POSITIVE_INFINITY)
        || !(last > 0 && last < Double.POSITIVE_INFINITY)
        || !(scale > 0 && scale < Double.POSITIVE_INFINITY)
        || iterations < 1
        || warmup < 0) {
      throw new IllegalArgumentException(
          "exponential decrease from %s to %s (scale %s) in %d iterations, %d of them warm-up"
              .formatted(first, last, scale, iterations, warmup));
    }
  }

  /** A schedule without scaling whose warm-up, if there is one, starts at zero. */
  public ExponentialDecrease(double first, double last, long iterations, long warmup) {
    this(first, last, iterations, warmup, 1, true);
  }

  @Override
  public double at(long iteration) {
    double decrease = Math.exp((double) iteration / iterations * Math.log(last / first));
    return factor(iteration) * first * decrease;
  }

  private double factor(long iteration) {
    if (iteration >= warmup) return scale;
    double done = (double) iteration / warmup;
    if (fromZero) return scale * done;
    return scale > 1 ? 1 + (scale - 1) * done : scale;
  }
}
