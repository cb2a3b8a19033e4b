package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Device;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

/**
 * The same calls on the CPU backend and on the CUDA backend whose kernels run on the host, with the
 * threads of a block from the first to the last and from the last to the first.
 *
 * <p>Both orders must give the same bits, or a barrier is missing. CPU and CUDA may differ by
 * rounding: every element within a tolerance of the largest one.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class ParityFixture {
  /** Rows or frames, channels: odd, one, around tiles and blocks. */
  public static final int[] CHANNELS = {1, 3, 4, 8, 13, 32, 33, 64, 100, 257};

  public static final int[] ROWS = {1, 2, 7, 100, 1030};

  public final Random random = new Random(7);
  private final List<Side> sides = new ArrayList<>();

  /** One backend and short ways to make tensors on it. */
  public static final class Side {
    final Backend backend;
    final Operations ops;
    private final List<Tensor> tensors = new ArrayList<>();

    Side(Backend backend) {
      this.backend = backend;
      this.ops = backend.ops();
    }

    Tensor tensor(float[] values, int... lengths) {
      Tensor x = empty(lengths);
      ops.upload(values, x);
      return x;
    }

    /** Full of NaN. */
    Tensor empty(int... lengths) {
      Tensor x = backend.allocate(Category.ACTIVATION, "x", lengths);
      tensors.add(x);
      float[] nan = new float[Math.toIntExact(x.size())];
      Arrays.fill(nan, Float.NaN);
      ops.upload(nan, x);
      return x;
    }

    Tensor ints(int... values) {
      Tensor x =
          backend.allocate(Category.INPUT, "labels", DataType.INT32, Shape.of(values.length));
      tensors.add(x);
      ops.upload(values, x);
      return x;
    }

    Tensor bytes(byte... values) {
      Tensor x =
          backend.allocate(
              Category.OPTIMIZER_STATE, "bytes", DataType.UINT8, Shape.of(values.length));
      tensors.add(x);
      ops.upload(values, x);
      return x;
    }

    void release() {
      tensors.forEach(Tensor::close);
      tensors.clear();
    }
  }

  /** Calls operations and returns what they wrote. */
  public interface Work {
    List<Tensor> on(Side side);
  }

  @BeforeAll
  public void open() {
    List<Device> played = played();
    sides.add(new Side(new Backend(CpuDevice.open(2))));
    for (Device device : played) sides.add(new Side(new Backend(device)));
  }

  /** Two devices that must give the same bits. */
  List<Device> played() {
    HostKernels.load();
    return List.of(HostDevice.open(false), HostDevice.open(true));
  }

  @AfterAll
  public void close() {
    sides.forEach(s -> s.backend.close());
  }

  /** Rounding of sums of {@code length} terms, relative to the largest result. */
  public static double ofSums(long length) {
    return 1e-6 + 3e-8 * Math.sqrt(length);
  }

  /** Runs the work on all three; {@code tolerance} is relative to the largest element. */
  public void compare(String what, double tolerance, Work work) {
    List<List<float[]>> results = new ArrayList<>();
    for (Side side : sides) {
      List<float[]> values = new ArrayList<>();
      for (Tensor t : work.on(side)) values.add(values(side, t));
      results.add(values);
      side.release();
    }
    for (int i = 0; i < results.getFirst().size(); i++) {
      String name = what + ", result " + i;
      close(name, tolerance, results.get(0).get(i), results.get(1).get(i));
      bits(name, results.get(1).get(i), results.get(2).get(i));
    }
  }

  private static float[] values(Side side, Tensor t) {
    return switch (t.type()) {
      case FLOAT32 -> side.ops.floats(t);
      case INT32 -> {
        int[] v = side.ops.ints(t);
        float[] f = new float[v.length];
        for (int i = 0; i < v.length; i++) f[i] = v[i];
        yield f;
      }
      case UINT8 -> {
        byte[] v = side.ops.bytes(t);
        float[] f = new float[v.length];
        for (int i = 0; i < v.length; i++) f[i] = v[i] & 0xFF;
        yield f;
      }
    };
  }

  private static void close(String what, double tolerance, float[] expected, float[] actual) {
    assertEquals(expected.length, actual.length, what);
    double largest = 0;
    for (float e : expected) if (Float.isFinite(e)) largest = Math.max(largest, Math.abs(e));
    for (int i = 0; i < expected.length; i++) {
      boolean same =
          Float.isFinite(expected[i])
              ? Math.abs((double) actual[i] - expected[i]) <= tolerance * largest
              : Float.compare(expected[i], actual[i]) == 0;
      if (!same) {
        fail(
            "%s: element %d of %d is %s, not %s (largest %s)"
                .formatted(what, i, expected.length, actual[i], expected[i], largest));
      }
    }
  }

  private static void bits(String what, float[] forwards, float[] backwards) {
    for (int i = 0; i < forwards.length; i++) {
      if (Float.floatToIntBits(forwards[i]) != Float.floatToIntBits(backwards[i])) {
        fail("%s: element %d depends on the order of threads".formatted(what, i));
      }
    }
  }

  public float[] normal(long count) {
    return normal(count, 0, 1);
  }

  public float[] normal(long count, double mean, double deviation) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (mean + deviation * random.nextGaussian());
    }
    return values;
  }

  public float[] uniform(long count, double least, double most) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextDouble(least, most);
    return values;
  }
}
