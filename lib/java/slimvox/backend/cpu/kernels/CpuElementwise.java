package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.DataType;
import slimvox.backend.Elementwise;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
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

  /** A kernel on floats: {@code count} of y from those of a and b. */
  private interface Floats {
    void run(long a, long b, long y, int count);
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
            case FIXED16, FIXED8 -> {
              if (value != 0) throw new IllegalArgumentException("only 0 is on every grid");
              part.fill((byte) 0);
            }
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
    float largest = Elements.of(x).copy(parallel, x.size(), Elements.of(y));
    if (y.grid() != null) y.grid().met(largest);
  }

  @Override
  public void axpy(float alpha, Tensor x, Tensor y) {
    run(x, y, y, (in, before, out, count) -> axpy(alpha, in, before, out, count));
  }

  private static void axpy(float alpha, long x, long y, long out, int count) {
    FloatVector a = FloatVector.broadcast(Lanes.FLOATS, alpha);
    for (int i = 0; i < count; i += LANES) {
      store(out + 4L * i, load(x + 4L * i).fma(a, load(y + 4L * i)));
    }
  }

  @Override
  public void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    // The bits of floats that are not negative are ordered as they are, NaN above all.
    AtomicInteger bits = new AtomicInteger();
    run(
        x,
        y,
        y,
        (in, before, out, count) -> {
          float here = addRounded(alpha * step, 1 / step, in, before, out, count);
          bits.accumulateAndGet(Float.floatToIntBits(here), Math::max);
        });
    if (largest == null) return;
    int before = Lanes.getInt(largest.address(), 0);
    Lanes.setInt(largest.address(), 0, Math.max(before, bits.get()));
  }

  private static float addRounded(float scale, float inverse, long x, long y, long out, int count) {
    FloatVector largest = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < count; i += LANES) {
      FloatVector sum =
          Elements.rounded(load(x + 4L * i).mul(inverse)).mul(scale).add(load(y + 4L * i));
      store(out + 4L * i, sum);
      largest = largest.max(sum.abs());
    }
    return largest.reduceLanes(VectorOperators.MAX);
  }

  @Override
  public void relu(Tensor x, Tensor y) {
    run(x, null, y, (in, unused, out, count) -> relu(in, out, count));
  }

  private static void relu(long x, long y, int count) {
    for (int i = 0; i < count; i += LANES) store(y + 4L * i, positive(load(x + 4L * i)));
  }

  /** 0 where x is below 0; a NaN stays one, so that it is found. */
  private static FloatVector positive(FloatVector x) {
    return x.blend(0f, x.lt(0f));
  }

  @Override
  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    run(y, dy, dx, (in, up, down, count) -> reluBackward(in, up, down, count));
  }

  private static void reluBackward(long y, long dy, long dx, int count) {
    FloatVector zero = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < count; i += LANES) {
      VectorMask<Float> open = load(y + 4L * i).compare(VectorOperators.GT, 0f);
      store(dx + 4L * i, zero.blend(load(dy + 4L * i), open));
    }
  }

  @Override
  public void tanh(Tensor x, Tensor y) {
    run(x, null, y, (in, unused, out, count) -> tanh(in, out, count));
  }

  private static void tanh(long x, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      store(y + 4L * i, ReproducibleMath.tanh(load(x + 4L * i)));
    }
  }

  @Override
  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    run(y, dy, dx, (in, up, down, count) -> tanhBackward(in, up, down, count));
  }

  private static void tanhBackward(long y, long dy, long dx, int count) {
    for (int i = 0; i < count; i += LANES) {
      store(dx + 4L * i, tanhSlope(load(y + 4L * i)).mul(load(dy + 4L * i)));
    }
  }

  /** 1 - y^2. */
  private static FloatVector tanhSlope(FloatVector y) {
    return y.neg().fma(y, FloatVector.broadcast(Lanes.FLOATS, 1f));
  }

  @Override
  public void gelu(Tensor x, Tensor y) {
    run(x, null, y, (in, unused, out, count) -> gelu(in, out, count));
  }

  private static void gelu(long x, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector v = load(x + 4L * i);
      store(y + 4L * i, v.div(exponential(v).add(1f)));
    }
  }

  /** e^-2u: (1 + tanh u) / 2 is 1 / (1 + e^-2u), without the loss of digits. */
  private static FloatVector exponential(FloatVector x) {
    return ReproducibleMath.exp(x.mul(x).mul(-0.0713548163f).sub(1.59576912f).mul(x));
  }

  @Override
  public void geluBackward(Tensor x, Tensor dy, Tensor dx) {
    run(x, dy, dx, (in, up, down, count) -> geluBackward(in, up, down, count));
  }

  private static void geluBackward(long x, long dy, long dx, int count) {
    for (int i = 0; i < count; i += LANES) {
      store(dx + 4L * i, geluSlope(load(x + 4L * i)).mul(load(dy + 4L * i)));
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
    Elements in = Elements.of(x);
    Elements.Strip fault = (from, n, t) -> isFinite(in.read(from, n, t[0]), n) ? 0 : 1;
    return Elements.strips(parallel, x.size(), fault, in) == 0;
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
    for (; i < count; i += LANES) a = load(x + 4L * i).fma(zero, a);
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

  /** Strip by strip, y made of a and b, which may be null. */
  private void run(Tensor a, Tensor b, Tensor y, Floats kernel) {
    Elements first = Elements.of(a);
    Elements second = Elements.of(b);
    Elements out = Elements.of(y);
    float largest =
        Elements.strips(
            parallel,
            y.size(),
            (from, count, tables) -> {
              long to = out.place(from, count, tables[2]);
              kernel.run(
                  first.read(from, count, tables[0]),
                  second.read(from, count, tables[1]),
                  to,
                  count);
              return out.write(from, count, to);
            },
            first,
            second,
            out);
    if (y.grid() != null) y.grid().met(largest);
  }
}
