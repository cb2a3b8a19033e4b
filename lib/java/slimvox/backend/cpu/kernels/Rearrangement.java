package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.VectorMask;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Parallel;

/**
 * Operations that only move values: runs of channels are copied whole.
 *
 * <pre>
 * takeChannels  part = channels first .. first + P of each row of x
 * putChannels   channels first .. first + P of each row of y = part
 * spaceToDepth  y[n, h, w, (2 i + j) C + c] = x[n, 2 h + i, 2 w + j, c]
 * depthToSpace  its inverse
 * </pre>
 */
public final class Rearrangement {
  private final Parallel parallel;

  public Rearrangement(Parallel parallel) {
    this.parallel = parallel;
  }

  public void takeChannels(Tensor x, int first, Tensor part) {
    int channels = x.shape().get(-1);
    int taken = part.shape().get(-1);
    long in = x.address() + 4L * first;
    long out = part.address();
    rows(
        x.shape().rows(),
        taken,
        row -> copy(in + 4 * row * channels, out + 4 * row * taken, taken));
  }

  public void putChannels(Tensor part, int first, Tensor y) {
    int channels = y.shape().get(-1);
    int put = part.shape().get(-1);
    long in = part.address();
    long out = y.address() + 4L * first;
    rows(y.shape().rows(), put, row -> copy(in + 4 * row * put, out + 4 * row * channels, put));
  }

  public void spaceToDepth(Tensor x, Tensor y) {
    depth(x.shape(), x.address(), y.address(), true);
  }

  public void depthToSpace(Tensor y, Tensor x) {
    depth(x.shape(), x.address(), y.address(), false);
  }

  /** One unit of work is a pixel of the deep side: two runs of two neighbouring pixels each. */
  private void depth(Shape wide, long x, long y, boolean towardsDepth) {
    int width = wide.get(2);
    int channels = wide.get(3);
    int deepWidth = width / 2;
    int run = 2 * channels; // pixels (2 h + i, 2 w) and (2 h + i, 2 w + 1) lie side by side
    rows(
        wide.rows() / 4,
        2 * run,
        pixel -> {
          long h = pixel / deepWidth; // counts through the batch
          long w = pixel % deepWidth;
          for (int i = 0; i < 2; i++) {
            long space = x + 4 * ((2 * h + i) * width + 2 * w) * channels;
            long depth = y + 4 * (2 * pixel + i) * run;
            if (towardsDepth) {
              copy(space, depth, run);
            } else {
              copy(depth, space, run);
            }
          }
        });
  }

  private interface Row {
    void run(long row);
  }

  private void rows(long rows, int valuesPerRow, Row work) {
    parallel.run(
        rows,
        valuesPerRow,
        (part, from, to) -> {
          for (long row = from; row < to; row++) work.run(row);
        });
  }

  private static void copy(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(y + 4L * i, load(x + 4L * i));
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(y + 4L * i, load(x + 4L * i, m), m);
    }
  }
}
