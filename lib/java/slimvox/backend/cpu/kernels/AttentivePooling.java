package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.vector.StableVectors;

/**
 * Attentive statistics pooling (Okabe et al. 2018, arXiv 1803.10963) on frames-first activations, N
 * x W x D.
 *
 * <pre>
 * softmaxOverFrames   alpha = exp(x) / sum over W of exp(x), each of D columns by itself
 * weightedStatistics  m = sum alpha x;  sqrt(max(sum alpha x^2 - m^2, floor))
 * </pre>
 *
 * <p>Each vector of columns is followed down the frames. The variance is summed as sum alpha (x -
 * m)^2 + m^2 (1 - sum alpha), which is the same number without the loss of digits.
 */
public final class AttentivePooling {
  private final Parallel parallel;

  public AttentivePooling(Parallel parallel) {
    this.parallel = parallel;
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

  // ---- softmax

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
      FloatVector e = StableVectors.exp(load(x + w * stride, m).sub(largest));
      store(y + w * stride, e, m);
      sum = sum.add(e);
    }
    FloatVector one = FloatVector.broadcast(Lanes.FLOATS, 1f);
    FloatVector factor = one.div(sum);
    for (int w = 0; w < frames; w++) store(y + w * stride, load(y + w * stride, m).mul(factor), m);
  }

  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    int frames = y.shape().get(1);
    long stride = 4L * y.shape().get(2);
    columns(
        y,
        (at, out, m) ->
            softmaxBackward(
                y.address() + at, dy.address() + at, dx.address() + at, frames, stride, m));
  }

  private static void softmaxBackward(
      long y, long dy, long dx, int frames, long stride, VectorMask<Float> m) {
    FloatVector sum = FloatVector.zero(Lanes.FLOATS);
    for (int w = 0; w < frames; w++) {
      sum = load(y + w * stride, m).fma(load(dy + w * stride, m), sum);
    }
    for (int w = 0; w < frames; w++) {
      FloatVector d = load(dy + w * stride, m).sub(sum).mul(load(y + w * stride, m));
      store(dx + w * stride, d, m);
    }
  }

  // ---- statistics

  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    int frames = x.shape().get(1);
    int features = x.shape().get(2);
    columns(
        x,
        (at, row, m) ->
            weightedStatistics(
                x.address() + at,
                alpha.address() + at,
                frames,
                4L * features,
                floor,
                out.address() + row,
                out.address() + row + 4L * features,
                m));
  }

  private static void weightedStatistics(
      long x,
      long alpha,
      int frames,
      long stride,
      float floor,
      long mean,
      long deviation,
      VectorMask<Float> mask) {
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
    store(deviation, squares.blend(floor, squares.lt(floor)).sqrt(), mask);
  }

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
