package slimvox.verify;

import org.apache.commons.math3.stat.StatUtils;

/**
 * The results of some runs in one measure, which differ in their seed only.
 *
 * @param values of all trials, one a run
 * @param draws the same under each draw of speakers, by run and draw
 */
record Runs(double[] values, double[][] draws) {
  /** k times each of them. */
  Runs times(double k) {
    return plus(this, 0, k);
  }

  /** Run by run: seeds pair. */
  Runs plus(Runs other) {
    return plus(other, 1, 1);
  }

  /** k other + j this. */
  private Runs plus(Runs other, double k, double j) {
    double[] sums = new double[count()];
    double[][] drawn = new double[count()][SpeakerDraws.DRAWS];
    for (int i = 0; i < count(); i++) {
      sums[i] = k * other.values[i] + j * values[i];
      for (int d = 0; d < SpeakerDraws.DRAWS; d++) {
        drawn[i][d] = k * other.draws[i][d] + j * draws[i][d];
      }
    }
    return new Runs(sums, drawn);
  }

  int count() {
    return values.length;
  }

  double mean() {
    return StatUtils.mean(values);
  }

  /** Variance over seeds of the mean of the runs. */
  double seedVariance() {
    return count() == 1 ? 0 : StatUtils.variance(values) / count();
  }

  /** The mean of the runs under each draw. */
  double[] meanDraws() {
    double[] means = new double[SpeakerDraws.DRAWS];
    for (double[] run : draws) {
      for (int i = 0; i < means.length; i++) means[i] += run[i] / count();
    }
    return means;
  }

  /**
   * What of the variance of {@link #meanDraws} is each run's own, as the runs do not have the same
   * difficult speakers: {@code (mean variance of a run - variance of the mean) / (runs - 1)}.
   */
  double ownVariance() {
    if (count() == 1) return 0;
    double ofRun = 0;
    for (double[] run : draws) ofRun += StatUtils.variance(run) / count();
    return (ofRun - StatUtils.variance(meanDraws())) / (count() - 1);
  }
}
