package slimvox.verify;

/**
 * Cost of scores that are read as log-likelihood ratios, in bits a trial, for every prior and cost
 * at once (Br&uuml;mmer and du Preez 2006).
 *
 * <pre>{@code
 * Cllr = 1/2 (mean over targets of log2(1 + e^-s) + mean over nontargets of log2(1 + e^s))
 * }</pre>
 *
 * <p>1 is no better than not listening. The least is that of the best nondecreasing function of the
 * scores (pool adjacent violators): what calibration cannot take away.
 *
 * @param value Cllr of the scores as they are
 * @param least minCllr
 */
public record Cllr(double value, double least) {
  /** Measures scores; a list without targets or nontargets is refused. */
  public static Cllr of(Scores scores) {
    Trials trials = scores.trials();
    return new Cllr(of(scores.values(), trials), least(scores.curve()));
  }

  private static double of(double[] scores, Trials trials) {
    double targets = 0;
    double nontargets = 0;
    for (int i = 0; i < scores.length; i++) {
      if (trials.isTarget(i)) targets += nats(-scores[i]);
      else nontargets += nats(scores[i]);
    }
    return bits(targets / trials.targets() + nontargets / trials.nontargets());
  }

  /** {@code ln(1 + e^x)}. */
  static double nats(double x) {
    return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }

  /** Half of a sum of means, in bits. */
  static double bits(double nats) {
    return 0.5 * nats / Math.log(2);
  }

  /**
   * Groups of trials in the order of their scores, joined until the share of targets rises from
   * each to the next; all trials of a group have its ratio of likelihoods.
   */
  private static double least(DetectionCurve curve) {
    ScoreOrder order = curve.order();
    int[] targets = new int[order.size()];
    int[] sizes = new int[order.size()];
    int groups = 0;
    for (int place = 0; place < order.size(); place++) {
      boolean tied = place > 0 && order.tiedWithNext(place - 1);
      if (!tied) groups++;
      targets[groups - 1] += order.label(place);
      sizes[groups - 1]++;
      if (place + 1 < order.size() && order.tiedWithNext(place)) continue;
      for (; groups > 1 && joins(targets, sizes, groups - 1); groups--) {
        targets[groups - 2] += targets[groups - 1];
        sizes[groups - 2] += sizes[groups - 1];
        targets[groups - 1] = 0;
        sizes[groups - 1] = 0;
      }
    }
    double sum = 0;
    for (int g = 0; g < groups; g++) {
      double t = targets[g] / (double) curve.targets();
      double n = (sizes[g] - targets[g]) / (double) curve.nontargets();
      if (t > 0) sum += t * Math.log1p(n / t);
      if (n > 0) sum += n * Math.log1p(t / n);
    }
    return bits(sum);
  }

  private static boolean joins(int[] targets, int[] sizes, int group) {
    return (long) targets[group] * sizes[group - 1] <= (long) targets[group - 1] * sizes[group];
  }
}
