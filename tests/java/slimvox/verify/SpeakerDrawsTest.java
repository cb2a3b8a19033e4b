package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static slimvox.Refusals.assertRefused;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SpeakerDrawsTest {
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
        double score = random.nextGaussian() + (target ? 1 + 2 * offset[a / utterances] : 0);
        values[n++] = Math.round(20 * score) / 20.0; // with ties
      }
    }
    return new Scores("made", builder.build(), Arrays.copyOf(values, n));
  }

  @Test
  void aDrawCountsTrialsSeveralTimes() {
    Scores scores = scores(8, 5);
    Trials list = scores.trials();
    SpeakerDraws draws = SpeakerDraws.of(speakers::get, list);
    Replicates rates = draws.errorRates(scores);
    assertEquals(8, rates.speakers());
    Verification all = Verification.of(scores);
    assertEquals(all.eerPercent(), rates.eerPercent());
    assertEquals(all.minDcf(), rates.minDcf());
    for (int draw = 0; draw < SpeakerDraws.DRAWS; draw += 20) {
      int[] times = draws.times(draw);
      double[] copies = new double[list.size() * 64];
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
      DetectionCurve curve = DetectionCurve.of(Arrays.copyOf(copies, n), i -> labels[i]);
      double eer = curve.equalErrorRate().percent();
      assertEquals(eer, rates.values(Measure.EER)[draw], 0.005000001, "draw " + draw);
      double cost = curve.minDcf(DetectionCost.VOXSRC).value();
      assertEquals(cost, rates.values(Measure.MIN_DCF)[draw], 0.000050001, "draw " + draw);
    }
  }

  @Test
  void drawsDependOnTheSpeakersOnly() {
    Scores scores = scores(8, 5);
    Replicates rates = SpeakerDraws.of(speakers::get, scores.trials()).errorRates(scores);
    Map<String, String> more = new HashMap<>(speakers);
    more.put("another", "s9");
    assertEquals(rates, SpeakerDraws.of(more::get, scores.trials()).errorRates(scores));
    Trials other = Trials.builder("other").add("u39", "u0", false).add("u0", "u1", true).build();
    SpeakerDraws wider = SpeakerDraws.of(speakers::get, other, scores.trials());
    assertEquals(rates, wider.errorRates(scores));
    Trials fewer = scores(7, 5).trials();
    assertNotEquals(
        rates.draws(), SpeakerDraws.of(speakers::get, fewer).errorRates(scores(7, 5)).draws());
    for (int draw = 0; draw < SpeakerDraws.DRAWS; draw++) {
      assertEquals(8, Arrays.stream(wider.times(draw)).sum());
    }
  }

  @Test
  void speakersThatDontFitTheListAreRefused() {
    Scores scores = scores(4, 2);
    Trials list = scores.trials();
    Map<String, String> missing = new HashMap<>(speakers);
    missing.remove("u3");
    assertRefused(
        "list: utterance 'u3' has no speaker; add it to utt2spk",
        () -> SpeakerDraws.of(missing::get, list));
    Map<String, String> swapped = new HashMap<>(speakers);
    swapped.put("u1", "s1");
    assertRefused(
        "list:1: trial 'u1 u0' is labelled target, but its speakers say otherwise; check utt2spk",
        () -> SpeakerDraws.of(swapped::get, list).errorRates(scores));
    Scores one = scores(1, 4);
    assertRefused(
        "list: 1 speaker(s); an interval over speakers needs three or more",
        () -> SpeakerDraws.of(speakers::get, one.trials()));
    SpeakerDraws ofOthers = SpeakerDraws.of(speakers::get, scores(3, 2).trials());
    assertRefused(
        "list: the draws were made for other lists, without 'u6'; make them for this one too",
        () -> ofOthers.errorRates(scores(4, 2)));
  }

  @Test
  void aListWithTooFewTargetSpeakersIsRefused() {
    Trials.Builder builder = Trials.builder("few").add("a1", "a2", true);
    String[] others = {"b", "c", "d"};
    for (String other : others) builder.add("a1", other, false);
    Map<String, String> of = Map.of("a1", "a", "a2", "a", "b", "b", "c", "c", "d", "d");
    Trials few = builder.build();
    assertRefused(
        "few: draw 5 of its 4 speakers has no trials of one kind; take a list where more speakers"
            + " have targets and more pairs of speakers nontargets",
        () -> SpeakerDraws.of(of::get, few).errorRates(new Scores("made", few, new double[4])));
  }
}
