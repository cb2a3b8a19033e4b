package slimvox.verify;

import java.util.List;
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
  /**
   * The sum of the means of groups of runs, with the variance that {@link Comparison} explains.
   *
   * @param speakers that have targets
   * @param overSeeds false: of these very networks, over speakers only
   */
  static Estimate sum(int speakers, boolean overSeeds, List<Runs> groups) {
    double value = 0;
    double variance = 0;
    double squares = 0;
    double own = 0;
    double[] draws = new double[SpeakerDraws.DRAWS];
    for (Runs group : groups) {
      value += group.mean();
      double[] means = group.meanDraws();
      for (int i = 0; i < draws.length; i++) draws[i] += means[i];
      double ofSeeds = group.seedVariance();
      variance += ofSeeds;
      squares += ofSeeds * ofSeeds / Math.max(1, group.count() - 1);
      own += group.ownVariance();
    }
    int freedom = Math.max(1, speakers - 1);
    // A draw from n speakers varies as their sample does, whose variance is too small by 1 / n.
    double correction = (freedom + 1.0) / freedom;
    double ofDraws = StatUtils.variance(draws);
    if (!overSeeds) return new Estimate(value, Math.sqrt(ofDraws * correction), freedom);
    // each run's own is in the variance over seeds
    double ofSpeakers = Math.max(0, ofDraws - own) * correction;
    variance += ofSpeakers;
    squares += ofSpeakers * ofSpeakers / freedom;
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
