package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

/** Layers on bfloat16 against themselves on the same numbers in float32. */
class Bfloat16LayerTest {
  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  /** Numbers that bfloat16 holds, and so do their gradients' inputs. */
  private Tensor tensor(DataType type, long seed, int... lengths) {
    Random random = new Random(seed);
    float[] values = new float[Math.toIntExact(Shape.of(lengths).size())];
    for (int i = 0; i < values.length; i++) values[i] = random.nextInt(-64, 65) / 64f;
    Tensor x = cpu.allocate(Category.ACTIVATION, "x", lengths);
    cpu.ops().upload(values, x);
    return converted(x, type);
  }

  private Tensor converted(Tensor x, DataType type) {
    if (x.type() == type) return x;
    try (x) {
      Tensor y = cpu.allocate(x.category(), x.label(), type, x.shape());
      cpu.ops().elementwise.convert(x, y);
      return y;
    }
  }

  private float[] floats(Tensor x) {
    try (Tensor wide = converted(x, DataType.FLOAT32)) {
      return cpu.ops().floats(wide);
    }
  }

  @Test
  void aConvolutionKeepsAndReturnsHalfTheBytes() {
    float[][] results = new float[2][];
    float[][] gradients = new float[2][];
    float[][] weights = new float[2][];
    for (DataType type : new DataType[] {DataType.FLOAT32, DataType.BFLOAT16}) {
      int i = type.ordinal() == 0 ? 0 : 1;
      Conv2d conv = new Conv2d(cpu, "conv", 16, 32, 3, 2);
      try (Tensor w = tensor(DataType.FLOAT32, 1, 32, 16, 3, 3)) {
        cpu.ops().elementwise.copy(w, conv.weight().value());
      }
      long before = cpu.ledger().totalBytes();
      Tensor x = tensor(type, 2, 2, 9, 11, 16);
      Tensor y = conv.forward(x, Mode.TRAIN);
      x.close(); // the layer keeps it
      long size = x.size() + y.size();
      assertEquals(size * type.bytes(), cpu.ledger().totalBytes() - before);
      assertEquals(type, y.type());
      results[i] = floats(y);
      Tensor dx = conv.backward(tensor(type, 3, 2, 5, 6, 32));
      assertEquals(type, dx.type());
      gradients[i] = floats(dx);
      weights[i] = cpu.ops().floats(conv.weight().gradient());
      conv.weight().close();
      assertEquals(0, cpu.ledger().totalBytes());
    }
    assertClose(results, 0x1p-8, "y");
    assertClose(gradients, 0x1p-8, "dx");
    assertClose(weights, 0, "dweight");
  }

  private static void assertClose(float[][] both, double rounding, String of) {
    for (int i = 0; i < both[0].length; i++) {
      double bound = rounding * Math.abs(both[0][i]) + 1e-4;
      assertEquals(both[0][i], both[1][i], bound, of + " at " + i);
    }
  }
}
