package slimvox.data;

import java.nio.file.Path;
import slimvox.audio.Features;
import slimvox.storage.InputException;

/** A recording, or ready features, that cannot be used; those of other utterances can. */
public final class RecordingException extends InputException {
  private static final float LARGEST = 1e15f; // squared, 3e8 of them add up to a float32

  private final String utterance;

  /** The reason and, where it lacks it, the utterance. */
  public RecordingException(String utterance, String reason, Throwable cause) {
    super(named(utterance, reason), cause);
    this.utterance = utterance;
  }

  private static String named(String utterance, String reason) {
    String name = "utterance " + utterance;
    return reason.contains(name) ? reason : reason + " (" + name + ")";
  }

  /**
   * Checks that no feature is NaN, infinite or so large that sums of squares, as normalization
   * takes them, leave float32.
   *
   * @param file that they come from
   * @throws RecordingException naming utterance, frame and bin of the first that is
   */
  public static void requireUsable(Features features, String utterance, Path file) {
    float[] values = features.values();
    for (int i = 0; i < values.length; i++) {
      if (Math.abs(values[i]) <= LARGEST) continue;
      throw new RecordingException(
          utterance,
          "%s: the features of utterance %s are %s in frame %d, bin %d; make them again or leave it out"
              .formatted(file, utterance, values[i], i / features.bins(), i % features.bins()),
          null);
    }
  }

  /** What to say where the heap has no place for a recording. */
  public static RecordingException outOfMemory(String utterance, Path file, OutOfMemoryError e) {
    return new RecordingException(
        utterance,
        "%s: does not fit the Java heap of %d MiB beside what is in it; give more (SLIMVOX_XMX=8g), use fewer threads, or leave it out"
            .formatted(file, Runtime.getRuntime().maxMemory() >> 20),
        e);
  }

  /** The id of the utterance. */
  public String utterance() {
    return utterance;
  }
}
