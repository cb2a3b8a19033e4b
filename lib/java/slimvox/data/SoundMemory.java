package slimvox.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import slimvox.audio.Channel;
import slimvox.audio.Features;

/**
 * The sound of recordings, for features that are computed anew each time: those of examples behind
 * channels.
 *
 * <p>Samples are kept as 16-bit numbers where they are such, which recordings mostly are: an hour
 * takes 110 MiB at each speed, twice as much otherwise.
 */
public final class SoundMemory {
  private record Key(Utterance utterance, int speed) {}

  private static final float FULL_SCALE = 32768;

  private final FeatureReader reader;
  private final boolean keeps;
  private final ConcurrentHashMap<Key, Object> kept = new ConcurrentHashMap<>();

  /**
   * Nothing is kept yet.
   *
   * @param keeps false: each recording is read each time it is asked for
   */
  public SoundMemory(FeatureReader reader, boolean keeps) {
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
  public SoundMemory load(Corpus corpus, int threads, FeatureSource.Progress progress)
      throws InterruptedException {
    if (!keeps) return this;
    FeatureWork.forEach(
        corpus.utterances(),
        _ -> 1,
        threads,
        progress,
        utterance -> {
          for (int i = 0; i < reader.speeds().size(); i++) sound(utterance, i);
        });
    return this;
  }

  /** Computes features. */
  FeatureReader reader() {
    return reader;
  }

  /** The samples of a recording at a speed, a {@code float[]} or {@code short[]}. */
  Object sound(Utterance utterance, int speed) {
    Key key = new Key(utterance, speed);
    Object found = kept.get(key);
    if (found != null) return found;
    float[] samples = reader.sound(utterance, speed).samples();
    if (!keeps) return samples;
    Object small = small(samples);
    Object earlier = kept.putIfAbsent(key, small);
    return earlier == null ? small : earlier;
  }

  private static Object small(float[] samples) {
    short[] small = new short[samples.length];
    for (int i = 0; i < small.length; i++) {
      small[i] = (short) (samples[i] * FULL_SCALE);
      if (small[i] != samples[i] * FULL_SCALE) return samples;
    }
    return small;
  }

  /** Whole frames of a sound. */
  int frames(Object sound) {
    return reader.frames(sound instanceof short[] s ? s.length : ((float[]) sound).length);
  }

  /** Some samples of a sound. */
  private static float[] samples(Object sound, int from, int count) {
    if (sound instanceof float[] samples) return Arrays.copyOfRange(samples, from, from + count);
    short[] small = (short[]) sound;
    float[] samples = new float[count];
    for (int i = 0; i < count; i++) samples[i] = small[from + i] / FULL_SCALE;
    return samples;
  }

  /**
   * Features of pieces of sounds that are played one after the other.
   *
   * @param from the first frame of each
   * @param counts number of frames of each
   * @param channel that all are behind; null: none
   * @param name what to call them in an error
   */
  Features features(List<Object> sounds, int[] from, int[] counts, Channel channel, String name) {
    List<float[]> pieces = new ArrayList<>();
    for (int i = 0; i < counts.length; i++) {
      if (counts[i] == 0) continue;
      pieces.add(samples(sounds.get(i), from[i] * reader.shift(), reader.samples(counts[i])));
    }
    return reader.features(pieces, channel, name);
  }
}
