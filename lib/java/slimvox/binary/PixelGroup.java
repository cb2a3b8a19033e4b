package slimvox.binary;

/**
 * The output pixels that a kernel computes at once, row by row over the whole image.
 *
 * <p>Groups go across the ends of rows, so that only the last one is not full; its missing pixels
 * repeat the last one, and are not stored.
 */
final class PixelGroup {
  /** Pixels of a group. */
  static final int SIZE = 8;

  /** Address of the window's first tap in the input, for each pixel. */
  final long[] window = new long[SIZE];

  /** Number of each pixel in the output, its border counted. */
  final long[] place = new long[SIZE];

  private final Plane in;
  private final int height;
  private final int width;
  private final int stride;
  private final int margin;
  private int h;
  private int w;

  /**
   * Groups of the output of a convolution.
   *
   * @param kernel odd; the input is padded by half of it, at most by its border
   */
  PixelGroup(Plane in, int height, int width, int kernel, int stride) {
    this.in = in;
    this.height = height;
    this.width = width;
    this.stride = stride;
    this.margin = kernel / 2;
  }

  /** How many groups the image has. */
  static long count(int height, int width) {
    return ((long) height * width + SIZE - 1) / SIZE;
  }

  /** Goes to a group; {@link #next} fills in its pixels. */
  void start(long group) {
    h = (int) (group * SIZE / width);
    w = (int) (group * SIZE % width);
  }

  /** Fills in the next group and returns how many pixels it has. */
  int next() {
    int count = 0;
    for (int i = 0; i < SIZE; i++) {
      window[i] = in.pixel(h * stride - margin, w * stride - margin);
      place[i] = (h + 1L) * (width + 2) + w + 1;
      if (h == height - 1 && w == width - 1) {
        if (count == 0) count = i + 1;
        continue;
      }
      if (++w == width) {
        w = 0;
        h++;
      }
    }
    return count == 0 ? SIZE : count;
  }
}
