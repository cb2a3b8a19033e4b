package slimvox.data;

import slimvox.audio.Features;

/**
 * Crops of equal length and the speakers they come from.
 *
 * <p>The arrays are reused: a batch of {@link BatchLoader#next} holds until the next call.
 *
 * @param epoch from 0
 * @param index place in the epoch, from 0
 * @param features size x bins x frames: the layout N, H (frequency), W (time), C = 1 of the
 *     networks
 * @param labels class of each crop: the speaker's label + speed index x number of speakers
 * @param utterances id of each crop's recording, the first one where several are joined
 */
public record Batch(
    int epoch,
    int index,
    int size,
    int bins,
    int frames,
    float[] features,
    int[] labels,
    String[] utterances) {

  /**
   * Whole features in the networks' layout, as one example: bins x frames from frames x bins.
   *
   * @param into at least bins x frames values, from {@code at} on
   */
  public static void transpose(Features features, float[] into, int at) {
    transpose(features.values(), features.frames(), features.bins(), into, at);
  }

  static void transpose(float[] rows, int frames, int bins, float[] into, int at) {
    for (int b = 0; b < bins; b++) {
      int out = at + b * frames;
      for (int t = 0; t < frames; t++) into[out + t] = rows[t * bins + b];
    }
  }

  /** Sizes and place. */
  @Override
  public String toString() {
    return "%d crops of %d frames of %d bins, number %d of epoch %d, both from 0"
        .formatted(size, frames, bins, index, epoch);
  }
}
