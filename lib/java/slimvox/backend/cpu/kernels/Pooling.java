package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Parallel;

/**
 * Statistics pooling over frames, and the change of layout that attentive pooling needs.
 *
 * <pre>
 * statisticsPooling  x N,H,W,C: out N x 2D = mean, sqrt(sum (x - mean)^2 / (W - 1) + floor) over W
 * framesFirst        y[n, w, c H + h] = x[n, h, w, c]
 * </pre>
 *
 * <p>D = C H and feature c H + h as in WeSpeaker's TSTP, which flattens B x C x F x T. Each (n, h)
 * is a matrix of W rows of C channels; it is read twice, the second time from the cache.
 */
public final class Pooling {
  /** Frames summed in float32 before they go into float64. */
  private static final int BLOCK = 128;

  private final Parallel parallel;

  public Pooling(Parallel parallel) {
    this.parallel = parallel;
  }

  /** Work on the W x C matrix of one utterance and one frequency. */
  private interface PlaneKernel {
    void run(long n, int h, long at);
  }

  private void planes(Tensor x, PlaneKernel kernel) {
    Shape s = x.shape();
    int height = s.get(1);
    long bytes = 4L * s.get(2) * s.get(3);
    parallel.run(
        (long) s.get(0) * height,
        bytes / 4,
        (part, from, to) -> {
          for (long p = from; p < to; p++) kernel.run(p / height, (int) (p % height), p * bytes);
        });
  }

  // ---- mean and deviation

  public void statisticsPooling(Tensor x, float floor, Tensor out) {
    int height = x.shape().get(1);
    int frames = x.shape().get(2);
    int channels = x.shape().get(3);
    long features = (long) channels * height;
    long in = x.address();
    planes(
        x,
        (n, h, at) -> {
          double[] sums = new double[channels];
          double[] squares = new double[channels];
          float[] shift = new float[channels];
          moments(in + at, frames, channels, shift, sums, squares);
          for (int c = 0; c < channels; c++) shift[c] = (float) (sums[c] / frames);
          Arrays.fill(sums, 0);
          Arrays.fill(squares, 0);
          moments(in + at, frames, channels, shift, sums, squares);
          long means = out.address() + 4 * (2 * n * features + h);
          long deviations = means + 4 * features;
          for (int c = 0; c < channels; c++) {
            double offset = sums[c] / frames; // what rounding left in the shift
            double variance = Math.max(0, squares[c] - offset * sums[c]) / (frames - 1);
            set(means, (long) c * height, (float) (shift[c] + offset));
            set(deviations, (long) c * height, (float) Math.sqrt(variance + floor));
          }
        });
  }

  /** Adds sum (x - shift) and sum (x - shift)^2 of each column. */
  private static void moments(
      long x, int rows, int channels, float[] shift, double[] sums, double[] squares) {
    float[] s = new float[channels];
    float[] q = new float[channels];
    for (int from = 0; from < rows; from += BLOCK) {
      Arrays.fill(s, 0);
      Arrays.fill(q, 0);
      for (int r = from; r < Math.min(rows, from + BLOCK); r++) {
        addShifted(x + 4L * r * channels, channels, shift, s, q);
      }
      for (int c = 0; c < channels; c++) {
        sums[c] += s[c];
        squares[c] += q[c];
      }
    }
  }

  private static void addShifted(long x, int count, float[] shift, float[] s, float[] q) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector d = load(x + 4L * i).sub(load(shift, i));
      load(s, i).add(d).intoArray(s, i);
      d.fma(d, load(q, i)).intoArray(q, i);
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      FloatVector d = load(x + 4L * i, m).sub(load(shift, i, m));
      load(s, i, m).add(d).intoArray(s, i, m);
      d.fma(d, load(q, i, m)).intoArray(q, i, m);
    }
  }

  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {
    int height = x.shape().get(1);
    int frames = x.shape().get(2);
    int channels = x.shape().get(3);
    long features = (long) channels * height;
    long in = x.address();
    long down = dx.address();
    planes(
        x,
        (n, h, at) -> {
          long row = 4 * (2 * n * features + h);
          float[] mean = new float[channels];
          float[] constant = new float[channels];
          float[] slope = new float[channels];
          for (int c = 0; c < channels; c++) {
            long feature = (long) c * height;
            mean[c] = get(out.address() + row, feature);
            double deviation = get(out.address() + row, features + feature);
            constant[c] = get(dout.address() + row, feature) / frames;
            double d = get(dout.address() + row, features + feature);
            slope[c] = (float) (d / ((frames - 1) * deviation));
          }
          for (int w = 0; w < frames; w++) {
            long r = at + 4L * w * channels;
            centered(in + r, mean, constant, slope, down + r, channels);
          }
        });
  }

  /** dx = constant + slope (x - mean). */
  private static void centered(
      long x, float[] mean, float[] constant, float[] slope, long dx, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(
          dx + 4L * i, load(x + 4L * i).sub(load(mean, i)).fma(load(slope, i), load(constant, i)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      FloatVector v = load(x + 4L * i, m).sub(load(mean, i, m));
      store(dx + 4L * i, v.fma(load(slope, i, m), load(constant, i, m)), m);
    }
  }

  // ---- layout

  public void framesFirst(Tensor x, Tensor y) {
    transpose(x, (from, to) -> set(y.address(), to, get(x.address(), from)));
  }

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
}
