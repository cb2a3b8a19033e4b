package slimvox.backend.cpu.onednn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static slimvox.backend.DataType.FLOAT32;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Convolution;
import slimvox.backend.Device.MathMode;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.GuardedMemory;

/**
 * Float32 operands whose factors may be rounded to bfloat16: against float64, with the bound that
 * follows from rounding.
 *
 * <p>A factor rounded to nearest is off by 2^-8 of its size at most, so a product by 2^-7 + 2^-16,
 * and a sum of products by that part of the sum of their sizes, plus what adding in float32 costs.
 * Where the processor has no AMX the bits are those of float32.
 */
class Bfloat16MathTest {
  private static final double ROUNDING = 0x1p-7 + 0x1p-16;

  @AutoClose private static final OneDnn float32 = OneDnn.open(2);
  @AutoClose private static final OneDnn bfloat16 = OneDnn.open(2, MathMode.BFLOAT16);

  @ParameterizedTest
  @CsvSource({
    // N, H, W, I, O, kernel, stride, groups
    "2, 10, 13, 32, 32, 3, 1, 1",
    "2, 9, 11, 64, 128, 3, 2, 1",
    "2, 9, 11, 1, 32, 3, 1, 1",
    "2, 9, 11, 64, 40, 1, 1, 1",
    "2, 9, 11, 64, 128, 1, 2, 1",
    "2, 9, 11, 8, 16, 1, 2, 1",
    "2, 9, 11, 24, 24, 3, 1, 24",
    // products
    "3, 5, 7, 2048, 24, 3, 1, 1",
    "3, 5, 7, 24, 2048, 3, 1, 1",
  })
  void convolutions(int n, int h, int w, int i, int o, int kernel, int stride, int groups) {
    int pad = kernel / 2;
    Convolution g =
        new Convolution(n, h, w, i, o, kernel, kernel, stride, stride, pad, pad, groups, FLOAT32);
    Random random = new Random(g.toString().hashCode());
    float[] x = GuardedMemory.normal(random, g.inShape());
    float[] weight = GuardedMemory.normal(random, g.weightShape());
    float[] dy = GuardedMemory.normal(random, g.outShape());
    OneDnnTest.Results exact = OneDnnTest.run(float32, g, x, weight, dy);
    float[] ax = sizes(x);
    float[] aw = sizes(weight);
    float[] ady = sizes(dy);
    double[] sums = PlainConvolution.forward(g, ax, aw);
    boolean rounds = OneDnn.roundsToBfloat16();
    double[] off = Arrays.stream(sums).map(s -> rounds ? ROUNDING * s : 0).toArray();
    OneDnnTest.Results r = OneDnnTest.run(bfloat16, g, x, weight, dy, off);
    assertRounded(PlainConvolution.forward(g, x, weight), sums, r.y(), "y");
    assertRounded(
        PlainConvolution.backwardData(g, dy, weight),
        PlainConvolution.backwardData(g, ady, aw),
        r.dx(),
        "dx");
    double[] dweight = PlainConvolution.backwardWeight(g, x, dy);
    double[] terms = PlainConvolution.backwardWeight(g, ax, ady);
    assertRounded(dweight, terms, r.dweight(), "dweight");
    for (int j = 0; j < dweight.length; j++) {
      dweight[j] *= 2;
      terms[j] *= 2;
    }
    assertRounded(dweight, terms, r.twice(), "dweight added twice");
    if (!rounds) {
      assertArrayEquals(exact.y(), r.y(), "y in float32");
      assertArrayEquals(exact.dx(), r.dx(), "dx in float32");
      assertArrayEquals(exact.dweight(), r.dweight(), "dweight in float32");
    } else if (groups == 1 && i > 1 && (kernel > 1 || i >= 32)) {
      // 1x1 kernels of fewer channels the library leaves in float32.
      assertFalse(Arrays.equals(exact.y(), r.y()), "y is not rounded, though the processor can");
    }
  }

  @Test
  void products() {
    int m = 64;
    int n = 96;
    int k = 257;
    Random random = new Random(1);
    try (GuardedMemory memory = new GuardedMemory()) {
      float[] a = new float[m * k];
      float[] b = new float[k * n];
      for (int i = 0; i < a.length; i++) a[i] = (float) random.nextGaussian();
      for (int i = 0; i < b.length; i++) b[i] = (float) random.nextGaussian();
      double[] c = new double[m * n];
      double[] terms = new double[m * n];
      for (int i = 0; i < m * n; i++) {
        for (int l = 0; l < k; l++) {
          double term = (double) a[i / n * k + l] * b[l * n + i % n];
          c[i] += term;
          terms[i] += Math.abs(term);
        }
      }
      Tensor result = memory.tensor(m, n);
      Tensor left = memory.tensor(a, m, k);
      Tensor right = memory.tensor(b, k, n);
      Product p = new Product(false, false, m, n, k);
      bfloat16.matmul(p, left, right, result, false, memory.workspace(bfloat16.matmulWorkspace(p)));
      assertRounded(c, terms, GuardedMemory.values(result), "c");
      Tensor exact = memory.tensor(m, n);
      float32.matmul(p, left, right, exact, false, memory.workspace(float32.matmulWorkspace(p)));
      assertEquals(
          !OneDnn.roundsToBfloat16(),
          Arrays.equals(GuardedMemory.values(exact), GuardedMemory.values(result)));
    }
  }

  private static float[] sizes(float[] x) {
    float[] sizes = new float[x.length];
    for (int i = 0; i < x.length; i++) sizes[i] = Math.abs(x[i]);
    return sizes;
  }

  /** {@code terms}: the sums of the sizes of the products whose sums are expected. */
  private static void assertRounded(double[] expected, double[] terms, float[] actual, String of) {
    assertEquals(expected.length, actual.length, of);
    for (int i = 0; i < expected.length; i++) {
      double bound = (ROUNDING + 1e-5) * terms[i];
      assertEquals(expected[i], actual[i], bound, of + " at " + i);
    }
  }
}
