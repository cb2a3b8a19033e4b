package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * How often the intervals of {@link Comparison} hold the truth, and how often its verdicts are
 * wrong, in experiments whose truth is known.
 *
 * <p>Scores are normal, so EERs follow from means and deviations: that of speakers and seeds
 * without end is {@code Phi(-d / (sigma_target + sigma_nontarget))}, the variance of the seeds'
 * separations included. The variances are such that EERs lie and vary about as in runs on words of
 * 0.8 s: 10 %, deviation 0.8 points over seeds and 0.8 over speakers; which speakers are difficult
 * differs from variant to variant and from run to run. {@code -Dslimvox.coverage=2000} runs as many
 * experiments; what that gave is in the Javadoc of {@link Comparison}.
 */
class CoverageTest {
  private static final int SPEAKERS = 150;
  private static final double EER = 0.1;
  private static final double SEED = 0.07; // deviation of a run's separation
  private static final double SPEAKER = 0.6; // of a speaker's target scores
  private static final double VARIANT = 0.2; // the same for all runs of a variant, its own
  private static final double OWN = 0.25; // of a speaker's target scores, each run its own
  private static final double IMPOSTOR = 0.15; // of a speaker's nontarget scores
  private static final double NOISE = 0.75; // of a score
  private static final double SIGMA_TARGET =
      Math.hypot(Math.hypot(SPEAKER, VARIANT), Math.hypot(OWN, NOISE));
  private static final double SIGMA_NONTARGET = Math.hypot(Math.sqrt(2) * IMPOSTOR, NOISE);
  private static final double BOTH = SIGMA_TARGET + SIGMA_NONTARGET;

  private final Map<String, String> speakerOf = new HashMap<>();
  private final Trials trials = trials();
  private final SpeakerDraws draws = SpeakerDraws.of(speakerOf::get, trials);

  /** Each speaker's utterances among themselves, and each pair of speakers once. */
  private Trials trials() {
    Trials.Builder list = Trials.builder("made");
    for (int a = 0; a < SPEAKERS; a++) {
      for (int u = 0; u < 4; u++) speakerOf.put(a + "-" + u, String.format("s%03d", a));
      for (int u = 0; u < 4; u++) {
        for (int v = 0; v < u; v++) list.add(a + "-" + u, a + "-" + v, true);
      }
      for (int b = 0; b < a; b++) list.add(a + "-" + b % 4, b + "-" + a % 4, false);
    }
    return list.build();
  }

  /** The mean separation that leads to this EER in the mean over speakers and seeds. */
  private static double separation(double eer) {
    return -DetectionCurve.probit(eer) * Math.hypot(BOTH, SEED);
  }

  /** One experiment: the speakers, and the noise that all runs share. */
  private final class Experiment {
    private final SplittableRandom random;
    private final double[] target = new double[SPEAKERS];
    private final double[] impostor = new double[SPEAKERS];
    private final double[] shared = new double[trials.size()];

    Experiment(long seed) {
      random = new SplittableRandom(seed);
      fill(random, target, SPEAKER);
      fill(random, impostor, IMPOSTOR);
      fill(random, shared, NOISE * Math.sqrt(0.8));
    }

    Variant variant(String name, double eer, int runs) {
      List<Replicates> results = new ArrayList<>();
      double[] hard = new double[SPEAKERS];
      fill(random, hard, VARIANT);
      for (int run = 0; run < runs; run++) {
        double separation = separation(eer) + SEED * random.nextGaussian();
        double[] own = new double[SPEAKERS];
        fill(random, own, OWN);
        double[] scores = new double[trials.size()];
        for (int i = 0; i < scores.length; i++) {
          int a = speaker(trials.enrol(i));
          int b = speaker(trials.test(i));
          double mean =
              a == b ? separation + target[a] + hard[a] + own[a] : impostor[a] + impostor[b];
          scores[i] = mean + shared[i] + NOISE * Math.sqrt(0.2) * random.nextGaussian();
        }
        results.add(draws.errorRates(new Scores("made", trials, scores)));
      }
      return Variant.trained(name, results);
    }
  }

  private static int speaker(String utterance) {
    return Integer.parseInt(utterance.substring(0, utterance.indexOf('-')));
  }

  private static void fill(RandomGenerator random, double[] values, double deviation) {
    for (int i = 0; i < values.length; i++) values[i] = deviation * random.nextGaussian();
  }

  /** How many of the experiments end so. */
  private static final class Count {
    private final double variantEer;
    private int held;
    private int different;
    private int equivalent;
    private int notWorse;
    private double halfWidth;

    Count(double variantEer) {
      this.variantEer = variantEer;
    }

    void add(Variant reference, Variant variant) {
      Comparison c = Comparison.of(reference, variant, Measure.EER, Comparison.MARGIN);
      double truth = 100 * (variantEer - EER);
      if (c.low() <= truth && truth <= c.high()) held++;
      if (c.pDifferent() <= 0.05) different++;
      if (c.pEquivalent() <= 0.05) equivalent++;
      if (c.pNotWorse() <= 0.05) notWorse++;
      halfWidth += (c.high() - c.low()) / 2;
    }

    String text(double experiments) {
      return String.format(
          Locale.ROOT,
          "  EER %.1f %%: interval of the difference holds %.3f, half-width %.2f points; different"
              + " %.3f, equivalent %.3f, not worse %.3f%n",
          100 * variantEer,
          held / experiments,
          halfWidth / experiments,
          different / experiments,
          equivalent / experiments,
          notWorse / experiments);
    }
  }

  @Test
  void intervalsHoldTheTruthAsOftenAsTheySay() {
    int experiments = Integer.getInteger("slimvox.coverage", 12);
    int[] counts = {2, 3, 6};
    int all = counts.length * experiments;
    int held = 0;
    int different = 0;
    int beyond = 0;
    StringBuilder text = new StringBuilder();
    for (int runs : counts) {
      Count same = new Count(EER);
      Count margin = new Count((1 + Comparison.MARGIN) * EER);
      int alone = 0;
      double seeds = 0;
      double speakers = 0;
      for (int e = 0; e < experiments; e++) {
        Experiment experiment = new Experiment(1000L * e + runs);
        Variant reference = experiment.variant("reference", EER, runs);
        same.add(reference, experiment.variant("same", same.variantEer, runs));
        margin.add(reference, experiment.variant("worse", margin.variantEer, runs));
        Estimate eer = reference.estimate(Measure.EER);
        if (eer.low(0.95) <= 100 * EER && 100 * EER <= eer.high(0.95)) alone++;
        seeds += reference.seedDeviation(Measure.EER) / experiments;
        Variant one = Variant.trained("one", reference.runs().subList(0, 1));
        speakers += one.estimate(Measure.EER).standardError() / experiments;
      }
      text.append(
          String.format(
              Locale.ROOT,
              "%d experiments, %d runs each, EER %.1f %%, deviation over seeds %.2f, over speakers"
                  + " %.2f: interval holds %.3f%n%s%s",
              experiments,
              runs,
              100 * EER,
              seeds,
              speakers,
              alone / (double) experiments,
              same.text(experiments),
              margin.text(experiments)));
      held += alone + same.held + margin.held;
      different += same.different;
      beyond += Math.max(margin.notWorse, margin.equivalent);
    }
    if (Integer.getInteger("slimvox.coverage") != null) System.out.print(text);
    // Three deviations; the three intervals of an experiment share a reference.
    assertTrue(0.95 * 3 * all - held <= 3 * Math.sqrt(3 * 0.95 * 0.05 * 3 * all), text.toString());
    double most = 0.05 * all + 3 * Math.sqrt(0.95 * 0.05 * all);
    assertTrue(different <= most && beyond <= most, text.toString());
  }
}
