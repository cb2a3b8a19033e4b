package slimvox.verify;

import java.util.ArrayList;
import java.util.List;

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
  private record Point(double cllr, double[] slope) {
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
      return new Point(cllr, slope);
    }

    boolean isFlat() {
      for (double value : slope) if (Math.abs(value) > FLAT) return false;
      return true;
    }
  }

  /** A step and how the slope changed over it. */
  private record Change(double[] step, double[] slope, double curvature) {}

  private static double[] weights(double[][] measures, Trials trials) {
    int inputs = measures[0].length;
    double[] weights = new double[inputs + 1];
    for (int i = 0; i < inputs; i++) weights[i] = 1f / inputs; // as PyTorch begins
    List<Change> changes = new ArrayList<>();
    double[] step = null;
    Point before = null;
    double least = Double.POSITIVE_INFINITY;
    for (int round = 0; round < MOST_ROUNDS; round++) {
      Point now = Point.at(weights, measures, trials);
      double atStart = now.cllr;
      for (int i = 1; i <= STEPS_OF_A_ROUND && !now.isFlat(); i++) {
        if (before != null) remember(changes, step, before.slope, now.slope);
        double[] direction = direction(changes, now.slope);
        if (dot(direction, now.slope) > -LEAST_CHANGE) break;
        double length = before == null ? Math.min(1, 1 / sumOfSizes(now.slope)) * STEP : STEP;
        step = scaled(direction, length);
        add(weights, step, 1);
        before = now;
        if (i == STEPS_OF_A_ROUND) break;
        now = Point.at(weights, measures, trials);
        if (largest(step) <= LEAST_CHANGE || Math.abs(now.cllr - before.cllr) < LEAST_CHANGE) break;
      }
      if (least - atStart < LEAST_GAIN) break;
      least = atStart;
    }
    return weights;
  }

  private static void remember(List<Change> changes, double[] step, double[] from, double[] to) {
    double[] slope = to.clone();
    add(slope, from, -1);
    double curvature = dot(slope, step);
    if (curvature <= LEAST_CURVATURE) return;
    if (changes.size() == MEMORY) changes.removeFirst();
    changes.add(new Change(step, slope, curvature));
  }

  /** Minus the slope, times the inverse curvature that the changes tell: the two-loop recursion. */
  private static double[] direction(List<Change> changes, double[] slope) {
    double[] direction = scaled(slope, -1);
    double[] shares = new double[changes.size()];
    for (int i = changes.size() - 1; i >= 0; i--) {
      Change change = changes.get(i);
      shares[i] = dot(change.step, direction) / change.curvature;
      add(direction, change.slope, -shares[i]);
    }
    if (changes.isEmpty()) return direction;
    Change last = changes.getLast();
    direction = scaled(direction, last.curvature / dot(last.slope, last.slope));
    for (int i = 0; i < shares.length; i++) {
      Change change = changes.get(i);
      double share = dot(change.slope, direction) / change.curvature;
      add(direction, change.step, shares[i] - share);
    }
    return direction;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  private static double[] scaled(double[] a, double by) {
    double[] scaled = a.clone();
    for (int i = 0; i < a.length; i++) scaled[i] *= by;
    return scaled;
  }

  private static void add(double[] to, double[] a, double times) {
    for (int i = 0; i < to.length; i++) to[i] += times * a[i];
  }

  private static double largest(double[] a) {
    double largest = 0;
    for (double value : a) largest = Math.max(largest, Math.abs(value));
    return largest;
  }

  private static double sumOfSizes(double[] a) {
    double sum = 0;
    for (double value : a) sum += Math.abs(value);
    return sum;
  }
}
