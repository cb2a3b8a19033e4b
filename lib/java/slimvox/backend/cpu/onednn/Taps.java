package slimvox.backend.cpu.onednn;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;

/**
 * The positions of a kernel, for a convolution that keeps the image's size and has many channels on
 * one side and few on the other.
 *
 * <p>With t taps such a convolution is a product of pixels x many with many x (t few) numbers, and
 * movements of t few numbers a pixel. oneDNN's convolutions fill vectors of 16 with the output's
 * channels, so that 24 of them take as long as 32, and more; in the product the columns are t times
 * as many, and hardly any lane is idle: with 2048 and 24 channels it takes half the time. The
 * weight's gradient gains from columns that stay in the cache, too, where they are few beside the
 * pixels' many channels.
 *
 * <p>Source: Vasudevan et al. 2017, arXiv 1704.04428 (kn2row).
 *
 * @param narrow channels on the narrow side
 * @param direction 1: tap (a, b) is at (a - pad, b - pad) of a pixel; -1: on the opposite side
 */
record Taps(
    int batch,
    int height,
    int width,
    int wide,
    int narrow,
    int kernelHeight,
    int kernelWidth,
    int direction) {
  private static final int FEWEST = 4; // below, as in a first layer, the product is too thin
  private static final long CACHE = 2 << 20;

  /** The taps of a convolution whose narrow side is its output, or its input. */
  static Taps of(Convolution g, boolean narrowOutput, int direction) {
    return new Taps(
        g.batch(),
        g.height(),
        g.width(),
        narrowOutput ? g.inChannels() : g.outChannels(),
        narrowOutput ? g.outChannels() : g.inChannels(),
        g.kernelHeight(),
        g.kernelWidth(),
        direction);
  }

  /**
   * True if a convolution from so many channels to so few is faster as a {@link ShiftedProduct}.
   */
  static boolean shiftingIsFaster(Convolution g, int many, int few) {
    return keepsSize(g) && few >= FEWEST && few < 2 * LANES && few % LANES != 0 && many >= 16 * few;
  }

  /** True if the gradient of a convolution's weight is faster as a {@link GatheredProduct}. */
  static boolean gatheringIsFaster(Convolution g) {
    int few = Math.min(g.inChannels(), g.outChannels());
    int many = Math.max(g.inChannels(), g.outChannels());
    return keepsSize(g) && few >= FEWEST && few <= 2 * LANES && many >= 32 * few;
  }

  private static boolean keepsSize(Convolution g) {
    return g.type() == DataType.FLOAT32
        && g.groups() == 1
        && g.strideHeight() == 1
        && g.strideWidth() == 1
        && g.kernelHeight() * g.kernelWidth() > 1
        && 2 * g.padHeight() + 1 == g.kernelHeight()
        && 2 * g.padWidth() + 1 == g.kernelWidth();
  }

  /** Columns of a product: taps times narrow channels. */
  int columns() {
    return kernelHeight * kernelWidth * narrow;
  }

  /** The largest part of {@code units}, of so many pixels each, whose columns stay in the cache. */
  int inCache(int units, int pixelsEach) {
    long most = CACHE / ((long) Float.BYTES * columns() * pixelsEach);
    int part = 1;
    for (int n = 2; n <= Math.min(units, most); n++) if (units % n == 0) part = n;
    return part;
  }

  /** narrow[p] = sum over taps of columns[p + tap, tap], zero outside, for so many images. */
  void sum(Parallel parallel, int images, long columns, long narrowSide) {
    parallel.run(
        (long) images * height,
        (long) width * columns(),
        (part, from, to) -> {
          for (long row = from; row < to; row++) {
            for (int w = 0; w < width; w++) {
              sum(columns, row, w, narrowSide + 4 * narrow * (row * width + w));
            }
          }
        });
  }

  private void sum(long columns, long row, int w, long to) {
    for (int c = 0; c < narrow; c += LANES) {
      VectorMask<Float> lanes = tail(c, narrow);
      FloatVector sum = FloatVector.zero(Lanes.FLOATS);
      for (int tap = 0; tap < kernelHeight * kernelWidth; tap++) {
        long pixel = neighbour(row, w, tap);
        if (pixel < 0) continue;
        sum = sum.add(load(columns + 4 * (pixel * columns() + tap * narrow + c), lanes));
      }
      store(to + 4L * c, sum, lanes);
    }
  }

  /** columns[p, tap] = narrow[p + tap], zero outside, for rows of all images from one on. */
  void gather(Parallel parallel, long narrowSide, long firstRow, int rows, long columns) {
    parallel.run(
        rows,
        (long) width * columns(),
        (part, from, to) -> {
          for (long row = from; row < to; row++) {
            for (int w = 0; w < width; w++) {
              gather(narrowSide, firstRow + row, w, columns + 4 * columns() * (row * width + w));
            }
          }
        });
  }

  private void gather(long narrowSide, long row, int w, long to) {
    FloatVector zero = FloatVector.zero(Lanes.FLOATS);
    for (int tap = 0; tap < kernelHeight * kernelWidth; tap++) {
      long pixel = neighbour(row, w, tap);
      long from = narrowSide + 4 * pixel * narrow;
      for (int c = 0; c < narrow; c += LANES) {
        VectorMask<Float> lanes = tail(c, narrow);
        store(to + 4L * (tap * narrow + c), pixel < 0 ? zero : load(from + 4L * c, lanes), lanes);
      }
    }
  }

  /** The pixel at a tap of pixel w of a row, counted over all images; -1 outside of the image. */
  private long neighbour(long row, int w, int tap) {
    int down = direction * (tap / kernelWidth - kernelHeight / 2);
    int y = (int) (row % height) + down;
    int x = w + direction * (tap % kernelWidth - kernelWidth / 2);
    boolean inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? (row + down) * width + x : -1;
  }
}
