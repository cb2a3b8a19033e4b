package slimvox.study;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import slimvox.storage.InputException;
import slimvox.storage.UtteranceNames;
import slimvox.verify.DetectionCurve;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

/**
 * How far an EER may be trusted: a confidence interval by resampling speakers.
 *
 * <p>Trials of one speaker rise and fall together, so the number of test speakers limits what an
 * EER tells, not the number of trials; resampling trials gives intervals that are far too narrow.
 * Here as many speakers as there are get drawn with replacement (Efron's percentile bootstrap, the
 * speaker being the unit as in Poh and Bengio 2007). A speaker drawn w times counts w times in each
 * of its target trials, and a nontarget trial between speakers drawn v and w times counts v w
 * times. The EER is that of {@link DetectionCurve#equalErrorRate()} with these weights. Training is
 * not resampled: the spread between training seeds comes on top.
 */
public final class SpeakerBootstrap {
  private static final int MOST_REDRAWS = 1000;

  private final Scores scores;
  private final int[] order; // trials by score, upwards
  private final int[] enrolSpeaker;
  private final int[] testSpeaker;
  private final int speakers;
  private final double eer;

  /**
   * An interval.
   *
   * @param eerPercent the EER of all trials
   * @param lowPercent its lower limit
   * @param highPercent its upper limit
   * @param level share of resamples between the limits
   * @param speakers number of speakers drawn from
   * @param resamples number of draws
   */
  public record Interval(
      double eerPercent,
      double lowPercent,
      double highPercent,
      double level,
      int speakers,
      int resamples) {
    /** One line. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "EER %.2f %% (%.0f %% interval %.2f to %.2f %%, %d speakers resampled %d times)",
          eerPercent,
          100 * level,
          lowPercent,
          highPercent,
          speakers,
          resamples);
    }
  }

  /**
   * Prepares the trials.
   *
   * @param speakerOf speaker by utterance
   * @throws InputException if an utterance has no speaker, a label contradicts the speakers, there
   *     are fewer than three speakers, or trials of one kind only
   */
  public SpeakerBootstrap(Scores scores, Map<String, String> speakerOf) {
    Trials trials = scores.trials();
    this.scores = scores;
    eer = scores.curve().equalErrorRate().rate();
    order =
        IntStream.range(0, trials.size())
            .boxed()
            .sorted(Comparator.comparingDouble(scores::get))
            .mapToInt(trial -> trial)
            .toArray();
    int[] speakerByUtterance = new int[trials.utterances().size()];
    UtteranceNames known = new UtteranceNames(speakerOf.keySet());
    Map<String, Integer> numbers = new HashMap<>();
    for (int u = 0; u < speakerByUtterance.length; u++) {
      String utterance = trials.utterances().get(u);
      String id = known.find(trials.name(), utterance);
      String speaker = id == null ? null : speakerOf.get(id);
      if (speaker == null) {
        throw new InputException(
            "%s: utterance '%s' has no speaker; add it to utt2spk"
                .formatted(trials.name(), utterance));
      }
      speakerByUtterance[u] = numbers.computeIfAbsent(speaker, _ -> numbers.size());
    }
    speakers = numbers.size();
    if (speakers < 3) {
      throw new InputException(
          "%s: %d speakers; an interval over speakers needs three or more"
              .formatted(trials.name(), speakers));
    }
    enrolSpeaker = new int[trials.size()];
    testSpeaker = new int[trials.size()];
    for (int i = 0; i < trials.size(); i++) {
      enrolSpeaker[i] = speakerByUtterance[trials.enrolNumber(i)];
      testSpeaker[i] = speakerByUtterance[trials.testNumber(i)];
      if (enrolSpeaker[i] == testSpeaker[i] != trials.isTarget(i)) {
        throw new InputException(
            "%s:%d: trial '%s %s' is labelled %s, but its speakers say otherwise; check utt2spk"
                .formatted(
                    trials.name(),
                    i + 1,
                    trials.enrol(i),
                    trials.test(i),
                    trials.isTarget(i) ? "target" : "nontarget"));
      }
    }
  }

  /**
   * Draws and returns the interval; the same seed gives the same one, whatever the thread count.
   *
   * @param resamples number of draws, 100 or more; 1,000 is usual
   * @param level for example 0.95
   * @throws InputException if a setting is out of range, or next to no draw has both kinds of
   *     trials
   */
  public Interval interval(int resamples, double level, long seed) {
    if (resamples < 100) {
      throw new InputException(resamples + " bootstrap resamples; take 100 or more");
    }
    if (!(level > 0 && level < 1)) {
      throw new InputException("confidence level " + level + " is not between 0 and 1");
    }
    double[] rates =
        IntStream.range(0, resamples)
            .parallel()
            .mapToDouble(r -> resample(new SplittableRandom(seed * 1_000_003L + r)))
            .toArray();
    Arrays.sort(rates);
    return new Interval(
        100 * eer,
        100 * quantile(rates, (1 - level) / 2),
        100 * quantile(rates, (1 + level) / 2),
        level,
        speakers,
        resamples);
  }

  private static double quantile(double[] sorted, double q) {
    double place = q * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }

  private double resample(SplittableRandom random) {
    for (int draw = 0; draw < MOST_REDRAWS; draw++) {
      int[] times = new int[speakers];
      for (int s = 0; s < speakers; s++) times[random.nextInt(speakers)]++;
      double rate = equalErrorRate(times);
      // A draw of speakers without trials of one kind has no EER and is drawn again.
      if (!Double.isNaN(rate)) return rate;
    }
    throw new InputException(
        "no draw of speakers has both targets and nontargets; the trial list is too small");
  }

  /** EER, ties merged, with weighted trials; NaN without targets or nontargets. */
  double equalErrorRate(int[] times) {
    Trials trials = scores.trials();
    long targets = 0;
    long nontargets = 0;
    for (int trial : order) {
      if (trials.isTarget(trial)) targets += weight(trial, times);
      else nontargets += weight(trial, times);
    }
    if (targets == 0 || nontargets == 0) return Double.NaN;
    long misses = 0;
    long rejected = 0; // nontargets
    double missBefore = 0;
    double differenceBefore = -1;
    for (int place = 0; place < order.length; place++) {
      int trial = order[place];
      if (trials.isTarget(trial)) misses += weight(trial, times);
      else rejected += weight(trial, times);
      boolean last = place == order.length - 1;
      if (!last && scores.get(trial) == scores.get(order[place + 1])) continue; // a tie
      double miss = misses / (double) targets;
      double difference = miss - (nontargets - rejected) / (double) nontargets;
      if (difference >= 0) {
        double back = difference / (difference - differenceBefore);
        return miss + back * (missBefore - miss);
      }
      missBefore = miss;
      differenceBefore = difference;
    }
    throw new IllegalStateException("rejecting every trial has P_miss = 1 >= P_fa = 0");
  }

  private int weight(int trial, int[] times) {
    int enrol = times[enrolSpeaker[trial]];
    return scores.trials().isTarget(trial) ? enrol : enrol * times[testSpeaker[trial]];
  }
}
