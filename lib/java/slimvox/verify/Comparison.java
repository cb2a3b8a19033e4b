package slimvox.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import slimvox.storage.InputException;

/**
 * A variant against a reference on the same trials: their difference, and what it shows.
 *
 * <p>Both were trained with several seeds, and all runs were scored on the trials of the same
 * speakers. This is the design of readers and cases in diagnostic imaging, the seed being the
 * reader, nested in the variant (equal seeds of two variants do not pair), and the speaker the
 * case, crossed with everything. As there (Obuchowski and Rockette 1995; Gallas 2006; Hillis 2014),
 * a difference of means over n runs has the variance
 *
 * <pre>{@code
 * V  = s1^2 / n1 + s2^2 / n2 + C          C = Cov_1 + Cov_2 - 2 Cov_12, at least 0
 * df = V^2 / ((s1^2 / n1)^2 / (n1 - 1) + (s2^2 / n2)^2 / (n2 - 1) + C^2 / (speakers - 1))
 * }</pre>
 *
 * <p>s is the deviation of a variant's runs, Cov the covariance over speakers of different runs: of
 * one variant, and of both. It is estimated by the bootstrap of {@link SpeakerDraws}, with the same
 * speakers for all runs. The interval is Student's with the degrees of freedom of Welch and
 * Satterthwaite. A variant without training has s = 0.
 *
 * <p>Equivalence is shown by two one-sided tests (Schuirmann 1987) with a margin m given
 * beforehand, a share of the reference's error: {@code variant - (1 + m) reference < 0} and {@code
 * variant - (1 - m) reference > 0}, each at 5 %. The margin is as uncertain as the reference's
 * error is, and these tests count that (Hauschke et al. 1999). The first alone shows that the
 * variant is not worse.
 *
 * <p>Measured (CoverageTest, 1,000 experiments with 150 speakers, EER 10 %, deviations 0.7 to 0.8
 * over seeds and 0.86 over speakers), with three seeds a variant and with six: 95.9 and 95.3 % of
 * the 95 % intervals hold the true difference, 95.8 and 95.3 % those of one variant the true EER;
 * without a true difference 4.1 and 4.7 % are called different, with one of just the margin 2.9 and
 * 4.8 % not worse, 1.3 and 3.9 % equivalent. With six seeds half the interval of a difference is
 * 1.1 points.
 *
 * @param reference name of the reference
 * @param variant name of the variant
 * @param measure what is compared
 * @param margin the share of the reference's value that does not matter
 * @param overSeeds false if a trained one has one run: then the interval is over speakers only, of
 *     these very networks, and there is no verdict about what training gives
 * @param referenceMean mean over its runs
 * @param variantMean mean over its runs
 * @param difference variant less reference, in the unit of the measure
 * @param pDifferent p-value of a difference (two-sided); 1 without a test, as those below
 * @param pNotWorse p-value of being worse by less than the margin
 * @param pEquivalent p-value of a difference less than the margin
 */
public record Comparison(
    String reference,
    String variant,
    Measure measure,
    double margin,
    boolean overSeeds,
    double referenceMean,
    double variantMean,
    Estimate difference,
    double pDifferent,
    double pNotWorse,
    double pEquivalent) {
  /** The margin that is used unless another is given: 10 % of the reference's error. */
  public static final double MARGIN = 0.1;

  /** The level of the intervals. */
  public static final double LEVEL = 0.95;

  private static final double ALPHA = 0.05;

  /**
   * Compares.
   *
   * @param margin a share of the reference's value, above 0 and below 1, fixed before looking
   * @throws InputException if the margin is out of range, or the two are of other lists or speakers
   */
  public static Comparison of(Variant reference, Variant variant, Measure measure, double margin) {
    if (!(margin > 0 && margin < 1)) {
      throw InputException.of(
          "margin %s is not between 0 and 1; 0.1 is 10 %% of the reference's error", margin);
    }
    Variant.requireSame(
        variant.name(), variant.runs().getFirst(), reference.name(), reference.runs().getFirst());
    boolean overSeeds = reference.overSeeds() && variant.overSeeds();
    Estimate difference = Estimate.contrast(variant, 1, reference, measure);
    double below = Estimate.contrast(variant, 1 + margin, reference, measure).pBelow();
    double above = Estimate.contrast(variant, 1 - margin, reference, measure).pAbove();
    double different = Math.min(1, 2 * Math.min(difference.pBelow(), difference.pAbove()));
    return new Comparison(
        reference.name(),
        variant.name(),
        measure,
        margin,
        overSeeds,
        reference.mean(measure),
        variant.mean(measure),
        difference,
        overSeeds ? different : 1,
        overSeeds ? below : 1,
        overSeeds ? Math.max(below, above) : 1);
  }

  /**
   * The same comparisons as one family, that of a table with several: p-values after Holm's
   * correction, for each of the three questions by itself, so that the probability of a wrong
   * answer anywhere in the table is at most 5 % a question. Intervals stay as they are.
   */
  public static List<Comparison> family(List<Comparison> comparisons) {
    double[] different = adjusted(comparisons, Comparison::pDifferent);
    double[] notWorse = adjusted(comparisons, Comparison::pNotWorse);
    double[] equivalent = adjusted(comparisons, Comparison::pEquivalent);
    List<Comparison> family = new ArrayList<>();
    for (int i = 0; i < different.length; i++) {
      Comparison c = comparisons.get(i);
      family.add(
          new Comparison(
              c.reference,
              c.variant,
              c.measure,
              c.margin,
              c.overSeeds,
              c.referenceMean,
              c.variantMean,
              c.difference,
              different[i],
              notWorse[i],
              equivalent[i]));
    }
    return family;
  }

  /** What is not tested, for want of seeds, is no member of the family. */
  private static double[] adjusted(List<Comparison> family, ToDoubleFunction<Comparison> p) {
    double[] values = family.stream().mapToDouble(p).toArray();
    int[] tested = IntStream.range(0, values.length).filter(i -> family.get(i).overSeeds).toArray();
    double[] corrected = holm(Arrays.stream(tested).mapToDouble(i -> values[i]).toArray());
    for (int k = 0; k < tested.length; k++) values[tested[k]] = corrected[k];
    return values;
  }

  /**
   * Holm's step-down correction (1979): the k-th smallest of n p-values times n - k + 1, at least
   * the corrected one before it and at most 1.
   */
  public static double[] holm(double[] p) {
    Integer[] order = new Integer[p.length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, (a, b) -> Double.compare(p[a], p[b]));
    double[] corrected = new double[p.length];
    double most = 0;
    for (int k = 0; k < p.length; k++) {
      most = Math.max(most, Math.min(1, (p.length - k) * p[order[k]]));
      corrected[order[k]] = most;
    }
    return corrected;
  }

  /**
   * The first of these that is shown at 5 %: equivalent, better or worse, not worse. So a
   * difference that is certain and yet less than the margin is called equivalent; the interval
   * shows its sign.
   */
  public Verdict verdict() {
    if (pEquivalent <= ALPHA) return Verdict.EQUIVALENT;
    if (pDifferent <= ALPHA) return difference.value() < 0 ? Verdict.BETTER : Verdict.WORSE;
    return pNotWorse <= ALPHA ? Verdict.NOT_WORSE : Verdict.CANNOT_TELL;
  }

  /** The p-value that the verdict rests on; that of a difference where nothing is shown. */
  public double pVerdict() {
    return switch (verdict()) {
      case EQUIVALENT -> pEquivalent;
      case NOT_WORSE -> pNotWorse;
      case BETTER, WORSE, CANNOT_TELL -> pDifferent;
    };
  }

  /** Lower limit of the 95 % interval of the difference, in the unit of the measure. */
  public double low() {
    return difference.low(LEVEL);
  }

  /** Upper limit of the 95 % interval of the difference, in the unit of the measure. */
  public double high() {
    return difference.high(LEVEL);
  }

  /** A difference, or a limit of it, in per cent of the reference's mean; NaN if that is 0. */
  public double percent(double difference) {
    return 100 * difference / referenceMean;
  }

  /**
   * One line: difference and its interval in the unit of the measure, the same in per cent of the
   * reference, and the verdict.
   */
  @Override
  public String toString() {
    String points = measure.number().replace("%", "%+");
    return String.format(
        Locale.ROOT,
        "%s against %s: %s {} ({} to {}), %+.1f %% (%+.1f to %+.1f), margin %.0f %%: %s%s"
            .replace("{}", points),
        variant,
        reference,
        measure,
        difference.value(),
        low(),
        high(),
        percent(difference.value()),
        percent(low()),
        percent(high()),
        100 * margin,
        verdict(),
        overSeeds ? "" : " (one run: interval over speakers only)");
  }
}
