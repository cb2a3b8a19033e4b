package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.ALL;
import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.VectorMask;
import slimvox.backend.Rearrangement;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
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
    long channels = bytes(x);
    long taken = bytes(part);
    long in = x.address() + (long) first * x.type().bytes();
    long out = part.address();
    rows(x.shape().rows(), taken, row -> copy(in + row * channels, out + row * taken, taken));
  }

  @Override
  public void writeChannels(Tensor part, int first, Tensor y) {
    long channels = bytes(y);
    long put = bytes(part);
    long in = part.address();
    long out = y.address() + (long) first * y.type().bytes();
    rows(y.shape().rows(), put, row -> copy(in + row * put, out + row * channels, put));
  }

  /** Bytes of a row. */
  private static long bytes(Tensor x) {
    return (long) x.shape().get(-1) * x.type().bytes();
  }

  @Override
  public void spaceToDepth(Tensor x, Tensor y) {
    depth(x, y, true);
  }

  @Override
  public void depthToSpace(Tensor y, Tensor x) {
    depth(x, y, false);
  }

  /** One unit of work is a pixel of the deep side: two runs of neighbouring pixels each. */
  private void depth(Tensor wide, Tensor deep, boolean towardsDepth) {
    int deepWidth = deep.shape().get(2);
    long x = wide.address();
    long y = deep.address();
    long run = bytes(deep) / 2; // pixels (2 h + i, t w + j) of all j lie side by side
    rows(
        deep.shape().rows(),
        2 * run,
        pixel -> {
          long h = pixel / deepWidth; // counts through the batch
          long w = pixel % deepWidth;
          for (int i = 0; i < 2; i++) {
            long space = x + ((2 * h + i) * deepWidth + w) * run;
            long depth = y + (2 * pixel + i) * run;
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
    Elements in = Elements.of(x);
    transpose(x, (from, to) -> set(y.address(), to, in.get(from)));
  }

  @Override
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    long up = dy.address();
    Elements down = Elements.of(dx);
    if (accumulate) {
      transpose(dx, (from, to) -> down.set(from, down.get(from) + get(up, to)));
    } else {
      transpose(dx, (from, to) -> down.set(from, get(up, to)));
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

  private void rows(long rows, long bytesPerRow, Row work) {
    parallel.run(
        rows,
        (bytesPerRow + 3) / 4,
        (part, from, to) -> {
          for (long row = from; row < to; row++) work.run(row);
        });
  }

  private static void copy(long x, long y, long bytes) {
    int floats = (int) (bytes / 4);
    int i = 0;
    for (; i <= floats - LANES; i += LANES) store(y + 4L * i, load(x + 4L * i));
    if (i < floats) {
      VectorMask<Float> m = tail(i, floats);
      store(y + 4L * i, load(x + 4L * i, m), m);
    }
    for (long at = 4L * floats; at < bytes; at++) {
      ALL.set(ValueLayout.JAVA_BYTE, y + at, ALL.get(ValueLayout.JAVA_BYTE, x + at));
    }
  }
}
