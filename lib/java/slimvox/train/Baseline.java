package slimvox.train;

import java.util.List;
import slimvox.audio.FbankOptions;
import slimvox.data.Corpus;
import slimvox.data.FeatureMemory;
import slimvox.data.FeatureReader;
import slimvox.data.StatisticsBaseline;
import slimvox.data.WholeUtterances;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

/**
 * Scores trials without a network, by the cosine of {@link StatisticsBaseline} vectors: what a
 * trained network has to beat.
 */
public final class Baseline {
  private Baseline() {}

  /** Plain cosine scores. */
  public static Scores score(StatisticsBaseline kind, Corpus corpus, Trials trials) {
    return CosineScoring.plain().score(trials, embeddings(kind, corpus, trials.utterances()));
  }

  /**
   * Cosine scores after subtracting the mean vector of other speakers.
   *
   * @param others the speakers whose mean is subtracted, best those of the training set
   */
  public static Scores score(StatisticsBaseline kind, Corpus corpus, Trials trials, Corpus others) {
    List<String> ids = others.utterances().stream().map(u -> u.id()).toList();
    double[] mean = embeddings(kind, others, ids).mean();
    return CosineScoring.subtracting(mean)
        .score(trials, embeddings(kind, corpus, trials.utterances()));
  }

  private static Embeddings embeddings(StatisticsBaseline kind, Corpus corpus, List<String> ids) {
    FeatureReader reader = FeatureReader.of(corpus, FbankOptions.wespeaker(), List.of(1.0));
    WholeUtterances utterances = new WholeUtterances(corpus, new FeatureMemory(reader), false);
    int size = kind.embedding(utterances.features(ids.getFirst())).length;
    Embeddings embeddings = new Embeddings(size);
    utterances.forEach(ids, (id, features) -> embeddings.add(id, kind.embedding(features)));
    return embeddings;
  }
}
