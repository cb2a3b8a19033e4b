package slimvox.verify;

import java.util.function.ToDoubleFunction;
import slimvox.storage.InputException;

/**
 * Scores after AS-norm, and what says how far each can be trusted (Thienpondt et al., ICASSP 2021,
 * in WeSpeaker's form).
 *
 * <p>A trial has 13 numbers: its score, and of the duration in seconds (at most {@value
 * #MOST_SECONDS}), the length of the embedding after mean subtraction, and the mean cosine with the
 * nearest of the cohort, of its two utterances each: the smaller, the larger, their difference and
 * their ratio.
 *
 * @param scores normalised
 * @param values of each trial
 */
public record QualityMeasures(Scores scores, double[][] values) {
  /** Longer recordings are as good as this one. */
  public static final int MOST_SECONDS = 20;

  /** Numbers of a trial. */
  public static final int SIZE = 13;

  /**
   * Measures the trials of a list.
   *
   * @param seconds duration of an utterance, by its name in the list
   * @throws InputException as {@link AdaptiveSNorm#score}; if a measure is no number, as the ratio
   *     is where the smaller one is zero
   */
  public static QualityMeasures of(
      AdaptiveSNorm norm, Trials trials, Embeddings embeddings, ToDoubleFunction<String> seconds) {
    AdaptiveSNorm.Nearest nearest = norm.nearest(trials, embeddings);
    int utterances = trials.utterances().size();
    double[] durations = new double[utterances];
    for (int u = 0; u < utterances; u++) {
      durations[u] = Math.min(MOST_SECONDS, seconds.applyAsDouble(trials.utterances().get(u)));
    }
    double[] lengths = norm.lengths(trials, embeddings);
    Scores scores = norm.score(trials, nearest);
    double[][] values = new double[trials.size()][SIZE];
    for (int i = 0; i < values.length; i++) {
      values[i][0] = scores.get(i);
      put(durations, trials, i, values[i], 1);
      put(lengths, trials, i, values[i], 5);
      put(nearest.mean(), trials, i, values[i], 9);
      for (double value : values[i]) {
        if (Double.isFinite(value)) continue;
        throw InputException.of(
            "%s:%d: a quality measure of '%s %s' is %s; take another cohort, or the trial out",
            trials.name(), i + 1, trials.enrol(i), trials.test(i), value);
      }
    }
    return new QualityMeasures(scores, values);
  }

  private static void put(double[] of, Trials trials, int trial, double[] values, int at) {
    double enrol = of[trials.enrolNumber(trial)];
    double test = of[trials.testNumber(trial)];
    values[at] = Math.min(enrol, test);
    values[at + 1] = Math.max(enrol, test);
    values[at + 2] = values[at + 1] - values[at];
    values[at + 3] = values[at + 1] / values[at];
  }
}
