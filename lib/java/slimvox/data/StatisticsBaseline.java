package slimvox.data;

import slimvox.audio.Features;

/**
 * Embeddings without a network, for a cosine baseline: what any system has to beat.
 *
 * <p>They need features without mean normalization: the mean is what they use.
 */
public enum StatisticsBaseline {
  /** The mean of each bin over the frames: bins values. */
  MEAN,
  /** Means, then population standard deviations of each bin over the frames: 2 x bins values. */
  MEAN_AND_DEVIATION;

  /** What tables call it. */
  @Override
  public String toString() {
    return this == MEAN ? "feature mean" : "feature mean + deviation";
  }

  /** The embedding of an utterance. */
  public float[] embedding(Features features) {
    int bins = features.bins();
    int frames = features.frames();
    float[] values = features.values();
    double[] sums = new double[bins];
    for (int i = 0; i < values.length; i++) sums[i % bins] += values[i];
    float[] embedding = new float[this == MEAN ? bins : 2 * bins];
    for (int b = 0; b < bins; b++) {
      double mean = sums[b] / frames;
      embedding[b] = (float) mean;
      if (this == MEAN) continue;
      double squares = 0;
      for (int t = 0; t < frames; t++) {
        double difference = values[t * bins + b] - mean;
        squares += difference * difference;
      }
      embedding[bins + b] = (float) Math.sqrt(squares / frames);
    }
    return embedding;
  }
}
