package slimvox.embed;

import java.nio.file.Path;
import java.util.Collection;
import java.util.function.Function;
import slimvox.audio.AudioFiles;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.audio.MeanNormalization;
import slimvox.audio.ReadSettings;
import slimvox.audio.Waveform;
import slimvox.data.FeatureSource;
import slimvox.models.ModelSpec;
import slimvox.storage.InputException;
import slimvox.verify.CosineScoring;
import slimvox.verify.Embeddings;
import slimvox.verify.Trials;

/** Turns utterances into embeddings. Not thread-safe. */
public interface SpeakerEncoder extends AutoCloseable {
  /** The model behind it. */
  ModelSpec spec();

  /** Dimension of the embeddings. */
  default int dimension() {
    return spec().embeddingSize();
  }

  /** What it hears. */
  FrontEnd frontEnd();

  /**
   * The embedding of a recording, heard as in training.
   *
   * @throws InputException if the file cannot be read so, or is too short
   */
  default float[] embed(Path sound, ReadSettings reading) {
    FbankOptions options = frontEnd().fbank(spec().bins());
    Waveform waveform = AudioFiles.read(sound, options.sampleRate(), reading);
    Features features = new Fbank(options).compute(waveform, sound.toString());
    if (features.frames() < fewestFrames()) {
      throw InputException.at(
          sound, "%d of the %d frames that the network needs", features.frames(), fewestFrames());
    }
    return embed(frontEnd().meanNormalization() ? MeanNormalization.apply(features) : features);
  }

  /** The cosine of the embeddings of two recordings; higher: more likely one speaker. */
  default double similarity(Path a, Path b, ReadSettings reading) {
    Embeddings both = new Embeddings(dimension());
    both.add("a", embed(a, reading));
    both.add("b", embed(b, reading));
    Trials pair = Trials.builder("pair").add("a", "b", true).build();
    return CosineScoring.plain().score(pair, both).get(0);
  }

  /** The same of mono recordings of 16,000 samples a second. */
  default double similarity(String a, String b) {
    return similarity(Path.of(a), Path.of(b), ReadSettings.DEFAULT);
  }

  /**
   * Fewest frames of an utterance: so many that two are left for a pooled deviation, one for
   * attention.
   */
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
