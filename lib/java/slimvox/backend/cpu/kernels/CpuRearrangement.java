package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.VectorMask;
import slimvox.backend.Rearrangement;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Parallel;

/** Operations that only move values: runs of channels are copied whole. */
public final class CpuRearrangement implements Rearrangement.Kernels {
  private final Parallel parallel;

  /** Kernels that share {@code parallel} with the other families. */
  public CpuRearrangement(Parallel parallel) {
    this.parallel = parallel;
  }

  @Override
  public void sliceChannels(Tensor x, int first, Tensor part) {
    int channels = x.shape().get(-1);
    int taken = part.shape().get(-1);
    long in = x.address() + 4L * first;
    long out = part.address();
    rows(
        x.shape().rows(),
        taken,
        row -> copy(in + 4 * row * channels, out + 4 * row * taken, taken));
  }

  @Override
  public void writeChannels(Tensor part, int first, Tensor y) {
    int channels = y.shape().get(-1);
    int put = part.shape().get(-1);
    long in = part.address();
    long out = y.address() + 4L * first;
    rows(y.shape().rows(), put, row -> copy(in + 4 * row * put, out + 4 * row * channels, put));
  }

  @Override
  public void spaceToDepth(Tensor x, Tensor y) {
    depth(x.shape(), x.address(), y.address(), true);
  }

  @Override
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

  @Override
  public void framesFirst(Tensor x, Tensor y) {
    transpose(x, (from, to) -> set(y.address(), to, get(x.address(), from)));
  }

  @Override
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    long up = dy.address();
    long down = dx.address();
    if (accumulate) {
      transpose(dx, (from, to) -> set(down, from, get(down, from) + get(up, to)));
    } else {
      transpose(dx, (from, to) -> set(down, from, get(up, to)));
    }
  }

  private interface Pair {
    void run(long inFramesLast, long inFramesFirst);
  }

  /** Visits each element of N,H,W,C with its place in N,W,(C H), a frame's H x C at a time. */
  private void transpose(Tensor x, Pair pair) {
    int height = x.shape().get(1);
    int frames = x.shape().get(2);
    int channels = x.shape().get(3);
    long plane = (long) frames * channels;
    parallel.run(
        (long) x.shape().get(0) * frames,
        (long) height * channels,
        (part, from, to) -> {
          for (long f = from; f < to; f++) {
            long first = f / frames * height * plane + f % frames * channels;
            long second = f * height * channels;
            for (int c = 0; c < channels; c++) {
              for (int h = 0; h < height; h++) pair.run(first + h * plane + c, second++);
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
