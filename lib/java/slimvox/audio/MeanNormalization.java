package slimvox.audio;

/**
 * Cepstral mean normalization of an utterance: y[t][b] = x[t][b] - mean over t of x[t][b].
 *
 * <p>The mean is taken over the frames given (a crop in training, the whole utterance in a test);
 * the variance is left alone, as in WeSpeaker.
 */
public final class MeanNormalization {
  private MeanNormalization() {}

  /** Subtracts each bin's mean over the frames, in place, and returns the same features. */
  public static Features apply(Features features) {
    float[] values = features.values();
    int bins = features.bins();
    var sums = new double[bins];
    for (int row = 0; row < values.length; row += bins) {
      for (int b = 0; b < bins; b++) {
        sums[b] += values[row + b];
      }
    }
    for (int b = 0; b < bins; b++) {
      sums[b] /= features.frames();
    }
    for (int row = 0; row < values.length; row += bins) {
      for (int b = 0; b < bins; b++) {
        values[row + b] = (float) (values[row + b] - sums[b]);
      }
    }
    return features;
  }
}
