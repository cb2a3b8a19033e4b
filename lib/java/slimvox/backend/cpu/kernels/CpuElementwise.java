package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.DataType;
import slimvox.backend.Elementwise;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.vector.ReproducibleMath;

/**
 * Operations that take each element by itself, at the speed of memory: one pass, vectors of the
 * processor's full width.
 *
 * <p>Each kernel writes out its main loop and its masked tail. One loop that takes the operation as
 * a lambda is no way out: after four operations have been seen, HotSpot calls it and boxes each
 * vector, and ReLU of 65,536 floats takes 0.123 ms on one thread instead of 0.008.
 */
public final class CpuElementwise implements Elementwise.Kernels {
  /** A kernel on a run of elements from {@code from} on. */
  private interface Kernel {
    void run(long from, int count);
  }

  private final Parallel parallel;

  /** Kernels that share {@code parallel} with the other families. */
  public CpuElementwise(Parallel parallel) {
    this.parallel = parallel;
  }

  @Override
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
            case BFLOAT16 -> {
              for (int i = 0; i < count; i++) {
                part.setAtIndex(ValueLayout.JAVA_SHORT, i, DataType.bfloat16(value));
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

  @Override
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

  @Override
  public void convert(Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(
        x.size(),
        y.type() == DataType.BFLOAT16
            ? (from, count) -> narrow(in + 4 * from, out + 2 * from, count)
            : (from, count) -> widen(in + 2 * from, out + 4 * from, count));
  }

  private static void narrow(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) Lanes.storeBfloat16(y + 2L * i, load(x + 4L * i));
    for (; i < count; i++) Lanes.setBfloat16(y, i, Lanes.get(x, i));
  }

  private static void widen(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(y + 4L * i, Lanes.loadBfloat16(x + 2L * i));
    for (; i < count; i++) Lanes.set(y, i, Lanes.getBfloat16(x, i));
  }

  @Override
  public void axpy(float alpha, Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(x.size(), (from, count) -> axpy(alpha, in + 4 * from, out + 4 * from, count));
  }

  private static void axpy(float alpha, long x, long y, int count) {
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

  @Override
  public void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    long in = x.address();
    long out = y.address();
    // The bits of floats that are not negative are ordered as they are, NaN above all.
    AtomicInteger bits = new AtomicInteger();
    run(
        x.size(),
        (from, count) -> {
          float here = addRounded(alpha * step, 1 / step, in + 4 * from, out + 4 * from, count);
          bits.accumulateAndGet(Float.floatToIntBits(here), Math::max);
        });
    if (largest == null) return;
    int before = Lanes.getInt(largest.address(), 0);
    Lanes.setInt(largest.address(), 0, Math.max(before, bits.get()));
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

  @Override
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

  @Override
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

  @Override
  public void tanh(Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(x.size(), (from, count) -> tanh(in + 4 * from, out + 4 * from, count));
  }

  private static void tanh(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(y + 4L * i, ReproducibleMath.tanh(load(x + 4L * i)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(y + 4L * i, ReproducibleMath.tanh(load(x + 4L * i, m)), m);
    }
  }

  @Override
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

  @Override
  public void gelu(Tensor x, Tensor y) {
    long in = x.address();
    long out = y.address();
    run(x.size(), (from, count) -> gelu(in + 4 * from, out + 4 * from, count));
  }

  private static void gelu(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector v = load(x + 4L * i);
      store(y + 4L * i, v.div(exponential(v).add(1f)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      FloatVector v = load(x + 4L * i, m);
      store(y + 4L * i, v.div(exponential(v).add(1f)), m);
    }
  }

  /** e^-2u: (1 + tanh u) / 2 is 1 / (1 + e^-2u), without the loss of digits. */
  private static FloatVector exponential(FloatVector x) {
    return ReproducibleMath.exp(x.mul(x).mul(-0.0713548163f).sub(1.59576912f).mul(x));
  }

  @Override
  public void geluBackward(Tensor x, Tensor dy, Tensor dx) {
    long in = x.address();
    long up = dy.address();
    long down = dx.address();
    run(
        x.size(),
        (from, count) -> geluBackward(in + 4 * from, up + 4 * from, down + 4 * from, count));
  }

  private static void geluBackward(long x, long dy, long dx, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(dx + 4L * i, geluSlope(load(x + 4L * i)).mul(load(dy + 4L * i)));
    }
    if (i < count) {
      VectorMask<Float> m = tail(i, count);
      store(dx + 4L * i, geluSlope(load(x + 4L * i, m)).mul(load(dy + 4L * i, m)), m);
    }
  }

  /**
   * s + x s (1 - s) 2u', 1 - s = s e^-2u; beyond 10 it is 1 or 0, and its factors could be infinity
   * times 0.
   */
  private static FloatVector geluSlope(FloatVector x) {
    FloatVector z = x.max(-10f).min(10f);
    FloatVector e = exponential(z);
    FloatVector s = FloatVector.broadcast(Lanes.FLOATS, 1f).div(e.add(1f));
    FloatVector steep = z.mul(z).mul(0.214064449f).add(1.59576912f);
    return z.mul(s).mul(s.mul(e)).fma(steep, s);
  }

  @Override
  public int firstNotFinite(List<Tensor> tensors) {
    for (int i = 0; i < tensors.size(); i++) if (!isFinite(tensors.get(i))) return i;
    return -1;
  }

  @Override
  public void markNotFinite(Tensor x, Tensor flag) {
    if (!isFinite(x)) Lanes.setInt(flag.address(), 0, 1);
  }

  private boolean isFinite(Tensor x) {
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
