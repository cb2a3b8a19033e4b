package slimvox.study;

import java.util.List;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.data.Corpus;
import slimvox.data.FeatureMemory;
import slimvox.data.FeatureReader;
import slimvox.data.WholeUtterances;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

/**
 * Scores trials without a network, by the cosine of statistics of the features: what a trained
 * network has to beat.
 *
 * <p>The features are not mean normalized: the mean is what the scores rest on.
 */
public enum Baseline {
  /** The mean of each bin over the frames: bins values. */
  MEAN,
  /** Means, then population standard deviations of each bin over the frames: 2 x bins values. */
  MEAN_AND_DEVIATION;

  /** What tables call it. */
  @Override
  public String toString() {
    return this == MEAN ? "feature mean" : "feature mean + deviation";
  }

  /** Plain cosine scores. */
  public Scores score(Corpus corpus, Trials trials) {
    return CosineScoring.plain().score(trials, embeddings(corpus, trials.utterances()));
  }

  /**
   * Cosine scores after subtracting the mean vector of other speakers.
   *
   * @param others the speakers whose mean is subtracted, best those of the training set
   */
  public Scores score(Corpus corpus, Trials trials, Corpus others) {
    List<String> ids = others.utterances().stream().map(u -> u.id()).toList();
    return CosineScoring.subtracting(embeddings(others, ids).mean())
        .score(trials, embeddings(corpus, trials.utterances()));
  }

  private Embeddings embeddings(Corpus corpus, List<String> ids) {
    FbankOptions options = FbankOptions.wespeaker();
    FeatureReader reader = FeatureReader.of(corpus, options, List.of(1.0));
    WholeUtterances utterances = new WholeUtterances(corpus, new FeatureMemory(reader), false);
    Embeddings embeddings = new Embeddings(this == MEAN ? options.bins() : 2 * options.bins());
    utterances.forEach(ids, (id, features) -> embeddings.add(id, embedding(features)));
    return embeddings;
  }

  /** The embedding of an utterance. */
  float[] embedding(Features features) {
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
