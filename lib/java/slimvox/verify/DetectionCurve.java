package slimvox.verify;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import org.apache.commons.math3.special.Erf;
import slimvox.storage.InputException;

/**
 * Miss rate against false-alarm rate over all thresholds, and the numbers read off it.
 *
 * <p>A threshold rejects the trials below it. With T targets and N nontargets, of which a threshold
 * rejects t and n: {@code P_miss = t / T} and {@code P_fa = 1 - n / N}. Raising the threshold moves
 * the point from (0, 1) to (1, 0).
 *
 * <p><b>Ties.</b> Trials with equal scores cannot be told apart by any threshold, so the curve has
 * one point for all of them and a straight line to it ({@link Ties#MERGED}). The scripts of NIST,
 * Kaldi and WeSpeaker put a point after every single trial ({@link Ties#FILE_ORDER}), in the order
 * of the sorted file. Scores with few decimals have many ties, and results then differ in the third
 * digit. The VoxSRC tables give EER by the one and minDCF by the other definition, so these are the
 * defaults; on the VoxSRC 2021 validation scores they give the published 5.177 % and 0.2919
 * (merged: 0.2928; file order: 5.172 %).
 *
 * <p>Speed and memory: one stable radix sort, 16 bytes a trial while sorting and 8 after it.
 */
public final class DetectionCurve {
  /** What happens to trials with equal scores. */
  public enum Ties {
    /** One point for all trials of a score: scikit-learn, VoxSRC's EER. */
    MERGED,
    /** One point for each trial, in file order: NIST, Kaldi, WeSpeaker, VoxSRC's minDCF. */
    FILE_ORDER
  }

  /**
   * A rate and the threshold that leads to it.
   *
   * @param rate the error rate, 0 to 1
   * @param threshold score from which trials are accepted, interpolated like the rate
   */
  public record EqualErrorRate(double rate, double threshold) {
    /** The rate in percent. */
    public double percent() {
      return 100 * rate;
    }
  }

  /**
   * The least cost over all thresholds.
   *
   * @param value normalised: 1 is no better than not listening
   * @param threshold score of the last rejected trial ({@link Ties#FILE_ORDER}, as in Kaldi's
   *     script) or of the first accepted ones ({@link Ties#MERGED}; infinite if none is)
   */
  public record MinDcf(double value, double threshold) {}

  /**
   * A point of the DET curve.
   *
   * @param falseAlarmRate P_fa
   * @param missRate P_miss
   * @param falseAlarmDeviate probit(P_fa), the x axis
   * @param missDeviate probit(P_miss), the y axis
   */
  public record DetPoint(
      double falseAlarmRate, double missRate, double falseAlarmDeviate, double missDeviate) {
    static DetPoint of(double falseAlarmRate, double missRate) {
      return new DetPoint(falseAlarmRate, missRate, probit(falseAlarmRate), probit(missRate));
    }
  }

  private final ScoreOrder order;
  private final int[] times; // that each trial counts, by place; null: once
  private final long targets;
  private final long nontargets;

  private DetectionCurve(ScoreOrder order, int[] times, long targets, long nontargets) {
    this.order = order;
    this.times = times;
    this.targets = targets;
    this.nontargets = nontargets;
  }

  /**
   * The curve of the same trials, each of which counts so many times.
   *
   * @param times by place in the order of scores, 0 or more; read again later, not copied
   * @return null if those of one kind count nothing
   */
  DetectionCurve counting(int[] times) {
    long[] counts = new long[2];
    for (int place = 0; place < times.length; place++) counts[order.label(place)] += times[place];
    return counts[0] == 0 || counts[1] == 0
        ? null
        : new DetectionCurve(order, times, counts[1], counts[0]);
  }

  private int times(int place) {
    return times == null ? 1 : times[place];
  }

  /** The curve of a scored trial list; without targets or nontargets none is defined: refused. */
  public static DetectionCurve of(Scores scores) {
    Trials trials = scores.trials();
    refuseOneKind(trials.name() + ": ", trials.targets(), trials.nontargets());
    ScoreOrder order = ScoreOrder.of(scores.values(), trials::isTarget);
    return new DetectionCurve(order, null, trials.targets(), trials.nontargets());
  }

  /**
   * The curve of bare numbers.
   *
   * @param scores higher means more likely the same speaker; kept, not copied
   * @param isTarget label by index; called from several threads
   * @throws InputException if a score is NaN, or there are no targets or no nontargets
   */
  public static DetectionCurve of(double[] scores, IntPredicate isTarget) {
    int targets = 0;
    for (int i = 0; i < scores.length; i++) if (isTarget.test(i)) targets++;
    refuseOneKind("", targets, scores.length - targets);
    ScoreOrder order = ScoreOrder.of(scores, isTarget);
    return new DetectionCurve(order, null, targets, scores.length - targets);
  }

  private static void refuseOneKind(String source, int targets, int nontargets) {
    if (targets > 0 && nontargets > 0) return;
    throw InputException.of(
        "%s%d target and %d nontarget trials; EER, minDCF and Cllr need both kinds, check the"
            + " labels",
        source, targets, nontargets);
  }

  /** Number of target trials. */
  public int targets() {
    return Math.toIntExact(targets);
  }

  /** Number of nontarget trials. */
  public int nontargets() {
    return Math.toIntExact(nontargets);
  }

  /** The trials in the order of their scores. */
  ScoreOrder order() {
    return order;
  }

  /** EER in the definition of scikit-learn users and VoxSRC: ties merged, interpolated. */
  public EqualErrorRate equalErrorRate() {
    return equalErrorRate(Ties.MERGED);
  }

  /**
   * The rate at which misses and false alarms are equally frequent.
   *
   * <p>Let k be the first point with P_miss &gt;= P_fa, a step above the last one with P_miss &lt;
   * P_fa. The curve is taken to be straight between the two and meets P_miss = P_fa there:
   *
   * <pre>{@code
   * d(k) = P_miss(k) - P_fa(k)
   * EER  = P_miss(k) + d(k) / (d(k) - d(k-1)) (P_miss(k-1) - P_miss(k))
   * }</pre>
   *
   * <p>VoxSRC's compute_EER.py finds the same point as the root of {@code 1 - x - tpr(x)} on
   * scikit-learn's ROC curve (ties merged); WeSpeaker's and NIST's scripts have the formula above
   * with ties in file order. Other tools do not interpolate: voxceleb_trainer takes the larger of
   * the two rates at the nearest point, SpeechBrain their mean; a few tens of trials then give
   * results whole percents apart.
   */
  public EqualErrorRate equalErrorRate(Ties ties) {
    long misses = 0;
    long falseAlarms = nontargets;
    long missesBefore = 0;
    long falseAlarmsBefore = nontargets;
    int placeBefore = -1;
    for (int place = 0; place < order.size(); place++) {
      if (order.label(place) == 1) misses += times(place);
      else falseAlarms -= times(place);
      if (ties == Ties.MERGED && order.tiedWithNext(place)) continue;
      // P_miss >= P_fa in whole numbers, so that no rounding moves the crossing
      if (misses * nontargets >= falseAlarms * targets) {
        double missBefore = missRate(missesBefore);
        double d = missRate(misses) - falseAlarmRate(falseAlarms);
        double back = d / (d - (missBefore - falseAlarmRate(falseAlarmsBefore)));
        double rate = missRate(misses) + back * (missBefore - missRate(misses));
        return new EqualErrorRate(rate, threshold(place, placeBefore, back));
      }
      missesBefore = misses;
      falseAlarmsBefore = falseAlarms;
      placeBefore = place;
    }
    throw new IllegalStateException("rejecting every trial has P_miss = 1 >= P_fa = 0");
  }

  private double threshold(int place, int placeBefore, double back) {
    // A threshold just above a score rejects it: the first score accepted there is the next one.
    double above = firstAccepted(place);
    double below = firstAccepted(placeBefore);
    if (above == Double.POSITIVE_INFINITY) above = order.score(place);
    double threshold = above + back * (below - above);
    boolean tooFar = !Double.isFinite(threshold); // 1e308 - -1e308
    return tooFar ? (1 - back) * above + back * below : threshold;
  }

  /** Score of the first trial accepted when all up to {@code place} are rejected. */
  private double firstAccepted(int place) {
    return place + 1 < order.size() ? order.score(place + 1) : Double.POSITIVE_INFINITY;
  }

  private double missRate(long misses) {
    return misses / (double) targets;
  }

  private double falseAlarmRate(long falseAlarms) {
    return falseAlarms / (double) nontargets;
  }

  /** minDCF in the definition of Kaldi, WeSpeaker and VoxSRC: ties in file order. */
  public MinDcf minDcf(DetectionCost cost) {
    return minDcf(cost, Ties.FILE_ORDER);
  }

  /**
   * The least normalised detection cost over all thresholds; see {@link DetectionCost} for the
   * formula.
   *
   * <p>With {@link Ties#MERGED} the thresholds that accept or reject everything count too; Kaldi's
   * and WeSpeaker's scripts, which start with the first trial rejected, leave out the first of
   * them. Of equal costs the lowest threshold is returned. SpeechBrain does not normalise.
   */
  public MinDcf minDcf(DetectionCost cost, Ties ties) {
    boolean merged = ties == Ties.MERGED;
    double least = merged ? cost.normalised(0, 1) : Double.POSITIVE_INFINITY;
    int leastPlace = -1;
    long misses = 0;
    long falseAlarms = nontargets;
    for (int place = 0; place < order.size(); place++) {
      if (order.label(place) == 1) misses += times(place);
      else falseAlarms -= times(place);
      if (merged ? order.tiedWithNext(place) : times(place) == 0) continue;
      double value = cost.normalised(missRate(misses), falseAlarmRate(falseAlarms));
      if (value < least) {
        least = value;
        leastPlace = place;
      }
    }
    double threshold = merged ? firstAccepted(leastPlace) : order.score(leastPlace);
    return new MinDcf(least, threshold);
  }

  /**
   * Points of the DET curve (Martin et al. 1997): both rates on normal-deviate axes, on which
   * normal score distributions give straight lines.
   *
   * <p>Ties are merged. Points with a rate of 0 or 1 lie at infinity and are left out, so two
   * perfectly separated kinds give an empty list. Points are thinned to a step of equal length
   * along the drawn curve; EER and minDCF never use them.
   *
   * @param most upper limit of the number of points, 2 or more; 2,000 is more than a screen shows
   * @return points from high to low false-alarm rate
   */
  public List<DetPoint> detPoints(int most) {
    if (most < 2) throw InputException.of("a DET curve of %s points; ask for 2 or more", most);
    int first = -1;
    int last = -1;
    DetPoint start = null;
    int misses = 0;
    int missesAtEnd = 0;
    for (int place = 0; place < order.size(); place++) {
      misses += order.label(place);
      if (order.tiedWithNext(place)) continue;
      int rejected = place + 1 - misses;
      if (misses == 0 || misses == targets || rejected == 0 || rejected == nontargets) continue;
      if (first < 0) {
        first = place;
        start = DetPoint.of(falseAlarmRate(nontargets - rejected), missRate(misses));
      }
      last = place;
      missesAtEnd = misses;
    }
    if (first < 0) return List.of();
    long alarmsAtEnd = nontargets - (last + 1 - missesAtEnd);
    DetPoint end = DetPoint.of(falseAlarmRate(alarmsAtEnd), missRate(missesAtEnd));
    // The curve only goes left and up: its length along the axes is the sum of the two spans.
    double length =
        start.falseAlarmDeviate - end.falseAlarmDeviate + (end.missDeviate - start.missDeviate);
    double step = length / Math.max(1, most - 2);
    List<DetPoint> points = new ArrayList<>();
    double nextMiss = 0;
    double nextFalseAlarm = 1;
    misses = 0;
    for (int place = 0; place <= last; place++) {
      misses += order.label(place);
      if (place < first || order.tiedWithNext(place)) continue;
      double miss = missRate(misses);
      double falseAlarm = falseAlarmRate(nontargets - (place + 1 - misses));
      if (place < last && miss < nextMiss && falseAlarm > nextFalseAlarm) continue;
      DetPoint point = DetPoint.of(falseAlarm, miss);
      points.add(point);
      nextMiss = normal(point.missDeviate + step);
      nextFalseAlarm = normal(point.falseAlarmDeviate - step);
    }
    return points;
  }

  /** The deviate below which a standard normal variable falls with this probability. */
  public static double probit(double probability) {
    return -Math.sqrt(2) * Erf.erfcInv(2 * probability);
  }

  private static double normal(double deviate) {
    return 0.5 * Erf.erfc(-deviate / Math.sqrt(2));
  }
}
