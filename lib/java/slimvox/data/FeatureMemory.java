package slimvox.data;

import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import slimvox.audio.Channel;
import slimvox.audio.Features;
import slimvox.storage.InputException;

/**
 * Keeps the features of a small corpus in memory, each computed when it is first asked for.
 *
 * <p>An hour of speech with 80 bins takes 110 MiB at each speed.
 */
public final class FeatureMemory implements FeatureSource {
  private record Key(Utterance utterance, int speed) {}

  private final FeatureSource source;
  private final ConcurrentHashMap<Key, FeatureView> kept = new ConcurrentHashMap<>();

  /** Keeps what the source gives. */
  public FeatureMemory(FeatureSource source) {
    this.source = source;
  }

  /** Bytes of the Java heap that features may take: nine tenths of the largest. */
  public static long room() {
    return Runtime.getRuntime().maxMemory() / 10 * 9;
  }

  /**
   * Checks, before hours are spent on them, that features can be kept on the Java heap.
   *
   * @param bytes of {@link FeatureReader#bytes}
   * @param what they are, for the message
   * @param remedy what to do; a heap that is large enough is named after it
   * @throws InputException if they take more than {@link #room}
   */
  public static void requireHeap(long bytes, String what, String remedy) {
    long heap = Runtime.getRuntime().maxMemory();
    if (bytes <= room()) return;
    throw InputException.of(
        "%s take about %,d MiB in memory, the Java heap has %,d MiB; %s (SLIMVOX_XMX=%dg)",
        what, bytes >> 20, heap >> 20, remedy, (bytes >> 30) * 5 / 4 + 2);
  }

  /**
   * Computes all features of a corpus now.
   *
   * @param progress told after each utterance
   * @return this
   * @throws InterruptedException if interrupted; what has been computed is kept
   */
  public FeatureMemory load(Corpus corpus, int threads, Progress progress)
      throws InterruptedException {
    return load(corpus, threads, progress, FeatureWork::refuse);
  }

  /**
   * The same, without utterances that cannot be used.
   *
   * @param bad told of each of them, from any thread
   */
  public FeatureMemory load(
      Corpus corpus, int threads, Progress progress, Consumer<RecordingException> bad)
      throws InterruptedException {
    FeatureWork.forEach(
        corpus.utterances(),
        _ -> 1,
        threads,
        progress,
        utterance -> {
          try {
            List<FeatureView> views = source.allSpeeds(utterance);
            for (int i = 0; i < views.size(); i++) keep(new Key(utterance, i), views.get(i));
          } catch (RecordingException e) {
            bad.accept(e);
          }
        });
    return this;
  }

  @Override
  public int bins() {
    return source.bins();
  }

  @Override
  public List<Double> speeds() {
    return source.speeds();
  }

  @Override
  public FeatureView features(Utterance utterance, int speed) {
    Key key = new Key(utterance, speed);
    FeatureView view = kept.get(key);
    if (view != null) return view;
    // Computed outside the map's lock; if two threads do so at once, both get the same bits.
    return keep(key, source.features(utterance, speed));
  }

  @Override
  public Features behind(Channel channel, List<Utterance> utterances) {
    return source.behind(channel, utterances);
  }

  private FeatureView keep(Key key, FeatureView view) {
    FeatureView earlier = kept.putIfAbsent(key, view);
    return earlier == null ? view : earlier;
  }
}
