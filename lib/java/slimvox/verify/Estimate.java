package slimvox.verify;

import org.apache.commons.math3.distribution.TDistribution;
import org.apache.commons.math3.stat.StatUtils;

/**
 * A value with its error, which is that of Student's t.
 *
 * @param value the estimate
 * @param standardError its standard deviation
 * @param degreesOfFreedom how well that is known; few seeds make intervals wider
 */
public record Estimate(double value, double standardError, double degreesOfFreedom) {
  /** {@code plus - k minus}, with the variance that {@link Comparison} explains. */
  static Estimate contrast(Variant plus, double k, Variant minus, Measure measure) {
    double[] draws = plus.meanDraws(measure);
    double[] others = minus.meanDraws(measure);
    for (int i = 0; i < draws.length; i++) draws[i] -= k * others[i];
    double value = plus.mean(measure) - k * minus.mean(measure);
    double speakers = StatUtils.variance(draws);
    int freedom = plus.runs().getFirst().speakers() - 1;
    if (!(plus.overSeeds() && minus.overSeeds())) {
      return new Estimate(value, Math.sqrt(speakers), freedom);
    }
    double seedsPlus = plus.seedVariance(measure);
    double seedsMinus = k * k * minus.seedVariance(measure);
    double own = plus.ownVariance(measure) + k * k * minus.ownVariance(measure);
    speakers = Math.max(0, speakers - own); // each run's own is in the variance over seeds
    double variance = seedsPlus + seedsMinus + speakers;
    double squares =
        seedsPlus * seedsPlus / Math.max(1, plus.runs().size() - 1)
            + seedsMinus * seedsMinus / Math.max(1, minus.runs().size() - 1)
            + speakers * speakers / freedom;
    double degrees = variance > 0 ? variance * variance / squares : freedom;
    return new Estimate(value, Math.sqrt(variance), degrees);
  }

  /** The lower limit of the two-sided interval of a level, for example 0.95. */
  public double low(double level) {
    return value - halfWidth(level);
  }

  /** The upper limit. */
  public double high(double level) {
    return value + halfWidth(level);
  }

  private double halfWidth(double level) {
    return standardError * t().inverseCumulativeProbability((1 + level) / 2);
  }

  /** Probability of a value as low as this or lower if the true one were 0: one-sided. */
  double pBelow() {
    if (standardError == 0) return value < 0 ? 0 : 1;
    return t().cumulativeProbability(value / standardError);
  }

  /** Probability of a value as high as this or higher if the true one were 0: one-sided. */
  double pAbove() {
    return new Estimate(-value, standardError, degreesOfFreedom).pBelow();
  }

  private TDistribution t() {
    return new TDistribution(degreesOfFreedom);
  }
}
