package slimvox.embed;

import java.util.Collection;
import java.util.function.Function;
import slimvox.audio.Features;
import slimvox.data.FeatureSource;
import slimvox.models.ModelSpec;
import slimvox.storage.InputException;
import slimvox.verify.Embeddings;

/** Turns utterances into embeddings. Not thread-safe. */
public interface SpeakerEncoder extends AutoCloseable {
  /** The model behind it. */
  ModelSpec spec();

  /** Dimension of the embeddings. */
  default int dimension() {
    return spec().embeddingSize();
  }

  /** Fewest frames of an utterance: so many that two are left for a pooled deviation. */
  int fewestFrames();

  /**
   * The embedding of one utterance.
   *
   * @param features frames x bins, mean normalized as in training
   * @throws InputException if there are other bins, or too few frames
   */
  float[] embed(Features features);

  /**
   * The embeddings of many utterances, in the order of {@code ids}.
   *
   * @param ids what to embed, each once
   * @param features of an id, mean normalized as in training; null leaves it out
   * @param progress told how many are done
   * @throws InputException if an utterance is too short
   * @throws InterruptedException if interrupted
   */
  default Embeddings embed(
      Collection<String> ids, Function<String, Features> features, FeatureSource.Progress progress)
      throws InterruptedException {
    Embeddings embeddings = new Embeddings(dimension());
    int done = 0;
    for (String id : ids) {
      if (Thread.interrupted()) throw new InterruptedException("embedding was interrupted");
      Features f = features.apply(id);
      if (f != null) embeddings.add(id, embed(f));
      progress.at(++done, ids.size());
    }
    return embeddings;
  }

  @Override
  void close();
}
