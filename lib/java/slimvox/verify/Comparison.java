package slimvox.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.apache.commons.math3.analysis.UnivariateFunction;
import org.apache.commons.math3.analysis.solvers.BrentSolver;
import slimvox.storage.InputException;

/**
 * A variant against a reference on the same trials: their difference, and what it shows.
 *
 * <p>Both were trained with several seeds, and all runs were scored on the trials of the same
 * speakers. This is the design of readers and cases in diagnostic imaging, the seed being the
 * reader and the speaker the case, crossed with everything. As there (Obuchowski and Rockette 1995;
 * Gallas 2006; Hillis 2014), a difference of means over n runs has the variance
 *
 * <pre>{@code
 * V  = s1^2 / n1 + s2^2 / n2 + C          C = Cov_1 + Cov_2 - 2 Cov_12, at least 0
 * df = V^2 / ((s1^2 / n1)^2 / (n1 - 1) + (s2^2 / n2)^2 / (n2 - 1) + C^2 / (speakers - 1))
 * }</pre>
 *
 * <p>s is the deviation of a variant's runs, Cov the covariance over speakers of different runs: of
 * one variant, and of both. It is estimated by the bootstrap of {@link SpeakerDraws}, with the same
 * speakers for all runs, times n / (n - 1) for n speakers that have targets. The interval is
 * Student's with the degrees of freedom of Welch and Satterthwaite. A variant without training has
 * s = 0.
 *
 * <p>The seed is nested in the variant: the numbers that it draws mean something else in another
 * network. Where they mean the same (the same network, the same initial values, the same batches;
 * what differs is how numbers are kept), seeds may be <em>paired</em>: the n differences of equal
 * seeds are the runs of one variant, whose mean is tested against 0. That is to be decided before
 * looking.
 *
 * <p>In per cent, the interval is Fieller's (1954): the ratios rho for which {@code variant - rho
 * reference} does not differ from 0 at 5 %, so that the error of the reference counts as it does in
 * the tests below.
 *
 * <p>Equivalence is shown by two one-sided tests (Schuirmann 1987) with a margin m given
 * beforehand, a share of the reference's error: {@code variant - (1 + m) reference < 0} and {@code
 * variant - (1 - m) reference > 0}, each at 5 %. The margin is as uncertain as the reference's
 * error is, and these tests count that (Hauschke et al. 1999). The first alone shows that the
 * variant is not worse.
 *
 * <p>Measured (CoverageTest, 200 experiments with 150 speakers, EER 10 %, deviations 0.6 to 0.8
 * over seeds and 0.88 over speakers, of which each variant has other difficult ones), with two,
 * three and six seeds a variant: 94.8, 95.0 and 93.3 % of the 95 % intervals hold the true
 * difference, 93.5, 95.0 and 93.5 % those of one variant the true EER; without a true difference
 * 4.5, 5.5 and 5.5 % are called different, with one of just the margin 4.5, 5.0 and 6.5 % not
 * worse, 2.0, 1.5 and 2.0 % equivalent (each give or take 1.5). Half the interval of a difference
 * is 4.3, 1.9 and 1.2 points.
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
 * @param ratioLow lower limit of the 95 % interval of variant / reference; NaN if that is 0
 * @param ratioHigh upper limit; infinite if the reference could be 0
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
    double ratioLow,
    double ratioHigh,
    double pDifferent,
    double pNotWorse,
    double pEquivalent) {
  /** The margin that is used unless another is given: 10 % of the reference's error. */
  public static final double MARGIN = 0.1;

  /** The level of the intervals. */
  public static final double LEVEL = 0.95;

  /** The level of the tests. */
  public static final double ALPHA = 0.05;

  /**
   * Compares runs whose seeds do not pair.
   *
   * @param margin a share of the reference's value, above 0 and below 1, fixed before looking
   * @throws InputException if the margin is out of range, or the two are of other lists or speakers
   */
  public static Comparison of(Variant reference, Variant variant, Measure measure, double margin) {
    return of(reference, variant, measure, margin, false);
  }

  /**
   * Compares.
   *
   * @param margin a share of the reference's value, above 0 and below 1, fixed before looking
   * @param paired whether the runs of the two pair, the first with the first and so on
   * @throws InputException if the margin is out of range, or the two are of other lists or
   *     speakers, or, paired, not of as many runs
   */
  public static Comparison of(
      Variant reference, Variant variant, Measure measure, double margin, boolean paired) {
    if (!(margin > 0 && margin < 1)) {
      throw InputException.of(
          "margin %s is not between 0 and 1; 0.1 is 10 %% of the reference's error", margin);
    }
    Replicates first = reference.runs().getFirst();
    Variant.requireSame(variant.name(), variant.runs().getFirst(), reference.name(), first);
    if (paired && reference.runs().size() != variant.runs().size()) {
      throw InputException.of(
          "%s has %d run(s), %s %d; runs that pair are as many",
          variant.name(), variant.runs().size(), reference.name(), reference.runs().size());
    }
    boolean overSeeds = reference.overSeeds() && variant.overSeeds();
    Runs errors = variant.rates(measure);
    Runs others = reference.rates(measure);
    // variant - k reference
    DoubleFunction<Estimate> contrast =
        k -> {
          Runs less = others.times(-k);
          List<Runs> groups = paired ? List.of(errors.plus(less)) : List.of(errors, less);
          return Estimate.sum(first.speakers(), overSeeds, groups);
        };
    Estimate difference = contrast.apply(1);
    double ratio = errors.mean() / others.mean();
    double below = contrast.apply(1 + margin).pBelow();
    double above = contrast.apply(1 - margin).pAbove();
    double different = Math.min(1, 2 * Math.min(difference.pBelow(), difference.pAbove()));
    return new Comparison(
        reference.name(),
        variant.name(),
        measure,
        margin,
        overSeeds,
        others.mean(),
        errors.mean(),
        difference,
        limit(k -> -contrast.apply(k).low(LEVEL), ratio, 0),
        limit(k -> contrast.apply(k).high(LEVEL), ratio, 1000 * Math.max(1, ratio)),
        overSeeds ? different : 1,
        overSeeds ? below : 1,
        overSeeds ? Math.max(below, above) : 1);
  }

  /** Where what is not below 0 at a ratio falls below it on the way to an end. */
  private static double limit(UnivariateFunction value, double ratio, double end) {
    if (!Double.isFinite(ratio)) return Double.NaN;
    if (value.value(ratio) <= 0) return ratio; // nothing varies, but for rounding
    if (value.value(end) >= 0) return end == 0 ? 0 : Double.POSITIVE_INFINITY;
    return new BrentSolver(1e-9).solve(200, value, Math.min(ratio, end), Math.max(ratio, end));
  }

  /**
   * The same comparisons as one family, that of a table with several: p-values after Holm's
   * correction, for each of the three questions by itself, so that the probability of a wrong
   * answer anywhere in the table is at most 5 % a question. Intervals stay as they are.
   *
   * @param open members of the family that cannot be made yet; so nothing changes for those that
   *     are there when they come, but for what they show
   */
  public static List<Comparison> family(List<Comparison> comparisons, int open) {
    double[] different = adjusted(comparisons, open, Comparison::pDifferent);
    double[] notWorse = adjusted(comparisons, open, Comparison::pNotWorse);
    double[] equivalent = adjusted(comparisons, open, Comparison::pEquivalent);
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
              c.ratioLow,
              c.ratioHigh,
              different[i],
              notWorse[i],
              equivalent[i]));
    }
    return family;
  }

  /** What is not tested, for want of seeds, is no member of the family. */
  private static double[] adjusted(
      List<Comparison> family, int open, ToDoubleFunction<Comparison> p) {
    double[] values = family.stream().mapToDouble(p).toArray();
    int[] tested = IntStream.range(0, values.length).filter(i -> family.get(i).overSeeds).toArray();
    double[] all = new double[tested.length + open];
    Arrays.fill(all, 1);
    for (int k = 0; k < tested.length; k++) all[k] = values[tested[k]];
    double[] corrected = holm(all);
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

  /** The difference in per cent of the reference's mean; NaN if that is 0. */
  public double percent() {
    return 100 * difference.value() / referenceMean;
  }

  /** Lower limit of the 95 % interval of {@link #percent}. */
  public double percentLow() {
    return 100 * (ratioLow - 1);
  }

  /** Upper limit of the 95 % interval of {@link #percent}; it may be infinite. */
  public double percentHigh() {
    return 100 * (ratioHigh - 1);
  }

  /**
   * {@link #percent} and its interval, {@code -12.1 (-20.3 to -3.9)}; the upper limit may be {@code
   * +∞}.
   */
  public String percentText() {
    return String.format(
            Locale.ROOT, "%+.1f (%+.1f to %+.1f)", percent(), percentLow(), percentHigh())
        .replace("Infinity", "∞");
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
        "%s against %s: %s {} ({} to {}), %s %%, margin %.0f %%: %s%s".replace("{}", points),
        variant,
        reference,
        measure,
        difference.value(),
        low(),
        high(),
        percentText(),
        100 * margin,
        verdict(),
        overSeeds ? "" : " (one run: interval over speakers only)");
  }
}
