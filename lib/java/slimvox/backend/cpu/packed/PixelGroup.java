package slimvox.backend.cpu.packed;

import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Plane;

/**
 * The output pixels that a kernel computes at once, row by row over the whole image.
 *
 * <p>Groups go across the ends of rows, so that only the last one is not full; its missing pixels
 * repeat the last one, and are not stored.
 */
final class PixelGroup {
  /** Address of the window's first tap in the input, for each pixel. */
  final long[] window;

  /** Number of each pixel in the output, its border counted. */
  final long[] place;

  /** What a tile's sums become while they are stored: pixels x channels of a tile. */
  final float[] values;

  private final int size;
  private final Plane in;
  private final int height;
  private final int width;
  private final int stride;
  private final int margin;
  private final long step; // bytes from one window to the next
  private int h;
  private int w;
  private long at; // the window of (h, w)
  private long number; // of (h, w)

  /**
   * Groups of the output of a convolution.
   *
   * @param size pixels of a group
   * @param in its input, whose border is as wide as half a kernel or wider
   */
  PixelGroup(int size, Plane in, LayerShape layer) {
    this.size = size;
    window = new long[size];
    place = new long[size];
    values = new float[size * PopcountKernel.CHANNELS];
    this.in = in;
    height = layer.outLength(in.height());
    width = layer.outLength(in.width());
    stride = layer.stride();
    margin = layer.kernel() / 2;
    step = stride * in.pixelBytes();
  }

  /** How many groups the image has. */
  long groups() {
    return ((long) height * width + size - 1) / size;
  }

  /** Goes to a group; {@link #next} fills in its pixels. */
  void start(long group) {
    row((int) (group * size / width), (int) (group * size % width));
  }

  private void row(int h, int w) {
    this.h = h;
    this.w = w;
    at = in.pixel(h * stride - margin, w * stride - margin);
    number = (h + 1L) * (width + 2) + w + 1;
  }

  /** Fills in the next group and returns how many pixels it has. */
  int next() {
    int count = 0;
    for (int i = 0; i < size; i++) {
      window[i] = at;
      place[i] = number;
      if (w + 1 < width) {
        w++;
        at += step;
        number++;
      } else if (h + 1 < height) {
        row(h + 1, 0);
      } else if (count == 0) {
        count = i + 1;
      }
    }
    return count == 0 ? size : count;
  }
}
