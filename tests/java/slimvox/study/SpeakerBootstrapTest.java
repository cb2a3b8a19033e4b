package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import slimvox.verify.DetectionCurve;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

class SpeakerBootstrapTest {
  private final Map<String, String> speakers = new HashMap<>();

  /** Every pair of a few utterances of each speaker; speakers differ in how well they do. */
  private Scores scores(int speakerCount, int utterances) {
    Random random = new Random(4);
    Trials.Builder builder = Trials.builder("list");
    double[] values = new double[speakerCount * utterances * speakerCount * utterances];
    double[] offset = random.doubles(speakerCount).toArray();
    int n = 0;
    for (int a = 0; a < speakerCount * utterances; a++) {
      speakers.put("u" + a, "s" + a / utterances);
      for (int b = 0; b < a; b++) {
        boolean target = a / utterances == b / utterances;
        builder.add("u" + a, "u" + b, target);
        values[n++] = random.nextGaussian() + (target ? 1 + 2 * offset[a / utterances] : 0);
      }
    }
    return new Scores("made", builder.build(), Arrays.copyOf(values, n));
  }

  @Test
  void everySpeakerOnceIsTheEerItself() {
    Scores scores = scores(8, 5);
    SpeakerBootstrap bootstrap = new SpeakerBootstrap(scores, speakers);
    int[] once = new int[8];
    Arrays.fill(once, 1);
    assertEquals(scores.curve().equalErrorRate().rate(), bootstrap.equalErrorRate(once), 1e-12);
  }

  @Test
  void weightsCountLikeCopiesOfTrials() {
    Scores scores = scores(4, 4);
    int[] times = {2, 0, 1, 3};
    Trials list = scores.trials();
    double[] copies = new double[list.size() * 9];
    boolean[] labels = new boolean[copies.length];
    int n = 0;
    for (int i = 0; i < list.size(); i++) {
      int e = times[Integer.parseInt(speakers.get(list.enrol(i)).substring(1))];
      int t = times[Integer.parseInt(speakers.get(list.test(i)).substring(1))];
      for (int c = list.isTarget(i) ? e : e * t; c > 0; c--) {
        labels[n] = list.isTarget(i);
        copies[n++] = scores.get(i);
      }
    }
    assertEquals(
        DetectionCurve.of(Arrays.copyOf(copies, n), i -> labels[i]).equalErrorRate().rate(),
        new SpeakerBootstrap(scores, speakers).equalErrorRate(times),
        1e-12);
  }

  @Test
  void intervalHoldsTheEerAndRepeats() {
    SpeakerBootstrap bootstrap = new SpeakerBootstrap(scores(10, 4), speakers);
    SpeakerBootstrap.Interval interval = bootstrap.interval(500, 0.95, 1);
    assertTrue(interval.lowPercent() < interval.eerPercent(), interval.toString());
    assertTrue(interval.eerPercent() < interval.highPercent(), interval.toString());
    assertEquals(10, interval.speakers());
    assertEquals(interval, bootstrap.interval(500, 0.95, 1));
    SpeakerBootstrap.Interval narrow = bootstrap.interval(500, 0.5, 1);
    assertTrue(narrow.lowPercent() > interval.lowPercent());
    assertTrue(narrow.highPercent() < interval.highPercent());
    assertTrue(
        interval
            .toString()
            .matches("EER .* \\(95 % interval .*, 10 speakers resampled 500 times\\)"),
        interval.toString());
  }

  @Test
  void speakersThatDontFitTheListAreRefused() {
    Scores scores = scores(4, 2);
    Map<String, String> missing = new HashMap<>(speakers);
    missing.remove("u3");
    assertEquals(
        "list: utterance 'u3' has no speaker; add it to utt2spk", message(scores, missing));
    Map<String, String> swapped = new HashMap<>(speakers);
    swapped.put("u1", "s1");
    assertEquals(
        "list:1: trial 'u1 u0' is labelled target, but its speakers say otherwise; check utt2spk",
        message(scores, swapped));
    Scores two = scores(2, 2);
    assertEquals(
        "list: 2 speakers; an interval over speakers needs three or more", message(two, speakers));
    SpeakerBootstrap bootstrap = new SpeakerBootstrap(scores, speakers);
    assertRefused("10 bootstrap resamples; take 100 or more", () -> bootstrap.interval(10, 0.9, 0));
    assertRefused(
        "confidence level 95.0 is not between 0 and 1", () -> bootstrap.interval(100, 95, 0));
  }

  private static String message(Scores scores, Map<String, String> speakers) {
    return refused(() -> new SpeakerBootstrap(scores, speakers));
  }
}
