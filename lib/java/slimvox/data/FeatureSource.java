package slimvox.data;

import java.util.List;
import java.util.stream.IntStream;
import slimvox.audio.Channel;
import slimvox.audio.Features;

/**
 * Gives the features of utterances, at each of some speeds, without mean normalization.
 *
 * <p>Implementations: {@link FeatureReader} computes them each time, {@link FeatureMemory} keeps
 * them, {@link FeatureCache} keeps them in files. All may be used by any number of threads, and all
 * give the same bits.
 */
public interface FeatureSource {
  /** Values in a frame. */
  int bins();

  /** The speeds; index 0 is 1.0, the recording as it is. */
  List<Double> speeds();

  /**
   * Features of an utterance.
   *
   * @param speed index into {@link #speeds()}
   * @throws slimvox.storage.InputException if the recording cannot be used; the message names its
   *     file
   */
  FeatureView features(Utterance utterance, int speed);

  /** Features of an utterance at each of {@link #speeds()}, in that order. */
  default List<FeatureView> allSpeeds(Utterance utterance) {
    return IntStream.range(0, speeds().size()).mapToObj(i -> features(utterance, i)).toList();
  }

  /**
   * Features of whole recordings that are played one after the other through one channel, at speed
   * 1; computed each time.
   *
   * @throws slimvox.storage.InputException if a recording cannot be used, or there are features and
   *     no sound
   * @throws UnsupportedOperationException if the source never has sound
   */
  default Features behind(Channel channel, List<Utterance> utterances) {
    throw new UnsupportedOperationException("no sound to put behind a channel");
  }

  /** Told about progress, from any thread, with {@code done} rising to {@code total}. */
  @FunctionalInterface
  interface Progress {
    /** Does nothing. */
    Progress NONE = (_, _) -> {};

    /** {@code done} utterances of {@code total} are ready. */
    void at(int done, int total);

    /** No more is told: all are ready, or an error or a stop has ended the task. */
    default void close() {}
  }
}
