package slimvox.audio;

import java.util.Arrays;

/** The samples of a mono sound, read where they are asked for; full scale is [-1, 1]. */
public interface Samples extends AutoCloseable {
  /** Number of samples. */
  long length();

  /**
   * Samples {@code from} to {@code to} - 1, in an array of their own.
   *
   * @throws slimvox.storage.InputException if the file cannot be read or is damaged there
   */
  float[] part(long from, long to);

  /** Closes the file; does nothing where there is none. */
  @Override
  default void close() {}

  /** All samples. */
  default float[] all() {
    return part(0, length());
  }

  /** The samples of an array, which is shared. */
  static Samples of(float[] samples) {
    return new Samples() {
      @Override
      public long length() {
        return samples.length;
      }

      @Override
      public float[] part(long from, long to) {
        return Arrays.copyOfRange(samples, (int) from, (int) to);
      }
    };
  }
}
