package slimvox.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.file.Path;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.AutoClose;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.storage.Safetensors;

/** A two-threaded CPU backend, tensors made from arrays, and comparisons with float64. */
public abstract class KernelFixture {
  public static final int[] CHANNELS = {1, 4, 6, 8, 13, 16, 25, 33, 64, 257};
  public static final int[] ROWS = {1, 2, 7, 100, 1000};

  @AutoClose public Backend backend = new Backend(twoThreads());
  public Operations ops = backend.ops();
  public final Random random = new Random(5);

  /** Two threads however little there is to do. */
  private static CpuDevice twoThreads() {
    CpuDevice device = CpuDevice.open(2);
    device.parallel().grain = 1;
    return device;
  }

  public static Safetensors knownAnswers(String file) {
    return Safetensors.read(Path.of("tests/data/backend", file));
  }

  public Tensor tensor(float[] values, int... lengths) {
    Tensor x = backend.allocate(Category.ACTIVATION, "x", lengths);
    ops.upload(values, x);
    return x;
  }

  public Tensor tensor(int... lengths) {
    return tensor(filled((int) Shape.of(lengths).size(), i -> Float.NaN), lengths);
  }

  public Tensor labels(int... values) {
    Tensor x = backend.allocate(Category.INPUT, "labels", DataType.INT32, Shape.of(values.length));
    ops.upload(values, x);
    return x;
  }

  public static float[] filled(int count, IntToDoubleFunction value) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) values[i] = (float) value.applyAsDouble(i);
    return values;
  }

  public float[] normal(int count) {
    return filled(count, i -> random.nextGaussian());
  }

  /** B, C, H, W to N, H, W, C. */
  public static float[] channelsLast(float[] v, long[] shape) {
    int[] s = {(int) shape[0], (int) shape[1], (int) shape[2], (int) shape[3]};
    float[] out = new float[v.length];
    int at = 0;
    for (int b = 0; b < s[0]; b++) {
      for (int c = 0; c < s[1]; c++) {
        for (int h = 0; h < s[2]; h++) {
          for (int w = 0; w < s[3]; w++) out[((b * s[2] + h) * s[3] + w) * s[1] + c] = v[at++];
        }
      }
    }
    return out;
  }

  public static double[] channelsLast(double[] v, long[] shape) {
    float[] index = channelsLast(filled(v.length, i -> i), shape); // exact below 2^24
    double[] out = new double[v.length];
    for (int i = 0; i < v.length; i++) out[i] = v[(int) index[i]];
    return out;
  }

  /** Every element is within {@code tolerance} of the largest expected value; NaN where NaN. */
  public void assertClose(String what, double[] expected, Tensor actual, double tolerance) {
    assertClose(what, expected, ops.floats(actual), tolerance, 0);
  }

  public void assertClose(
      String what, double[] expected, Tensor actual, double tolerance, double size) {
    assertClose(what, expected, ops.floats(actual), tolerance, size);
  }

  /** Within {@code tolerance} of the largest expected value or of {@code size}, what is larger. */
  public static void assertClose(
      String what, double[] expected, float[] actual, double tolerance, double size) {
    assertEquals(expected.length, actual.length, what);
    double largest = size;
    for (double e : expected) if (!Double.isNaN(e)) largest = Math.max(largest, Math.abs(e));
    for (int i = 0; i < expected.length; i++) {
      boolean same =
          Double.isNaN(expected[i])
              ? Float.isNaN(actual[i])
              : Math.abs(actual[i] - expected[i]) <= tolerance * largest;
      if (!same) {
        fail(
            "%s[%d] is %s, not %s (largest %s)"
                .formatted(what, i, actual[i], expected[i], largest));
      }
    }
  }
}
