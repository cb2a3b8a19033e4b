package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
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
 * rounding: every element within a tolerance of the largest one. An operation is compared by the
 * body of one loop:
 *
 * <pre>{@code
 * for (Side s : sides(1e-7)) s.ops.elementwise.relu(s.normal(9), s.empty(9));
 * }</pre>
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class ParityFixture implements Played {
  /** Rows or frames, channels: odd, one, around tiles and blocks. */
  public static final int[] CHANNELS = {1, 3, 4, 8, 13, 32, 33, 64, 100, 257};

  public static final int[] ROWS = {1, 2, 7, 100, 1030};

  public final Random random = new Random(7);
  private final List<Side> sides = new ArrayList<>();

  /** What one tensor holds after all calls. */
  private record Result(Shape shape, float[] values) {}

  /** One backend and short ways to make tensors on it. */
  public final class Side {
    final Backend backend;
    final Operations ops;
    private final List<Tensor> tensors = new ArrayList<>();

    Side(Backend backend) {
      this.backend = backend;
      this.ops = backend.ops();
    }

    /** Standard normal values, the same on every side. */
    Tensor normal(int... lengths) {
      return tensor(ParityFixture.this.normal(Shape.of(lengths).size()), lengths);
    }

    /** Normal values, the same on every side. */
    Tensor around(double mean, double deviation, int... lengths) {
      return tensor(ParityFixture.this.normal(Shape.of(lengths).size(), mean, deviation), lengths);
    }

    /** Values between two, the same on every side. */
    Tensor between(double least, double most, int... lengths) {
      return tensor(uniform(Shape.of(lengths).size(), least, most), lengths);
    }

    /** A tensor with the values that another has now. */
    Tensor copy(Tensor x) {
      return tensor(ops.floats(x), x.shape().toArray());
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

    private List<Result> results() {
      return tensors.stream().map(t -> new Result(t.shape(), values(t))).toList();
    }

    private float[] values(Tensor t) {
      if (t.type() == DataType.FLOAT32) return ops.floats(t);
      float[] values = new float[Math.toIntExact(t.size())];
      if (t.type() == DataType.INT32) {
        int[] v = ops.ints(t);
        for (int i = 0; i < v.length; i++) values[i] = v[i];
      } else {
        byte[] v = ops.bytes(t);
        for (int i = 0; i < v.length; i++) values[i] = v[i] & 0xFF;
      }
      return values;
    }
  }

  @BeforeAll
  public void open() {
    List<Device> played = played();
    sides.add(new Side(new Backend(CpuDevice.open(2))));
    for (Device device : played) sides.add(new Side(new Backend(device)));
  }

  @AfterAll
  public void close() {
    sides.forEach(s -> s.backend.close());
  }

  /** Rounding of sums of {@code length} terms, relative to the largest result. */
  public static double ofSums(long length) {
    return 1e-6 + 3e-8 * Math.sqrt(length);
  }

  /** Every pair of a number of rows and one of columns. */
  public static List<int[]> pairs(int[] rows, int[] columns) {
    List<int[]> all = new ArrayList<>();
    for (int r : rows) for (int c : columns) all.add(new int[] {r, c});
    return all;
  }

  /**
   * Every side in turn, with the same random numbers; when the loop over them ends, all tensors
   * made in its body are compared.
   *
   * @param tolerance of an element, relative to the largest of its tensor
   */
  public Iterable<Side> sides(double tolerance) {
    return () -> new Comparison(tolerance);
  }

  private final class Comparison implements Iterator<Side> {
    private final double tolerance;
    private final long seed = random.nextLong();
    private final List<List<Result>> results = new ArrayList<>();
    private Side side;

    Comparison(double tolerance) {
      this.tolerance = tolerance;
    }

    @Override
    public Side next() {
      side = sides.get(results.size());
      side.release(); // of a body that failed
      random.setSeed(seed);
      return side;
    }

    @Override
    public boolean hasNext() {
      if (side != null) {
        results.add(side.results());
        side.release();
        side = null;
      }
      if (results.size() < sides.size()) return true;
      List<Result> expected = results.get(0);
      assertFalse(expected.isEmpty(), "nothing was compared");
      for (int i = 0; i < expected.size(); i++) {
        String name = "tensor %d of shape %s".formatted(i, expected.get(i).shape());
        float[] forwards = results.get(1).get(i).values();
        close(name, tolerance, expected.get(i).values(), forwards);
        bits(name, forwards, results.get(2).get(i).values());
      }
      return false;
    }
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
