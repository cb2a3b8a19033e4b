package slimvox.verify;

import java.util.ArrayList;
import java.util.List;
import org.apache.commons.math3.linear.ArrayRealVector;
import org.apache.commons.math3.linear.RealVector;

/**
 * Calibration of scores with {@link QualityMeasures}: logistic regression that makes log-likelihood
 * ratios of them.
 *
 * <p>The weights are found as WeSpeaker's script does: all 1/13 and an offset of 0 at first, then
 * steps of L-BFGS (Liu and Nocedal 1989) with PyTorch's settings, of length 0.01 without a search,
 * on {@link Cllr}. After every twenty steps it looks whether Cllr has fallen by {@value
 * #LEAST_GAIN}; so it ends on the way, not at the minimum. With one measure the result is that of
 * the script to 1e-5. With all 13 the steps magnify rounding: the script's own scores change by
 * 0.03 to 0.8 where the same trials come in another order, its Cllr by a thousandth of a bit and
 * more, and so do these.
 *
 * @param weights of the measures, then the offset
 * @param trials list that it was trained with
 */
public record QualityCalibration(double[] weights, Trials trials) {
  private static final double LEAST_GAIN = 1e-4;
  private static final double STEP = 0.01;
  private static final int MOST_ROUNDS = 50;
  private static final int STEPS_OF_A_ROUND = 20;
  private static final int MEMORY = 100;
  private static final double FLAT = 1e-7; // largest slope at a minimum
  private static final double LEAST_CHANGE = 1e-9; // of Cllr and of a weight
  private static final double LEAST_CURVATURE = 1e-10;

  /** Finds the weights for trials whose labels are known. */
  public static QualityCalibration train(QualityMeasures measures) {
    Trials trials = measures.scores().trials();
    return new QualityCalibration(weights(measures.values(), trials), trials);
  }

  /**
   * Log-likelihood ratios (natural logarithm) of trials.
   *
   * @param measures of the same model and cohort as those it was trained with
   */
  public Scores calibrated(QualityMeasures measures) {
    Scores raw = measures.scores();
    double[] ratios = new double[raw.size()];
    for (int i = 0; i < ratios.length; i++) ratios[i] = ratio(measures.values()[i], weights);
    String rule = "calibration with quality measures on " + trials.name() + " of " + raw.scoring();
    return new Scores(rule, raw.trials(), ratios);
  }

  private static double ratio(double[] measures, double[] weights) {
    double sum = weights[measures.length];
    for (int i = 0; i < measures.length; i++) sum += weights[i] * measures[i];
    return sum;
  }

  /** Cllr of weights and its slope. */
  private record Point(double cllr, RealVector slope) {
    static Point at(double[] weights, double[][] measures, Trials trials) {
      double[] slope = new double[weights.length];
      double cllr = 0;
      for (int i = 0; i < measures.length; i++) {
        boolean target = trials.isTarget(i);
        double share = Cllr.bits(1.0 / (target ? trials.targets() : trials.nontargets()));
        double ratio = ratio(measures[i], weights);
        double wrong = target ? -ratio : ratio;
        cllr += share * Cllr.nats(wrong);
        double pull = share / (1 + Math.exp(-wrong)) * (target ? -1 : 1);
        for (int k = 0; k < measures[i].length; k++) slope[k] += pull * measures[i][k];
        slope[weights.length - 1] += pull;
      }
      return new Point(cllr, new ArrayRealVector(slope, false));
    }

    boolean isFlat() {
      return !(slope.getLInfNorm() > FLAT);
    }
  }

  /** A step and how the slope changed over it. */
  private record Change(RealVector step, RealVector slope, double curvature) {}

  private static double[] weights(double[][] measures, Trials trials) {
    int inputs = measures[0].length;
    double[] weights = new double[inputs + 1];
    for (int i = 0; i < inputs; i++) weights[i] = 1f / inputs; // as PyTorch begins
    List<Change> changes = new ArrayList<>();
    RealVector step = null;
    Point before = null;
    double least = Double.POSITIVE_INFINITY;
    for (int round = 0; round < MOST_ROUNDS; round++) {
      Point now = Point.at(weights, measures, trials);
      double atStart = now.cllr;
      for (int i = 1; i <= STEPS_OF_A_ROUND && !now.isFlat(); i++) {
        if (before != null) remember(changes, step, before.slope, now.slope);
        RealVector direction = direction(changes, now.slope);
        if (direction.dotProduct(now.slope) > -LEAST_CHANGE) break;
        double length = before == null ? Math.min(1, 1 / now.slope.getL1Norm()) * STEP : STEP;
        step = direction.mapMultiply(length);
        for (int k = 0; k <= inputs; k++) weights[k] += step.getEntry(k);
        before = now;
        if (i == STEPS_OF_A_ROUND) break;
        now = Point.at(weights, measures, trials);
        if (step.getLInfNorm() <= LEAST_CHANGE || Math.abs(now.cllr - before.cllr) < LEAST_CHANGE)
          break;
      }
      if (least - atStart < LEAST_GAIN) break;
      least = atStart;
    }
    return weights;
  }

  private static void remember(
      List<Change> changes, RealVector step, RealVector from, RealVector to) {
    RealVector slope = to.subtract(from);
    double curvature = slope.dotProduct(step);
    if (curvature <= LEAST_CURVATURE) return;
    if (changes.size() == MEMORY) changes.removeFirst();
    changes.add(new Change(step, slope, curvature));
  }

  /** Minus the slope, times the inverse curvature that the changes tell: the two-loop recursion. */
  private static RealVector direction(List<Change> changes, RealVector slope) {
    RealVector direction = slope.mapMultiply(-1);
    double[] shares = new double[changes.size()];
    for (int i = changes.size() - 1; i >= 0; i--) {
      Change change = changes.get(i);
      shares[i] = change.step.dotProduct(direction) / change.curvature;
      direction.combineToSelf(1, -shares[i], change.slope);
    }
    if (changes.isEmpty()) return direction;
    Change last = changes.getLast();
    direction.mapMultiplyToSelf(last.curvature / last.slope.dotProduct(last.slope));
    for (int i = 0; i < shares.length; i++) {
      Change change = changes.get(i);
      double share = change.slope.dotProduct(direction) / change.curvature;
      direction.combineToSelf(1, shares[i] - share, change.step);
    }
    return direction;
  }
}
