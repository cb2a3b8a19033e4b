package slimvox.data;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import slimvox.audio.Features;

/**
 * Features of one utterance where they lie: in an array or in a mapped file.
 *
 * @param values frames x bins float32, little-endian, row-major, perhaps unaligned
 * @param frames number of rows, at least 1
 * @param bins values in a row
 */
public record FeatureView(MemorySegment values, int frames, int bins) {
  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  public FeatureView {
    if (frames < 1 || bins < 1 || values.byteSize() != 4L * frames * bins) {
      throw new IllegalArgumentException(
          frames + " frames x " + bins + " bins are not " + values.byteSize() + " bytes");
    }
  }

  /** A view of an array, which is shared. */
  static FeatureView of(Features features) {
    return new FeatureView(
        MemorySegment.ofArray(features.values()), features.frames(), features.bins());
  }

  /** Copies {@code count} frames from frame {@code from} on to {@code into[at...]}. */
  public void copy(int from, int count, float[] into, int at) {
    Objects.checkFromIndexSize(from, count, frames);
    MemorySegment.copy(values, FLOAT, 4L * from * bins, into, at, count * bins);
  }

  /** All frames, in an array of their own. */
  public Features toFeatures() {
    float[] copy = new float[frames * bins];
    copy(0, frames, copy, 0);
    return new Features(copy, frames, bins);
  }
}
