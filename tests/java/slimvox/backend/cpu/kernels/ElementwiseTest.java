package slimvox.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.function.DoubleBinaryOperator;
import org.junit.jupiter.api.Test;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.KernelFixture;
import slimvox.memory.Category;

class ElementwiseTest extends KernelFixture {
  private static final int[] SIZES = {1, 4, 15, 16, 17, 31, 33, 257, 1000, 100_003};

  private interface Binary {
    void run(Tensor a, Tensor b, Tensor result);
  }

  private void check(
      String what, Binary operation, DoubleBinaryOperator expected, double tolerance) {
    for (int size : SIZES) {
      float[] a = normal(size);
      float[] b = normal(size);
      double[] want = new double[size];
      for (int i = 0; i < size; i++) want[i] = expected.applyAsDouble(a[i], b[i]);
      Tensor aT = tensor(a, size);
      Tensor bT = tensor(b, size);
      Tensor result = tensor(size);
      operation.run(aT, bT, result);
      assertClose(what + " of " + size, want, result, tolerance);
      operation.run(aT, bT, bT);
      assertArrayEquals(ops.floats(result), ops.floats(bT), what + " in place");
      assertArrayEquals(a, ops.floats(aT), what + " leaves its input alone");
    }
  }

  @Test
  void reluAndItsBackward() {
    check("relu", (x, b, y) -> ops.elementwise.relu(b, y), (x, b) -> Math.max(b, 0), 0);
    check("backward", ops.elementwise::reluBackward, (y, dy) -> y > 0 ? dy : 0, 0);
  }

  @Test
  void tanhAndItsBackward() {
    check("tanh", (x, b, y) -> ops.elementwise.tanh(b, y), (x, b) -> Math.tanh(b), 3e-7);
    check("backward", ops.elementwise::tanhBackward, (y, dy) -> dy * (1 - y * y), 3e-7);
  }

  /** Known answers: PyTorch's gelu(x, approximate="tanh") and its gradient in float64. */
  @Test
  void geluAndItsBackward() {
    float[] x = {-12, -6, -3, -1.5f, -0.1f, 0, 1e-3f, 0.5f, 1, 2, 4, 9, 3e20f, -3e20f, Float.NaN};
    double[] y = {
      0,
      -8.43964898e-11,
      -0.003637392082,
      -0.100428423,
      -0.04601724895,
      0,
      0.0005003989422,
      0.3457140098,
      0.8411919906,
      1.954597694,
      3.999929754,
      9,
      3e20f,
      0,
      Double.NaN
    };
    double[] slope = {
      0,
      -7.709976013e-10,
      -0.01158416663,
      -0.1277107932,
      0.4204782107,
      0.5,
      0.5007978843,
      0.8673699035,
      1.082964084,
      1.086099257,
      1.000335123,
      1,
      1,
      0,
      Double.NaN
    };
    Tensor out = tensor(x.length);
    ops.elementwise.gelu(tensor(x, x.length), out);
    float[] got = ops.floats(out);
    for (int i = 0; i < x.length - 1; i++) { // the last is NaN
      assertEquals(y[i], got[i], 3e-7 * Math.max(1e-4, Math.abs(y[i])), "gelu of " + x[i]);
    }
    Tensor dx = tensor(filled(x.length, i -> 1), x.length);
    ops.elementwise.geluBackward(tensor(x, x.length), dx, dx);
    assertClose("slope", slope, dx, 3e-7);
    check("gelu", (a, b, r) -> ops.elementwise.gelu(b, r), (a, b) -> gelu(b), 3e-7);
    double h = 1e-5;
    check(
        "backward",
        ops.elementwise::geluBackward,
        (v, dy) -> dy * (gelu(v + h) - gelu(v - h)) / (2 * h),
        4e-7);
  }

  private static double gelu(double x) {
    return x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
  }

  @Test
  void axpyFillAndCopy() {
    check(
        "axpy",
        (a, b, y) -> {
          if (y != b) ops.elementwise.copy(b, y);
          ops.elementwise.axpy(-0.3f, a, y);
        },
        (a, b) -> b - 0.3f * a,
        1e-7);
    for (int size : SIZES) {
      Tensor x = tensor(size);
      ops.elementwise.fill(x, 1.5f);
      assertArrayEquals(filled(size, i -> 1.5), ops.floats(x));
    }
  }

  /**
   * Every bfloat16, and below and above each the floats where rounding turns: against the nearer of
   * its two neighbours by their values, of two equally near ones the even.
   */
  @Test
  void bfloat16IsTheNearest() {
    int[] lower = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
    float[] x = new float[lower.length << 16];
    for (int i = 0; i < x.length; i++) {
      x[i] = Float.intBitsToFloat(i / lower.length << 16 | lower[i % lower.length]);
    }
    float[] rounded = ops.floats(widened(narrowed(tensor(x, x.length))));
    for (int i = 0; i < x.length; i++) {
      int below = Float.floatToRawIntBits(x[i]) & 0xFFFF0000; // towards zero
      String what = Integer.toHexString(Float.floatToRawIntBits(x[i]));
      if (Float.isNaN(x[i])) {
        assertTrue(Float.isNaN(rounded[i]), what);
        continue;
      }
      double value = valueOf(Float.floatToRawIntBits(x[i]));
      double down = Math.abs(valueOf(below) - value);
      double up = Math.abs(valueOf(below + 0x10000) - value);
      boolean even = (below & 0x10000) == 0;
      int nearest = down < up || down == up && even || down == 0 ? below : below + 0x10000;
      assertEquals(nearest, Float.floatToRawIntBits(rounded[i]), what);
    }
    for (int size : SIZES) {
      float[] exact = filled(size, i -> i % 256);
      assertArrayEquals(exact, ops.floats(widened(narrowed(tensor(exact, size)))));
      Tensor filled = halves(size);
      ops.elementwise.fill(filled, -1.003f);
      assertArrayEquals(filled(size, i -> -1), ops.floats(widened(filled)));
      assertEquals(2L * size, filled.bytes());
    }
  }

  /** The next above the largest finite one is 2^128, which is infinity. */
  private static double valueOf(int bits) {
    float x = Float.intBitsToFloat(bits);
    return Float.isInfinite(x) ? Math.copySign(0x1p128, x) : x;
  }

  private Tensor halves(int size) {
    return backend.allocate(Category.ACTIVATION, "x", DataType.BFLOAT16, Shape.of(size));
  }

  private Tensor narrowed(Tensor x) {
    Tensor y = halves((int) x.size());
    ops.elementwise.convert(x, y);
    return y;
  }

  private Tensor widened(Tensor x) {
    Tensor y = tensor((int) x.size());
    ops.elementwise.convert(x, y);
    return y;
  }

  @Test
  void addRoundedIsExactAndRoundsTiesToEven() {
    float step = 1f / 16384;
    for (int size : SIZES) {
      double[] wild = {0, 0.5, -0.5, 1.5, 2.5, -2.5, 8388607.5, -8388609, 3e7, 0.49999997};
      Random random = new Random(size);
      float[] x = filled(size, i -> step * wild[(i * 7) % wild.length] + i % 3 * step);
      float[] y = filled(size, i -> step * Math.rint(1e5 * random.nextGaussian()));
      Tensor xT = tensor(x, size);
      Tensor yT = tensor(y, size);
      float largest = ops.elementwise.addRounded(1, xT, step, yT);
      float[] expected = new float[size];
      float bound = 0;
      for (int i = 0; i < size; i++) {
        expected[i] = (float) (y[i] + step * Math.rint((double) x[i] / step));
        bound = Math.max(bound, Math.abs(expected[i]));
      }
      assertArrayEquals(expected, ops.floats(yT));
      assertEquals(bound, largest);
      if (bound <= 1024) {
        ops.elementwise.addRounded(-1, xT, step, yT);
        assertArrayEquals(y, ops.floats(yT), "what was added comes off to the bit");
      }
    }
  }

  @Test
  void otherTypesAreFilledAndCopied() {
    Tensor ints = backend.allocate(Category.INPUT, "i", DataType.INT32, Shape.of(1001));
    Tensor ints2 = backend.allocate(Category.INPUT, "j", DataType.INT32, Shape.of(1001));
    ops.elementwise.fill(ints, -7);
    ops.elementwise.copy(ints, ints2);
    assertEquals(-7 * 1001, java.util.Arrays.stream(ops.ints(ints2)).sum());
    Tensor bytes = backend.allocate(Category.INPUT, "b", DataType.UINT8, Shape.of(1001));
    ops.elementwise.fill(bytes, 200);
    for (byte b : ops.bytes(bytes)) assertEquals((byte) 200, b);
    ops.upload(new byte[1001], bytes);
    for (byte b : ops.bytes(bytes)) assertEquals(0, b);
  }

  @Test
  void nanPassesThroughReluSoThatItIsFound() {
    Tensor x = tensor(filled(40, i -> i == 33 ? Double.NaN : -1), 40);
    ops.elementwise.relu(x, x);
    assertTrue(Float.isNaN(ops.floats(x)[33]));
  }

  @Test
  void oneNonFiniteElementIsFoundAnywhere() {
    for (int size : SIZES) {
      float[] v = normal(size);
      assertTrue(ops.elementwise.isFinite(tensor(v, size)));
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, -1 / 0f}) {
        for (int at : new int[] {0, size / 2, size - 1}) {
          float kept = v[at];
          v[at] = bad;
          assertFalse(ops.elementwise.isFinite(tensor(v, size)), bad + " at " + at + " of " + size);
          v[at] = kept;
        }
      }
    }
  }

  @Test
  void rowsAreAddedAndSummed() {
    for (int channels : CHANNELS) {
      for (int rows : new int[] {1, 2, 7, 100, 5000}) {
        String what = rows + " x " + channels;
        float[] y = normal(rows * channels);
        float[] b = normal(channels);
        double[] added = new double[y.length];
        double[] sums = new double[channels];
        double[] more = new double[channels];
        for (int c = 0; c < channels; c++) more[c] = b[c];
        for (int i = 0; i < y.length; i++) {
          added[i] = y[i] + b[i % channels];
          sums[i % channels] += y[i];
          more[i % channels] += y[i];
        }
        Tensor yT = tensor(y, rows, channels);
        Tensor bT = tensor(b, channels);
        Tensor sumT = tensor(channels);
        double size = Math.sqrt(rows);
        ops.matrices.columnSums(yT, sumT, false);
        assertClose(what + " sum", sums, ops.floats(sumT), 1e-6, size);
        ops.matrices.addToRows(bT, yT);
        assertClose(what + " add", added, yT, 1e-7);
        ops.upload(y, yT);
        ops.matrices.columnSums(yT, bT, true);
        assertClose(what + " accumulated", more, ops.floats(bT), 1e-6, size);
      }
    }
  }
}
