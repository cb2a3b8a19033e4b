package slimvox.optim;

/**
 * Half a cosine wave from one rate down to another.
 *
 * <p>{@code rate(i) = last + (first - last) / 2 * (1 + cos(pi * i / iterations))}, and {@code last}
 * from {@code iterations} on. With a {@link LinearWarmup} in front this is 3D-Speaker's
 * WarmupCosineScheduler.
 *
 * @param first the rate of iteration 0, above 0
 * @param last the rate at the end, at least 0
 * @param iterations how many iterations the decrease takes, at least 1
 */
public record CosineDecrease(double first, double last, long iterations) implements LearningRate {
  public CosineDecrease {
    if (!(first > 0 && first < Double.POSITIVE_INFINITY)
        || !(last >= 0 && last < Double.POSITIVE_INFINITY)
        || iterations < 1) {
      throw new IllegalArgumentException(
          "cosine from " + first + " to " + last + " in " + iterations + " iterations");
    }
  }

  @Override
  public double at(long iteration) {
    if (iteration >= iterations) return last;
    return last + (first - last) / 2 * (1 + Math.cos(Math.PI * iteration / iterations));
  }
}
