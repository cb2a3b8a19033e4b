package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;

import java.lang.foreign.Arena;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
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

  /** One filter, whose first element is {@code first}; with tables for its weights. */
  private interface Filter {
    void run(int filter, long first, long[] tables);
  }

  private void filters(Tensor weight, int size, Filter work) {
    parallel.run(
        weight.shape().get(0),
        size,
        (part, from, to) -> {
          try (Arena arena = Arena.ofConfined()) {
            long[] tables = new long[3];
            Arrays.setAll(tables, t -> Elements.table(arena, size));
            for (long f = from; f < to; f++) work.run((int) f, f * size, tables);
          }
        });
  }

  private static int size(Tensor weight) {
    return Math.toIntExact(weight.size() / weight.shape().get(0));
  }

  void binarize(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    Elements in = Elements.of(weight);
    Elements out = Elements.of(binary);
    int size = size(weight);
    filters(
        weight,
        size,
        (filter, first, tables) -> {
          long w = in.read(first, size, tables[0]);
          float scale = (float) (sumOfSizes(w, size) / size);
          Lanes.set(alpha.address(), filter, scale);
          long to = out.place(first, size, tables[1]);
          signs(w, to, size, scaled ? scale : 1);
          out.write(first, size, to);
        });
  }

  private static double sumOfSizes(long w, int count) {
    double total = 0;
    for (int block = 0; block < count; block += BLOCK * LANES) {
      int end = Math.min(count, block + BLOCK * LANES);
      FloatVector sum = FloatVector.zero(Lanes.FLOATS);
      for (int i = block; i < end; i += LANES) sum = sum.add(load(w + 4L * i).abs());
      total += ReproducibleMath.sum(sum);
    }
    return total;
  }

  private static void signs(long w, long binary, int count, float scale) {
    for (int i = 0; i < count; i += LANES) store(binary + 4L * i, signed(load(w + 4L * i), scale));
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
    Elements in = Elements.of(weight);
    Elements up = Elements.of(dbinary);
    Elements down = Elements.of(dweight);
    int size = size(weight);
    filters(
        weight,
        size,
        (filter, first, tables) -> {
          long w = in.read(first, size, tables[0]);
          long d = up.read(first, size, tables[1]);
          long to = down.read(first, size, tables[2]);
          float scale = gradient == BinaryGradient.STE ? 1 : Lanes.get(alpha.address(), filter);
          float everywhere = gradient == BinaryGradient.XNOR ? 1f / size : 0;
          float ofScale =
              gradient == BinaryGradient.EXACT ? (float) (sumOfSigned(w, d, size) / size) : 0;
          gradient(w, d, to, size, scale, everywhere, ofScale, accumulate);
          down.write(first, size, to);
        });
  }

  /** sum(D sign W), size(W)^-1 times the gradient of the scale. */
  private static double sumOfSigned(long w, long d, int count) {
    double total = 0;
    for (int block = 0; block < count; block += BLOCK * LANES) {
      int end = Math.min(count, block + BLOCK * LANES);
      FloatVector sum = FloatVector.zero(Lanes.FLOATS);
      for (int i = block; i < end; i += LANES) {
        sum = load(d + 4L * i).fma(signed(load(w + 4L * i), 1), sum);
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
    for (int i = 0; i < count; i += LANES) {
      FloatVector before = accumulate ? load(dw + 4L * i) : zero;
      FloatVector g =
          gradient(load(w + 4L * i), load(d + 4L * i), scale, everywhere, ofScale).add(before);
      store(dw + 4L * i, g);
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
