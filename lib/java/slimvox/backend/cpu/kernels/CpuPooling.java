package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.Arena;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.Pooling;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.vector.ReproducibleMath;

/**
 * Statistics pooling over frames, and attentive statistics pooling (Okabe et al. 2018, arXiv
 * 1803.10963).
 *
 * <p>In statistics pooling of N x H x W x C each (n, h) is a matrix of W rows of C channels; it is
 * read twice, the second time from the cache. Attentive pooling follows each vector of columns of N
 * x W x D down the frames; its variance is summed as sum alpha (x - m)^2 + m^2 (1 - sum alpha),
 * which is the same number without the loss of digits.
 */
public final class CpuPooling implements Pooling.Kernels {
  /** Frames summed in float32 before they go into float64. */
  private static final int BLOCK = 128;

  private final Parallel parallel;

  /** Kernels that share {@code parallel} with the other families. */
  public CpuPooling(Parallel parallel) {
    this.parallel = parallel;
  }

  /** Work on the W x C matrix of one utterance and one frequency. */
  private interface PlaneKernel {
    void run(long n, int h, long at, long table);
  }

  /**
   * @param at of the kernel: the number of the matrix's first element
   */
  private void planes(Tensor x, PlaneKernel kernel) {
    Shape s = x.shape();
    int height = s.get(1);
    long plane = (long) s.get(2) * s.get(3);
    parallel.run(
        (long) s.get(0) * height,
        plane,
        (part, from, to) -> {
          try (Arena arena = Arena.ofConfined()) {
            long table = Elements.table(arena, s.get(3));
            for (long p = from; p < to; p++) {
              kernel.run(p / height, (int) (p % height), p * plane, table);
            }
          }
        });
  }

  @Override
  public void statisticsPooling(Tensor x, float floor, Tensor out) {
    int height = x.shape().get(1);
    int frames = x.shape().get(2);
    int channels = x.shape().get(3);
    long features = (long) channels * height;
    Elements in = Elements.of(x);
    planes(
        x,
        (n, h, at, table) -> {
          double[] sums = new double[channels];
          double[] squares = new double[channels];
          float[] shift = new float[channels];
          moments(in.from(at), frames, table, shift, sums, squares);
          for (int c = 0; c < channels; c++) shift[c] = (float) (sums[c] / frames);
          Arrays.fill(sums, 0);
          Arrays.fill(squares, 0);
          moments(in.from(at), frames, table, shift, sums, squares);
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
      Elements x, int rows, long table, float[] shift, double[] sums, double[] squares) {
    int channels = shift.length;
    float[] s = new float[channels];
    float[] q = new float[channels];
    for (int from = 0; from < rows; from += BLOCK) {
      Arrays.fill(s, 0);
      Arrays.fill(q, 0);
      for (int r = from; r < Math.min(rows, from + BLOCK); r++) {
        long row = x.read((long) r * channels, channels, table);
        addShifted(row, channels, shift, s, q);
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

  @Override
  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {
    int height = x.shape().get(1);
    int frames = x.shape().get(2);
    int channels = x.shape().get(3);
    long features = (long) channels * height;
    Elements in = Elements.of(x);
    Elements down = Elements.of(dx);
    planes(
        x,
        (n, h, at, table) -> {
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
            long r = at + (long) w * channels;
            long place = down.place(r, channels, table);
            centered(in.read(r, channels, table), mean, constant, slope, place, channels);
            down.write(r, channels, place);
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

  /**
   * Work on one vector of columns of one utterance; columns not in {@code mask} are not touched.
   */
  private interface ColumnsKernel {
    /**
     * @param at bytes to the columns in the first frame
     * @param out bytes to the columns in a row of 2D statistics
     */
    void run(long at, long out, VectorMask<Float> mask);
  }

  private void columns(Tensor x, ColumnsKernel kernel) {
    int frames = x.shape().get(1);
    int features = x.shape().get(2);
    int vectors = (features + LANES - 1) / LANES;
    parallel.run(
        (long) x.shape().get(0) * vectors,
        (long) frames * LANES,
        (part, from, to) -> {
          for (long v = from; v < to; v++) {
            long n = v / vectors;
            int column = (int) (v % vectors) * LANES;
            long at = 4 * (n * frames * features + column);
            kernel.run(at, 4 * (2 * n * features + column), tail(column, features));
          }
        });
  }

  // ---- attentive: softmax

  @Override
  public void softmaxOverFrames(Tensor x, Tensor y) {
    int frames = x.shape().get(1);
    long stride = 4L * x.shape().get(2);
    columns(x, (at, out, m) -> softmax(x.address() + at, y.address() + at, frames, stride, m));
  }

  private static void softmax(long x, long y, int frames, long stride, VectorMask<Float> m) {
    FloatVector largest = load(x, m);
    for (int w = 1; w < frames; w++) largest = largest.max(load(x + w * stride, m));
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int w = 0; w < frames; w++) {
      FloatVector e = ReproducibleMath.exp(load(x + w * stride, m).sub(largest));
      store(y + w * stride, e, m);
      sum = sum.add(e);
    }
    FloatVector one = FloatVector.broadcast(Lanes.FLOATS, 1f);
    FloatVector factor = one.div(sum);
    for (int w = 0; w < frames; w++) store(y + w * stride, load(y + w * stride, m).mul(factor), m);
  }

  @Override
  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    columns(y, (at, out, m) -> softmaxBackward(y, dy, dx, at, m));
  }

  private static void softmaxBackward(
      Tensor out, Tensor dout, Tensor in, long at, VectorMask<Float> m) {
    int frames = out.shape().get(1);
    long stride = 4L * out.shape().get(2);
    long y = out.address() + at;
    long dy = dout.address() + at;
    long dx = in.address() + at;
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int w = 0; w < frames; w++) {
      sum = load(y + w * stride, m).fma(load(dy + w * stride, m), sum);
    }
    for (int w = 0; w < frames; w++) {
      FloatVector d = load(dy + w * stride, m).sub(sum).mul(load(y + w * stride, m));
      store(dx + w * stride, d, m);
    }
  }

  // ---- attentive: statistics

  @Override
  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    columns(x, (at, row, m) -> weightedStatistics(x, alpha, floor, out, at, row, m));
  }

  private static void weightedStatistics(
      Tensor in,
      Tensor weights,
      float floor,
      Tensor out,
      long at,
      long row,
      VectorMask<Float> mask) {
    int frames = in.shape().get(1);
    long stride = 4L * in.shape().get(2);
    long x = in.address() + at;
    long alpha = weights.address() + at;
    long mean = out.address() + row;
    FloatVector m = FloatVector.zero(Lanes.FLOATS);
    // What is left of 1 when all alpha are taken away; lost is what rounding took (TwoSum, Knuth).
    FloatVector left = FloatVector.broadcast(Lanes.FLOATS, 1f);
    FloatVector lost = FloatVector.zero(Lanes.FLOATS);
    for (int w = 0; w < frames; w++) {
      FloatVector a = load(alpha + w * stride, mask);
      m = a.fma(load(x + w * stride, mask), m);
      FloatVector next = left.sub(a);
      FloatVector taken = left.sub(next);
      lost = lost.add(left.sub(next.add(taken)).add(taken.sub(a)));
      left = next;
    }
    FloatVector squares = m.mul(m).mul(left.add(lost));
    for (int w = 0; w < frames; w++) {
      FloatVector d = load(x + w * stride, mask).sub(m);
      squares = d.mul(d).fma(load(alpha + w * stride, mask), squares);
    }
    store(mean, m, mask);
    // blend, not max: cheaper, and a NaN stays one
    store(mean + stride, squares.blend(floor, squares.lt(floor)).sqrt(), mask);
  }

  @Override
  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {
    int frames = x.shape().get(1);
    long stride = 4L * x.shape().get(2);
    columns(
        x,
        (at, row, m) ->
            weightedBackward(
                x.address() + at,
                alpha.address() + at,
                frames,
                stride,
                floor,
                out.address() + row,
                dout.address() + row,
                dx.address() + at,
                dalpha.address() + at,
                m));
  }

  private static void weightedBackward(
      long x,
      long alpha,
      int frames,
      long stride,
      float floor,
      long out,
      long dout,
      long dx,
      long dalpha,
      VectorMask<Float> mask) {
    FloatVector m = load(out, mask);
    FloatVector dm = load(dout, mask);
    FloatVector deviation = load(out + stride, mask);
    FloatVector half = load(dout + stride, mask).div(deviation.add(deviation));
    FloatVector dvariance = half.blend(0f, deviation.compare(VectorOperators.LE, root(floor)));
    FloatVector twice = m.add(m);
    for (int w = 0; w < frames; w++) {
      FloatVector v = load(x + w * stride, mask);
      FloatVector a = load(alpha + w * stride, mask);
      store(dalpha + w * stride, v.sub(twice).fma(dvariance, dm).mul(v), mask);
      store(dx + w * stride, v.add(v).sub(twice).fma(dvariance, dm).mul(a), mask);
    }
  }

  /** The deviation where the floor was taken. */
  private static float root(float floor) {
    return (float) Math.sqrt(floor);
  }
}
