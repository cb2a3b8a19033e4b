package slimvox.optim;

/**
 * A straight rise to the first rate of another schedule, which then begins.
 *
 * <p>{@code rate(i) = from + (then.at(0) - from) * i / iterations} for {@code i < iterations}, else
 * {@code then.at(i - iterations)}.
 *
 * @param from the rate of iteration 0, at least 0
 * @param iterations how many iterations the rise takes, 0 for none
 * @param then what follows, with its own iterations counted from 0
 */
public record LinearWarmup(double from, long iterations, LearningRate then)
    implements LearningRate {
  public LinearWarmup {
    if (!(from >= 0 && from < Double.POSITIVE_INFINITY) || iterations < 0) {
      throw new IllegalArgumentException(
          "warm-up from " + from + " in " + iterations + " iterations");
    }
  }

  @Override
  public double at(long iteration) {
    if (iteration >= iterations) return then.at(iteration - iterations);
    return from + (then.at(0) - from) * iteration / iterations;
  }
}
