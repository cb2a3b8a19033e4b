package slimvox.audio;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Cepstral mean normalization of an utterance: y[t][b] = x[t][b] - mean over t of x[t][b].
 *
 * <p>The mean is taken over the frames given (a crop in training, the whole utterance in a test);
 * the variance is left alone, as in WeSpeaker.
 */
public final class MeanNormalization {
  /** Frames added up before they join the total: keeps float32 sums of long recordings accurate. */
  private static final int BLOCK = 128;

  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  private MeanNormalization() {}

  /** Subtracts each bin's mean over the frames, in place, and returns the same features. */
  public static Features apply(Features features) {
    for (int b = 0; b < features.bins(); b += SPECIES.length()) {
      applyToStrip(features, b, SPECIES.indexInRange(b, features.bins()));
    }
    return features;
  }

  /** Normalizes as many neighbouring bins at once as a vector has lanes. */
  private static void applyToStrip(Features features, int bin, VectorMask<Float> mask) {
    float[] values = features.values();
    int bins = features.bins();
    var total = FloatVector.zero(SPECIES);
    for (int start = 0; start < values.length; start += BLOCK * bins) {
      int end = Math.min(values.length, start + BLOCK * bins);
      var sum = FloatVector.zero(SPECIES);
      for (int row = start; row < end; row += bins) {
        sum = sum.add(FloatVector.fromArray(SPECIES, values, row + bin, mask));
      }
      total = total.add(sum);
    }
    var mean = total.div(features.frames());
    for (int row = 0; row < values.length; row += bins) {
      FloatVector.fromArray(SPECIES, values, row + bin, mask)
          .sub(mean)
          .intoArray(values, row + bin, mask);
    }
  }
}
