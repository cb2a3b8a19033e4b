package slimvox.audio;

import java.util.Objects;
import slimvox.storage.InputException;

/**
 * Feature vectors of one utterance, one row a frame.
 *
 * <p>The array is not copied: whoever builds the record hands it over. Two features are equal only
 * if they share it.
 *
 * @param values frames x bins, row-major: the value of bin {@code b} in frame {@code t} is at
 *     {@code t * bins + b}
 * @param frames number of rows
 * @param bins values in a row, for example 80 log-mel energies
 */
public record Features(float[] values, int frames, int bins) {
  public Features {
    if (frames < 0 || bins <= 0 || (long) frames * bins != values.length) {
      throw new IllegalArgumentException(
          frames + " frames x " + bins + " bins do not make " + values.length + " values");
    }
  }

  /** The length of an array of frames x bins; one that no array can have is refused. */
  public static int length(long frames, int bins) {
    long length = frames * bins;
    if (length <= Integer.MAX_VALUE - 8) return (int) length;
    throw InputException.of(
        "%d frames x %d bins are more than a Java array holds; use shorter utterances",
        frames, bins);
  }

  /** Means of each {@code count} consecutive frames; frames left over at the end are dropped. */
  public Features averaged(int count) {
    if (count == 1) return this;
    var means = new float[frames / count * bins];
    for (int i = 0; i < means.length; i++) {
      int first = i / bins * count * bins + i % bins;
      float sum = 0;
      for (int t = 0; t < count; t++) sum += values[first + t * bins];
      means[i] = sum / count;
    }
    return new Features(means, frames / count, bins);
  }

  /** The value of one bin in one frame. */
  public float get(int frame, int bin) {
    Objects.checkIndex(frame, frames);
    Objects.checkIndex(bin, bins);
    return values[frame * bins + bin];
  }

  /** How many. */
  @Override
  public String toString() {
    return frames + " frames of " + bins + " bins";
  }
}
