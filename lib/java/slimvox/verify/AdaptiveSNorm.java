package slimvox.verify;

import java.util.Arrays;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import slimvox.storage.InputException;
import slimvox.vector.ReproducibleMath;

/**
 * Adaptive symmetric score normalisation (AS-norm): measures a score by what each side scores
 * against its nearest impostors.
 *
 * <pre>{@code
 * s' = 1/2 ((s - mu_e) / sigma_e + (s - mu_t) / sigma_t)
 * }</pre>
 *
 * <p>mu_e and sigma_e are the mean and the population standard deviation (ddof 0) of the N largest
 * cosines between the enrolment and a cohort of other speakers, mu_t and sigma_t those of the test
 * utterance (Matejka et al., Interspeech 2017, with top cohorts chosen for each side alone). So
 * WeSpeaker does it: N = 300 of 5,994 speaker means of VoxCeleb2 dev. SpeechBrain takes ddof 1 and
 * utterances as cohort. With N the whole cohort it is plain S-norm.
 */
public final class AdaptiveSNorm {
  private static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;

  /** A hundred times the rounding of a cosine in float32; of speakers it is 0.01 to 0.1. */
  private static final double LEAST_DEVIATION = 1e-5;

  private final CosineScoring scoring;
  private final float[][] cohort;
  private final int top;

  /**
   * Normalises with this cohort.
   *
   * @param scoring the raw score; its mean is subtracted from the cohort too
   * @param cohort speakers that are in no trial, best as {@link Embeddings#speakerMeans}
   * @param top N, the number of nearest cohort members used, 2 or more
   * @throws InputException if the cohort is smaller than N, or N below 2
   */
  public AdaptiveSNorm(CosineScoring scoring, Embeddings cohort, int top) {
    if (top < 2 || top > cohort.size()) {
      throw InputException.of(
          "AS-norm with the nearest %d of a cohort of %d; take at least 2 and at most the cohort"
              + " (--top)",
          top, cohort.size());
    }
    this.scoring = scoring;
    this.cohort = scoring.unitVectors(cohort);
    this.top = top;
  }

  /**
   * Scores every trial of a list and normalises.
   *
   * @throws InputException as {@link CosineScoring#score}, or if an utterance is equally near to
   *     all N cohort members, so that sigma is zero or the rounding of the cosines
   */
  public Scores score(Trials trials, Embeddings embeddings) {
    return score(trials, nearest(trials, embeddings));
  }

  /**
   * Utterances of a trial list by their number in it, and how near the cohort is.
   *
   * @param units embeddings at length 1
   * @param mean of the N largest cosines with the cohort
   * @param deviation of the same
   */
  record Nearest(float[][] units, double[] mean, double[] deviation) {}

  Nearest nearest(Trials trials, Embeddings embeddings) {
    float[][] units = scoring.unitVectors(trials, embeddings);
    if (units[0].length != cohort[0].length) {
      throw InputException.of(
          "the cohort's embeddings have %d values, the trials' %d; use one model for both",
          cohort[0].length, units[0].length);
    }
    double[] mu = new double[units.length];
    double[] sigma = new double[units.length];
    IntStream.range(0, units.length)
        .parallel()
        .forEach(u -> statistics(u, units[u], trials, mu, sigma));
    return new Nearest(units, mu, sigma);
  }

  Scores score(Trials trials, Nearest of) {
    double[] values = new double[trials.size()];
    for (int i = 0; i < values.length; i++) {
      int e = trials.enrolNumber(i);
      int t = trials.testNumber(i);
      double s = CosineScoring.dot(of.units[e], of.units[t]);
      values[i] = 0.5 * ((s - of.mean[e]) / of.deviation[e] + (s - of.mean[t]) / of.deviation[t]);
    }
    return new Scores(toString(), trials, values);
  }

  /** Lengths of a list's embeddings, after mean subtraction, by number of the utterance. */
  double[] lengths(Trials trials, Embeddings embeddings) {
    return scoring.lengths(trials, embeddings);
  }

  private void statistics(int number, float[] unit, Trials trials, double[] mu, double[] sigma) {
    float[] cosines = new float[cohort.length];
    for (int c = 0; c < cohort.length; c++) cosines[c] = dot(unit, cohort[c]);
    Arrays.sort(cosines);
    int from = cosines.length - top;
    double sum = 0;
    for (int c = from; c < cosines.length; c++) sum += cosines[c];
    double mean = sum / top;
    double squares = 0;
    for (int c = from; c < cosines.length; c++) {
      squares += (cosines[c] - mean) * (cosines[c] - mean);
    }
    mu[number] = mean;
    sigma[number] = Math.sqrt(squares / top);
    if (sigma[number] < LEAST_DEVIATION) {
      throw InputException.of(
          "utterance '%s' is equally near to its %d nearest cohort members (deviation %.1e,"
              + " rounding of a cosine 1e-07); take a larger cohort, of different speakers",
          trials.utterances().get(number), top, sigma[number]);
    }
  }

  /** In float32, unlike the score itself: an error of 1e-7 vanishes in the mean over N. */
  private static float dot(float[] a, float[] b) {
    int n = a.length;
    int lanes = LANES.length();
    FloatVector even = FloatVector.zero(LANES);
    FloatVector odd = FloatVector.zero(LANES);
    int i = 0;
    for (; i <= n - 2 * lanes; i += 2 * lanes) {
      even = FloatVector.fromArray(LANES, a, i).fma(FloatVector.fromArray(LANES, b, i), even);
      odd =
          FloatVector.fromArray(LANES, a, i + lanes)
              .fma(FloatVector.fromArray(LANES, b, i + lanes), odd);
    }
    float sum = ReproducibleMath.sum(even.add(odd));
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
  }

  @Override
  public String toString() {
    return "AS-norm (nearest " + top + " of " + cohort.length + ") of " + scoring;
  }
}
