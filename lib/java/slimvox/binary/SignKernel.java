package slimvox.binary;

import jdk.incubator.vector.FloatVector;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;

/** Takes the signs of a float plane: bit = (x + shift &lt; 0), 32 channels a word. */
final class SignKernel {
  private SignKernel() {}

  /**
   * Packs all pixels; the border of {@code signs} is left alone.
   *
   * @param shift address of 32 x words floats; 0 for none
   */
  static void run(Parallel parallel, Plane x, long shift, Plane signs) {
    int channels = x.elements();
    parallel.run(
        x.height(),
        (long) x.width() * channels,
        (part, from, to) -> {
          for (int h = (int) from; h < to; h++) {
            for (int w = 0; w < x.width(); w++) {
              pixel(x.pixel(h, w), channels, shift, signs.pixel(h, w));
            }
          }
        });
  }

  private static void pixel(long x, int channels, long shift, long words) {
    for (int word = 0; 32 * word < channels; word++) {
      long negative = 0;
      int last = Math.min(channels, 32 * word + 32);
      for (int c = 32 * word; c < last; c += Lanes.LANES) {
        FloatVector v =
            c + Lanes.LANES <= last
                ? Lanes.load(x + 4L * c)
                : Lanes.load(x + 4L * c, Lanes.tail(c, last));
        if (shift != 0) v = v.add(Lanes.load(shift + 4L * c));
        negative |= v.lt(0f).toLong() << (c - 32 * word);
      }
      Lanes.setInt(words, word, (int) negative);
    }
  }
}
