package slimvox.optim;

/**
 * The same rate in every iteration.
 *
 * @param rate at least 0
 */
public record ConstantRate(double rate) implements LearningRate {
  public ConstantRate {
    if (!(rate >= 0 && rate < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("learning rate " + rate);
    }
  }

  @Override
  public double at(long iteration) {
    return rate;
  }
}
