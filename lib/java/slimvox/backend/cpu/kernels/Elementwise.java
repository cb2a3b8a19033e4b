package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.vector.StableVectors;

/**
 * Operations that take each element by itself, and those between a matrix and a row.
 *
 * <pre>
 * fill          x = value                          sumRows      b = (b +) sum of the rows of y
 * copy          y = x                              addToRows    each row of y += b
 * addScaled     y = y + alpha x                    isFinite     is every x finite
 * addRounded    y = y + alpha round(x)
 * relu          y = x &lt; 0 ? 0 : x               tanh         y = tanh x
 * reluBackward  dx = y &gt; 0 ? dy : 0            tanhBackward dx = dy (1 - y^2)
 * </pre>
 *
 * <p>They run at the speed of memory: one pass, vectors of the processor's full width.
 */
public final class Elementwise {
  /** A kernel on a run of elements from {@code from} on. */
  private interface Kernel {
    void run(long from, int count);
  }

  private final Parallel parallel;

  public Elementwise(Parallel parallel) {
    this.parallel = parallel;
  }

  public void fill(Tensor x, float value) {
    long at = x.address();
    int size = x.type().bytes();
    run(
        x.size(),
        (from, count) -> {
          MemorySegment part = Lanes.ALL.asSlice(at + from * size, (long) count * size);
          switch (x.type()) {
            case UINT8 -> part.fill((byte) (int) value);
            case INT32 -> {
              for (int i = 0; i < count; i++) {
                part.setAtIndex(ValueLayout.JAVA_INT, i, (int) value);
              }
            }
            case FLOAT32 -> fill(at + 4 * from, count, value);
          }
        });
  }

  private static void fill(long x, int count, float value) {
    FloatVector v = FloatVector.broadcast(Lanes.FLOATS, value);
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(x + 4L * i, v);
    if (i < count) store(x + 4L * i, v, tail(i, count));
  }

  public void copy(Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    int size = x.type().bytes();
    run(
        x.size(),
        (from, count) ->
            MemorySegment.copy(
                Lanes.ALL, in + from * size, Lanes.ALL, out + from * size, (long) count * size));
  }

  public void addScaled(float alpha, Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(x.size(), (from, count) -> addScaled(alpha, in + 4 * from, out + 4 * from, count));
  }

  private static void addScaled(float alpha, long x, long y, int count) {
    FloatVector a = FloatVector.broadcast(Lanes.FLOATS, alpha);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(y + 4L * i, load(x + 4L * i).fma(a, load(y + 4L * i)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(y + 4L * i, load(x + 4L * i, m).fma(a, load(y + 4L * i, m)), m);
    }
  }

  public float addRounded(float alpha, Tensor x, float step, Tensor y) {
    long in = x.address();
    long out = y.address();
    AtomicInteger largest = new AtomicInteger(); // bits of floats that are not negative are ordered
    run(
        x.size(),
        (from, count) -> {
          float here = addRounded(alpha * step, 1 / step, in + 4 * from, out + 4 * from, count);
          largest.accumulateAndGet(Float.floatToIntBits(here), Math::max);
        });
    return Float.intBitsToFloat(largest.get());
  }

  /** From 2^23 on a float is a whole number; below, adding and subtracting 2^23 makes it one. */
  private static final float WHOLE = 1 << 23;

  private static float addRounded(float scale, float inverse, long x, long y, int count) {
    FloatVector largest = FloatVector.zero(Lanes.FLOATS);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector sum = rounded(load(x + 4L * i).mul(inverse)).mul(scale).add(load(y + 4L * i));
      store(y + 4L * i, sum);
      largest = largest.max(sum.abs());
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      FloatVector sum =
          rounded(load(x + 4L * i, m).mul(inverse)).mul(scale).add(load(y + 4L * i, m));
      store(y + 4L * i, sum, m);
      largest = largest.max(sum.abs());
    }
    return largest.reduceLanes(VectorOperators.MAX);
  }

  private static FloatVector rounded(FloatVector v) {
    FloatVector size = v.abs();
    FloatVector whole = size.add(WHOLE).sub(WHOLE);
    whole = whole.blend(whole.neg(), v.lt(0));
    return whole.blend(v, size.compare(VectorOperators.GE, WHOLE));
  }

  public void relu(Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(x.size(), (from, count) -> relu(in + 4 * from, out + 4 * from, count));
  }

  private static void relu(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(y + 4L * i, positive(load(x + 4L * i)));
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(y + 4L * i, positive(load(x + 4L * i, m)), m);
    }
  }

  /** 0 where x is below 0; a NaN stays one, so that it is found. */
  private static FloatVector positive(FloatVector x) {
    return x.blend(0f, x.lt(0f));
  }

  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    long out = y.address();
    long up = dy.address();
    long down = dx.address();
    run(
        y.size(),
        (from, count) -> reluBackward(out + 4 * from, up + 4 * from, down + 4 * from, count));
  }

  private static void reluBackward(long y, long dy, long dx, int count) {
    FloatVector zero = FloatVector.zero(Lanes.FLOATS);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      VectorMask<Float> open = load(y + 4L * i).compare(VectorOperators.GT, 0f);
      store(dx + 4L * i, zero.blend(load(dy + 4L * i), open));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      VectorMask<Float> open = load(y + 4L * i, m).compare(VectorOperators.GT, 0f);
      store(dx + 4L * i, zero.blend(load(dy + 4L * i, m), open), m);
    }
  }

  public void tanh(Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(x.size(), (from, count) -> tanh(in + 4 * from, out + 4 * from, count));
  }

  private static void tanh(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(y + 4L * i, StableVectors.tanh(load(x + 4L * i)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(y + 4L * i, StableVectors.tanh(load(x + 4L * i, m)), m);
    }
  }

  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    long out = y.address();
    long up = dy.address();
    long down = dx.address();
    run(
        y.size(),
        (from, count) -> tanhBackward(out + 4 * from, up + 4 * from, down + 4 * from, count));
  }

  private static void tanhBackward(long y, long dy, long dx, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(dx + 4L * i, tanhSlope(load(y + 4L * i)).mul(load(dy + 4L * i)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(dx + 4L * i, tanhSlope(load(y + 4L * i, m)).mul(load(dy + 4L * i, m)), m);
    }
  }

  /** 1 - y^2. */
  private static FloatVector tanhSlope(FloatVector y) {
    return y.neg().fma(y, FloatVector.broadcast(Lanes.FLOATS, 1f));
  }

  public boolean isFinite(Tensor x) {
    long in = x.address();
    boolean[] finite = new boolean[parallel.threads()];
    Arrays.fill(finite, true);
    parallel.run(
        x.size(),
        1,
        (part, from, to) -> {
          for (long at = from; at < to && finite[part]; at += RUN) {
            finite[part] = isFinite(in + 4 * at, (int) Math.min(RUN, to - at));
          }
        });
    for (boolean part : finite) if (!part) return false;
    return true;
  }

  /** 0 x is 0 for a finite x and NaN otherwise; a sum that met one NaN stays one. */
  private static boolean isFinite(long x, int count) {
    FloatVector zero = FloatVector.zero(Lanes.FLOATS);
    FloatVector a = zero;
    FloatVector b = zero;
    int i = 0;
    for (; i <= count - 2 * LANES; i += 2 * LANES) {
      a = load(x + 4L * i).fma(zero, a);
      b = load(x + 4L * (i + LANES)).fma(zero, b);
    }
    for (; i < count; i += LANES) a = load(x + 4L * i, tail(i, count)).fma(zero, a);
    return !a.add(b).test(VectorOperators.IS_NAN).anyTrue();
  }

  // ---- a matrix and a row

  public void addToRows(Tensor b, Tensor y) {
    RowCycle cycle = RowCycle.of(y.shape().get(-1), y.size());
    long out = y.address();
    try (Arena arena = Arena.ofConfined()) {
      long row = cycle.repeat(b.address(), arena);
      parallel.run(
          cycle.cycles(),
          cycle.length(),
          (part, from, to) -> {
            for (long c = from; c < to; c++) {
              RowCycle.add(row, out + 4 * c * cycle.length(), cycle.count(c));
            }
          });
    }
  }

  public void sumRows(Tensor y, Tensor b, boolean accumulate) {
    RowCycle cycle = RowCycle.of(y.shape().get(-1), y.size());
    int channels = cycle.channels();
    double[][] totals = new double[parallel.threads()][];
    long in = y.address();
    parallel.run(
        cycle.cycles(),
        cycle.length(),
        (part, from, to) -> {
          totals[part] = new double[channels];
          try (Arena arena = Arena.ofConfined()) {
            long sums = cycle.table(arena);
            for (long block = from; block < to; block += BLOCK) {
              cycle.clear(sums);
              for (long c = block; c < Math.min(to, block + BLOCK); c++) {
                RowCycle.add(in + 4 * c * cycle.length(), sums, cycle.count(c));
              }
              cycle.fold(sums, totals[part]);
            }
          }
        });
    for (int c = 0; c < channels; c++) {
      double total = accumulate ? Lanes.get(b.address(), c) : 0;
      for (double[] part : totals) if (part != null) total += part[c];
      Lanes.set(b.address(), c, (float) total);
    }
  }

  /** Cycles summed in float32 before they go into float64. */
  private static final int BLOCK = 64;

  /** Elements of one call of a kernel, so that its loop counts in ints. */
  private static final int RUN = 1 << 22;

  private void run(long size, Kernel kernel) {
    parallel.run(
        size,
        1,
        (part, from, to) -> {
          for (long at = from; at < to; at += RUN) kernel.run(at, (int) Math.min(RUN, to - at));
        });
  }
}
