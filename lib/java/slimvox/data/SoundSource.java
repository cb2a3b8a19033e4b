package slimvox.data;

import java.util.concurrent.ConcurrentHashMap;
import slimvox.audio.Samples;

/**
 * The sound of recordings, for features that are computed anew for each example.
 *
 * <p>It is kept in memory, or streamed: read where an example lies, and nothing is kept. Both give
 * the same bits. Samples are kept as 16-bit numbers where they are such, which recordings mostly
 * are: an hour takes 110 MiB, twice as much otherwise.
 */
public final class SoundSource {
  private static final float FULL_SCALE = 32768;

  private final FeatureReader reader;
  private final boolean keeps;
  private final ConcurrentHashMap<Utterance, Samples> kept = new ConcurrentHashMap<>();

  /**
   * Nothing is kept yet.
   *
   * @param keeps false: recordings are read each time they are asked for
   */
  public SoundSource(FeatureReader reader, boolean keeps) {
    this.reader = reader;
    this.keeps = keeps;
  }

  /**
   * Reads all recordings of a corpus now, if they are kept.
   *
   * @param progress told after each
   * @return this
   * @throws InterruptedException if interrupted
   */
  public SoundSource load(Corpus corpus, int threads, FeatureSource.Progress progress)
      throws InterruptedException {
    if (!keeps) return this;
    FeatureWork.forEach(
        corpus.utterances(), _ -> 1, threads, progress, utterance -> open(utterance, 0));
    return this;
  }

  /** Computes features. */
  FeatureReader reader() {
    return reader;
  }

  /** The samples of a recording at a speed, to be closed. */
  Samples open(Utterance utterance, int speed) {
    Samples sound =
        keeps
            ? kept.computeIfAbsent(utterance, u -> small(reader.sound(u)))
            : reader.open(utterance);
    return reader.played(sound, speed);
  }

  private static Samples small(float[] samples) {
    short[] small = new short[samples.length];
    for (int i = 0; i < small.length; i++) {
      small[i] = (short) (samples[i] * FULL_SCALE);
      if (small[i] != samples[i] * FULL_SCALE) return Samples.of(samples);
    }
    return new Small(small);
  }

  private record Small(short[] samples) implements Samples {
    @Override
    public long length() {
      return samples.length;
    }

    @Override
    public float[] part(long from, long to) {
      float[] part = new float[(int) (to - from)];
      for (int i = 0; i < part.length; i++) part[i] = samples[(int) from + i] / FULL_SCALE;
      return part;
    }
  }
}
