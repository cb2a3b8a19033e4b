package slimvox.verify;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import slimvox.storage.InputException;
import slimvox.storage.Sha256;

/**
 * The bootstrap over speakers: which speakers each draw takes, and the error rates under a draw.
 *
 * <p>Trials of one speaker rise and fall together, so the number of test speakers limits what an
 * EER tells, not the number of trials. A draw takes as many speakers as there are, with replacement
 * (Efron 1979; the speaker being the unit as in Poh and Bengio 2007). A speaker drawn w times
 * counts w times in each of its target trials, and a nontarget trial between speakers drawn v and w
 * times counts v w times.
 *
 * <p>The draws depend on the names of the speakers and on nothing else. So two systems are compared
 * under the same draws though they were scored on different days, a summary of a run can hold its
 * error rates under each draw instead of its scores ({@link Replicates}), and lists of the same
 * speakers share their draws. Numbers are {@link java.util.Random}'s with seed 1, whose algorithm
 * its Javadoc fixes: draw after draw, {@code nextInt(speakers)} for each place, speakers in the
 * order of their names. A draw of one speaker alone has no nontarget trials and is left out.
 */
public final class SpeakerDraws {
  /**
   * Number of draws. The deviation over 200 draws is off by 5 % (its own relative standard error, 1
   * / sqrt(2 x 200)); with 150 speakers the choice of speakers alone moves it by 6 %.
   */
  public static final int DRAWS = 200;

  private static final long SEED = 1;

  private final Map<String, Integer> speakerOf; // number by utterance
  private final int[][] times; // by draw and speaker
  private final String id;

  private SpeakerDraws(Map<String, Integer> speakerOf, List<String> speakers) {
    this.speakerOf = speakerOf;
    int n = speakers.size();
    times = new int[DRAWS][n];
    Random random = new Random(SEED);
    for (int[] draw : times) {
      do {
        Arrays.fill(draw, 0);
        for (int place = 0; place < n; place++) draw[random.nextInt(n)]++;
      } while (Arrays.stream(draw).max().orElseThrow() == n);
    }
    String rule = "random " + SEED + ", " + DRAWS + " draws\n";
    id = Sha256.of(Stream.concat(Stream.of(rule), speakers.stream().map(s -> s + "\n")));
  }

  /**
   * The draws of the speakers of these lists, together.
   *
   * @param speakerOf the speaker of an utterance, null where it has none
   * @throws InputException if an utterance has no speaker or there are fewer than three speakers
   */
  public static SpeakerDraws of(Function<String, String> speakerOf, Trials... lists) {
    Map<String, String> used = new HashMap<>();
    for (Trials list : lists) {
      for (String utterance : list.utterances()) {
        String speaker = speakerOf.apply(utterance);
        if (speaker == null) {
          throw InputException.at(
              list.name(), "utterance '%s' has no speaker; add it to utt2spk", utterance);
        }
        used.put(utterance, speaker);
      }
    }
    List<String> speakers = List.copyOf(new TreeSet<>(used.values()));
    if (speakers.size() < 3) {
      throw InputException.at(
          String.join(", ", Stream.of(lists).map(Trials::name).toList()),
          "%d speaker(s); an interval over speakers needs three or more",
          speakers.size());
    }
    Map<String, Integer> numbers = new HashMap<>();
    for (String speaker : speakers) numbers.put(speaker, numbers.size());
    Map<String, Integer> numberOf = new HashMap<>();
    used.forEach((utterance, speaker) -> numberOf.put(utterance, numbers.get(speaker)));
    return new SpeakerDraws(numberOf, speakers);
  }

  /** Number of speakers drawn from. */
  public int speakers() {
    return times[0].length;
  }

  /** Hash of the speakers and the rule by which they are drawn, see {@link Replicates#draws}. */
  public String id() {
    return id;
  }

  /** How often each speaker is drawn, in the order of their names. */
  int[] times(int draw) {
    return times[draw];
  }

  /**
   * EER and minDCF of scores, of all trials and under each draw, in the definitions of {@link
   * Verification}: EER with ties merged, minDCF with p_target 0.05 and ties in file order.
   *
   * @throws InputException if a trial has an utterance that the draws were not made for, a label
   *     contradicts the speakers, or a draw has no trials of one kind
   */
  public Replicates errorRates(Scores scores) {
    Trials trials = scores.trials();
    DetectionCurve curve = scores.curve();
    ScoreOrder order = curve.order();
    int[] speakers = speakers(trials);
    int[] first = new int[order.size()]; // speakers by place in the order of scores
    int[] second = new int[order.size()]; // -1: the first one's, a target
    for (int place = 0; place < first.length; place++) {
      int trial = order.trial(place);
      first[place] = speakers[trials.enrolNumber(trial)];
      second[place] = order.label(place) == 1 ? -1 : speakers[trials.testNumber(trial)];
    }
    double[] eers = new double[DRAWS];
    double[] costs = new double[DRAWS];
    int[] weights = new int[order.size()];
    for (int draw = 0; draw < DRAWS; draw++) {
      weigh(times[draw], first, second, weights);
      DetectionCurve drawn = curve.counting(weights);
      if (drawn == null) {
        throw InputException.at(
            trials.name(),
            "draw %d of its %d speakers has no trials of one kind; take a list where more speakers"
                + " have targets and more pairs of speakers nontargets",
            draw + 1,
            speakers());
      }
      eers[draw] = drawn.equalErrorRate().rate();
      costs[draw] = drawn.minDcf(DetectionCost.VOXSRC).value();
    }
    return Replicates.of(
        trials.sha256(),
        id,
        withTargets(trials, speakers),
        curve.equalErrorRate().percent(),
        curve.minDcf(DetectionCost.VOXSRC).value(),
        eers,
        costs);
  }

  /** The speakers of the list's utterances. */
  private int[] speakers(Trials trials) {
    int[] speakers = new int[trials.utterances().size()];
    for (int u = 0; u < speakers.length; u++) {
      String utterance = trials.utterances().get(u);
      Integer speaker = speakerOf.get(utterance);
      if (speaker == null) {
        throw InputException.at(
            trials.name(),
            "the draws were made for other lists, without '%s'; make them for this one too",
            utterance);
      }
      speakers[u] = speaker;
    }
    for (int i = 0; i < trials.size(); i++) {
      boolean same = speakers[trials.enrolNumber(i)] == speakers[trials.testNumber(i)];
      if (same == trials.isTarget(i)) continue;
      throw InputException.at(
          trials.name(),
          i + 1,
          "trial '%s %s' is labelled %s, but its speakers say otherwise; check utt2spk",
          trials.enrol(i),
          trials.test(i),
          same ? "nontarget" : "target");
    }
    return speakers;
  }

  private static int withTargets(Trials trials, int[] speakers) {
    return (int)
        IntStream.range(0, trials.size())
            .filter(trials::isTarget)
            .map(i -> speakers[trials.enrolNumber(i)])
            .distinct()
            .count();
  }

  private static void weigh(int[] times, int[] first, int[] second, int[] weights) {
    for (int i = 0; i < weights.length; i++) {
      weights[i] = second[i] < 0 ? times[first[i]] : times[first[i]] * times[second[i]];
    }
  }
}
