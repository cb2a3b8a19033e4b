package slimvox.data;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import slimvox.audio.Features;
import slimvox.storage.InputException;

/**
 * Features of one utterance where they lie: in an array or in a mapped file.
 *
 * @param values frames x bins float32, little-endian, row-major, perhaps unaligned
 * @param frames number of rows, at least 1
 * @param bins values in a row
 * @param file that is mapped; null: they lie in an array
 */
public record FeatureView(MemorySegment values, int frames, int bins, Mapped file) {
  /** A file and the size it had when it was mapped. */
  public record Mapped(Path path, long bytes) {
    /** Whether it has that size still; one that was removed or replaced can be read on. */
    private boolean isWhole() {
      try {
        return Files.size(path) >= bytes;
      } catch (IOException e) {
        return true;
      }
    }
  }

  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  public FeatureView {
    if (frames < 1 || bins < 1 || values.byteSize() != 4L * frames * bins) {
      throw new IllegalArgumentException(
          "%d frames x %d bins are not %d bytes".formatted(frames, bins, values.byteSize()));
    }
  }

  /** A view of an array, which is shared. */
  static FeatureView of(Features features) {
    return new FeatureView(
        MemorySegment.ofArray(features.values()), features.frames(), features.bins(), null);
  }

  /**
   * Copies {@code count} frames from frame {@code from} on to {@code into[at...]}.
   *
   * @throws InputException if the mapped file has been cut short since
   */
  public void copy(int from, int count, float[] into, int at) {
    Objects.checkFromIndexSize(from, count, frames);
    boolean whole;
    try {
      MemorySegment.copy(values, FLOAT, 4L * from * bins, into, at, count * bins);
      // The rest of a page that was cut is zeros, and compiled code learns of pages that are gone
      // at its next call out of Java: this one.
      whole = file == null || file.isWhole();
    } catch (InternalError e) {
      whole = false;
    }
    if (!whole) {
      throw InputException.at(
          file.path(), "became shorter while it was read; start again, it is computed anew");
    }
  }
}
