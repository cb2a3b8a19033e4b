package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.vector.ReproducibleMath;

/**
 * Weights to signs and scales, filter by filter.
 *
 * <pre>
 * binarize  alpha = mean |W| of a filter; binary = alpha sign(W) or sign(W)
 * backward  dW from the gradient D of alpha sign(W), see {@link BinaryGradient}
 * </pre>
 *
 * <p>The sums run in float32 over {@value #BLOCK} vectors and in float64 from there on.
 */
final class BinaryFilters {
  private static final int BLOCK = 64;

  private final Parallel parallel;

  BinaryFilters(Parallel parallel) {
    this.parallel = parallel;
  }

  /** One filter: the addresses of its weights in several tensors are {@code 4 first} further on. */
  private interface Filter {
    void run(int filter, long first);
  }

  private void filters(Tensor weight, int size, Filter work) {
    parallel.run(
        weight.shape().get(0),
        size,
        (part, from, to) -> {
          for (long filter = from; filter < to; filter++) work.run((int) filter, filter * size);
        });
  }

  private static int size(Tensor weight) {
    return Math.toIntExact(weight.size() / weight.shape().get(0));
  }

  void binarize(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    long in = weight.address();
    long scales = alpha.address();
    long out = binary.address();
    int size = size(weight);
    filters(
        weight,
        size,
        (filter, first) -> {
          float scale = (float) (sumOfSizes(in + 4 * first, size) / size);
          Lanes.set(scales, filter, scale);
          signs(in + 4 * first, out + 4 * first, size, scaled ? scale : 1);
        });
  }

  private static double sumOfSizes(long w, int count) {
    double total = 0;
    for (int block = 0; block < count; block += BLOCK * LANES) {
      int end = Math.min(count, block + BLOCK * LANES);
      FloatVector sum = FloatVector.zero(Lanes.FLOATS);
      int i = block;
      for (; i <= end - LANES; i += LANES) sum = sum.add(load(w + 4L * i).abs());
      if (i < end) sum = sum.add(load(w + 4L * i, tail(i, end)).abs());
      total += ReproducibleMath.sum(sum);
    }
    return total;
  }

  private static void signs(long w, long binary, int count, float scale) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(binary + 4L * i, signed(load(w + 4L * i), scale));
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(binary + 4L * i, signed(load(w + 4L * i, m), scale), m);
    }
  }

  /** scale sign(x); NaN for NaN, so that it is found. */
  static FloatVector signed(FloatVector x, float scale) {
    return x.blend(scale, x.compare(VectorOperators.GE, 0f)).blend(-scale, x.lt(0f));
  }

  void backward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    long in = weight.address();
    long scales = alpha.address();
    long up = dbinary.address();
    long down = dweight.address();
    int size = size(weight);
    filters(
        weight,
        size,
        (filter, first) -> {
          long w = in + 4 * first;
          long d = up + 4 * first;
          float scale = gradient == BinaryGradient.STE ? 1 : Lanes.get(scales, filter);
          float everywhere = gradient == BinaryGradient.XNOR ? 1f / size : 0;
          float ofScale =
              gradient == BinaryGradient.EXACT ? (float) (sumOfSigned(w, d, size) / size) : 0;
          gradient(w, d, down + 4 * first, size, scale, everywhere, ofScale, accumulate);
        });
  }

  /** sum(D sign W), size(W)^-1 times the gradient of the scale. */
  private static double sumOfSigned(long w, long d, int count) {
    double total = 0;
    for (int block = 0; block < count; block += BLOCK * LANES) {
      int end = Math.min(count, block + BLOCK * LANES);
      FloatVector sum = FloatVector.zero(Lanes.FLOATS);
      int i = block;
      for (; i <= end - LANES; i += LANES) {
        sum = load(d + 4L * i).fma(signed(load(w + 4L * i), 1), sum);
      }
      if (i < end) {
        VectorMask<Float> m = tail(i, end);
        sum = load(d + 4L * i, m).fma(signed(load(w + 4L * i, m), 1), sum);
      }
      total += ReproducibleMath.sum(sum);
    }
    return total;
  }

  private static void gradient(
      long w,
      long d,
      long dw,
      int count,
      float scale,
      float everywhere,
      float ofScale,
      boolean accumulate) {
    FloatVector zero = FloatVector.zero(Lanes.FLOATS);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector before = accumulate ? load(dw + 4L * i) : zero;
      FloatVector g =
          gradient(load(w + 4L * i), load(d + 4L * i), scale, everywhere, ofScale).add(before);
      store(dw + 4L * i, g);
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      FloatVector before = accumulate ? load(dw + 4L * i, m) : zero;
      FloatVector g =
          gradient(load(w + 4L * i, m), load(d + 4L * i, m), scale, everywhere, ofScale)
              .add(before);
      store(dw + 4L * i, g, m);
    }
  }

  /** D (everywhere + scale r) + ofScale sign(W). */
  private static FloatVector gradient(
      FloatVector w, FloatVector d, float scale, float everywhere, float ofScale) {
    VectorMask<Float> through = w.abs().compare(VectorOperators.LE, 1f);
    FloatVector factor =
        FloatVector.broadcast(Lanes.FLOATS, everywhere).blend(everywhere + scale, through);
    return d.mul(factor).add(signed(w, ofScale));
  }
}
