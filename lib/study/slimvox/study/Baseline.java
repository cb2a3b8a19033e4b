package slimvox.study;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.data.Corpus;
import slimvox.data.FeatureMemory;
import slimvox.data.FeatureReader;
import slimvox.data.ShownProgress;
import slimvox.data.WholeUtterances;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Scores;
import slimvox.verify.Trials;
import slimvox.verify.Whitening;

/**
 * Scores trials without a network, by the cosine of statistics of the features: what a trained
 * network has to beat.
 *
 * <p>The features are WeSpeaker's filterbank without mean normalization: the mean is what the
 * scores rest on. What is learned from training speakers is learned behind channels where the
 * trials are ({@link Corpus#CHANNEL}). {@link #DEVIATION} is what mean normalization leaves of
 * them.
 */
public enum Baseline {
  /** The mean of each bin over the frames: bins values. */
  MEAN("mean", true, false),
  /** The population standard deviation of each bin over the frames: bins values. */
  DEVIATION("deviation", false, true),
  /** Means, then deviations: 2 x bins values. */
  MEAN_AND_DEVIATION("mean + deviation", true, true);

  private final String words;
  private final boolean means;
  private final boolean deviations;

  Baseline(String words, boolean means, boolean deviations) {
    this.words = words;
    this.means = means;
    this.deviations = deviations;
  }

  /** What tables call it. */
  @Override
  public String toString() {
    return "feature " + words;
  }

  /** Plain cosine scores, best with the bins of the networks that are compared with this. */
  public Scores score(Corpus corpus, Trials trials, int bins) throws InterruptedException {
    return CosineScoring.plain().score(trials, embeddings(corpus, trials.utterances(), bins));
  }

  /** Cosine scores less the mean vector of other speakers, best those of the training set. */
  public Scores score(Corpus corpus, Trials trials, Corpus others, int bins)
      throws InterruptedException {
    return centring(others, trials, bins)
        .score(trials, embeddings(corpus, trials.utterances(), bins));
  }

  /** What subtracts the mean vector: one for all lists that are behind channels, or are not. */
  CosineScoring centring(Corpus others, Trials trials, int bins) throws InterruptedException {
    return CosineScoring.subtracting(embeddings(others, ids(others, trials), bins).mean());
  }

  /**
   * Cosine scores after whitening by the covariance within other speakers, see {@link Whitening}:
   * one matrix is all that is learned.
   *
   * @param others the speakers it is learned from, those of the training set
   */
  public Scores whitened(Corpus corpus, Trials trials, Corpus others, int bins)
      throws InterruptedException {
    return whitening(others, trials, bins)
        .score(trials, embeddings(corpus, trials.utterances(), bins));
  }

  /** The matrix of {@link #whitened}: one for all lists that are behind channels, or are not. */
  Whitening whitening(Corpus others, Trials trials, int bins) throws InterruptedException {
    return Whitening.of(embeddings(others, ids(others, trials), bins), others::speakerOf);
  }

  /** Whether the recordings of a list are behind channels. */
  static boolean isBehindChannels(Trials trials) {
    return Corpus.isBehindChannel(trials.utterances().getFirst());
  }

  /** All utterances, behind channels of their own if the trials' are. */
  private static List<String> ids(Corpus corpus, Trials trials) {
    String suffix = isBehindChannels(trials) ? Corpus.CHANNEL : "";
    return corpus.utterances().stream().map(u -> u.id() + suffix).toList();
  }

  /**
   * The statistics of these utterances, each once, computed with all processors.
   *
   * @throws InterruptedException if interrupted, as by Stop
   */
  public Embeddings embeddings(Corpus corpus, List<String> ids, int bins)
      throws InterruptedException {
    FbankOptions options = FbankOptions.wespeaker().withBins(bins);
    FeatureReader reader = FeatureReader.of(corpus, options, List.of(1.0));
    WholeUtterances utterances = new WholeUtterances(corpus, new FeatureMemory(reader), false);
    Set<String> each = new LinkedHashSet<>(ids);
    Map<String, float[]> vectors = new ConcurrentHashMap<>();
    utterances.forEach(
        each,
        Runtime.getRuntime().availableProcessors(),
        ShownProgress.of(this + " of " + corpus.name()),
        (id, features) -> vectors.put(id, embedding(features)));
    Embeddings embeddings = new Embeddings(dimension(bins));
    for (String id : each) embeddings.add(id, vectors.get(id));
    return embeddings;
  }

  /**
   * These statistics of embeddings that have all: what {@link #embeddings} computes, without doing
   * so again.
   *
   * @param all embeddings of {@link #MEAN_AND_DEVIATION}
   */
  public Embeddings of(Embeddings all) {
    int bins = all.dimension() / 2;
    Embeddings embeddings = new Embeddings(dimension(bins));
    for (String id : all.utterances()) {
      int from = means ? 0 : bins;
      float[] own = Arrays.copyOfRange(all.get(id), from, from + embeddings.dimension());
      embeddings.add(id, own);
    }
    return embeddings;
  }

  private int dimension(int bins) {
    return means && deviations ? 2 * bins : bins;
  }

  /** The embedding of an utterance. */
  float[] embedding(Features features) {
    int bins = features.bins();
    int frames = features.frames();
    float[] values = features.values();
    double[] sums = new double[bins];
    for (int at = 0; at < values.length; at += bins) {
      for (int b = 0; b < bins; b++) sums[b] += values[at + b];
    }
    double[] squares = new double[bins];
    for (int at = 0; at < values.length; at += bins) {
      for (int b = 0; b < bins; b++) {
        double difference = values[at + b] - sums[b] / frames;
        squares[b] += difference * difference;
      }
    }
    float[] embedding = new float[dimension(bins)];
    int at = 0;
    for (int b = 0; means && b < bins; b++) embedding[at++] = (float) (sums[b] / frames);
    for (int b = 0; deviations && b < bins; b++) {
      embedding[at++] = (float) Math.sqrt(squares[b] / frames);
    }
    return embedding;
  }
}
