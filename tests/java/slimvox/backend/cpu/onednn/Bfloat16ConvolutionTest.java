package slimvox.backend.cpu.onednn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static slimvox.backend.DataType.FLOAT32;

import java.util.Random;
import org.bytedeco.dnnl.global.dnnl;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.Device.MathMode;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.GuardedMemory;

/**
 * Convolutions of bfloat16 against float64, by the library and in float32 of widened images.
 *
 * <p>Inputs are bfloat16 as given and the library rounds the weight to it, so what is left is the
 * rounding of a result, 2^-8 of its size, and float32 sums; dweight is float32 and has the latter
 * alone.
 */
class Bfloat16ConvolutionTest {
  @AutoClose private static final OneDnn library = OneDnn.open(2, MathMode.FLOAT32, true);
  @AutoClose private static final OneDnn widening = OneDnn.open(2, MathMode.FLOAT32, false);

  /** Whether the library's own convolutions of bfloat16 are more than reference code. */
  private static boolean knowsBfloat16() {
    int least = dnnl.dnnl_cpu_isa_avx512_core;
    return (Dnnl.instructions() & least) == least;
  }

  @ParameterizedTest
  @CsvSource({
    // N, H, W, I, O, kernel, stride, groups
    "2, 10, 13, 32, 32, 3, 1, 1",
    "3, 5, 9, 7, 13, 3, 1, 1",
    "2, 9, 11, 64, 128, 3, 2, 1",
    "2, 9, 11, 1, 32, 3, 1, 1",
    "2, 9, 11, 64, 40, 1, 1, 1",
    "2, 9, 11, 64, 128, 1, 2, 1",
    "2, 9, 11, 24, 24, 3, 1, 24",
    "2, 9, 11, 128, 128, 3, 2, 128",
    "2, 9, 11, 10, 10, 3, 1, 10",
    "3, 5, 7, 512, 24, 3, 1, 1",
    // more than a piece: rows with those around them, rows alone, images
    "2, 40, 60, 16, 44, 3, 1, 1",
    "2, 40, 70, 64, 64, 5, 1, 64",
    "1, 36, 150, 40, 20, 1, 1, 1",
    "3, 20, 90, 64, 96, 3, 2, 1",
    // oneDNN itself would write past its scratch pad
    "2, 80, 96, 12, 16, 1, 2, 1",
    "1, 80, 96, 4, 8, 1, 2, 1",
  })
  void allPasses(int n, int h, int w, int i, int o, int kernel, int stride, int groups) {
    if (knowsBfloat16()) allPasses(library, true, n, h, w, i, o, kernel, stride, groups);
    allPasses(widening, false, n, h, w, i, o, kernel, stride, groups);
  }

  private static void allPasses(
      OneDnn oneDnn,
      boolean roundsWeights,
      int n,
      int h,
      int w,
      int i,
      int o,
      int kernel,
      int stride,
      int groups) {
    int pad = kernel / 2;
    Convolution g =
        new Convolution(n, h, w, i, o, kernel, kernel, stride, stride, pad, pad, groups, FLOAT32)
            .with(n, DataType.BFLOAT16);
    Random random = new Random(g.outShape().hashCode());
    float[] x = rounded(GuardedMemory.normal(random, g.inShape()));
    float[] weight = GuardedMemory.normal(random, g.weightShape());
    float[] factor = roundsWeights ? rounded(weight) : weight;
    float[] dy = rounded(GuardedMemory.normal(random, g.outShape()));
    try (GuardedMemory memory = new GuardedMemory()) {
      Tensor tx = memory.halves(x, g.inShape().toArray());
      Tensor tdy = memory.halves(dy, g.outShape().toArray());
      Tensor tw = memory.tensor(weight, g.weightShape().toArray());
      Tensor y = memory.halves(new float[dy.length], g.outShape().toArray());
      Tensor dx = memory.halves(new float[x.length], g.inShape().toArray());
      Tensor dw = memory.tensor(g.weightShape().toArray());
      oneDnn.forward(g, tx, null, tw, y, memory.workspace(oneDnn.forwardWorkspace(g)));
      float[] once = GuardedMemory.values(y);
      double[] expected = PlainConvolution.forward(g, x, factor);
      assertClose(expected, once, 0x1p-8, "y");
      oneDnn.backwardData(g, tdy, tw, dx, memory.workspace(oneDnn.backwardDataWorkspace(g)));
      assertClose(
          PlainConvolution.backwardData(g, dy, factor), GuardedMemory.values(dx), 0x1p-8, "dx");
      Tensor workspace = memory.workspace(oneDnn.backwardWeightWorkspace(g));
      oneDnn.backwardWeight(g, tx, null, tdy, dw, false, workspace);
      double[] dweight = PlainConvolution.backwardWeight(g, x, dy);
      assertClose(dweight, GuardedMemory.values(dw), 0, "dweight");
      oneDnn.backwardWeight(g, tx, null, tdy, dw, true, workspace);
      for (int j = 0; j < dweight.length; j++) dweight[j] *= 2;
      assertClose(dweight, GuardedMemory.values(dw), 0, "dweight added twice");
      Tensor prepacked = memory.tensor(Math.toIntExact(oneDnn.prepackedBytes(g) / 4));
      oneDnn.prepack(g, tw, null, null, prepacked, memory.workspace(oneDnn.prepackWorkspace(g)));
      Tensor again = memory.halves(new float[dy.length], g.outShape().toArray());
      Tensor scratch = memory.workspace(oneDnn.forwardPrepackedWorkspace(g, null));
      oneDnn.forwardPrepacked(g, tx, prepacked, null, again, scratch);
      assertArrayEquals(once, GuardedMemory.values(again), "y by a prepacked weight");
      oneDnn.forwardAdd(
          g, tx, tw, again, memory.workspace(oneDnn.forwardAddWorkspace(g, DataType.BFLOAT16)));
      for (int j = 0; j < expected.length; j++) expected[j] += once[j];
      assertClose(expected, GuardedMemory.values(again), 0x1p-8, "y added to");
      Tensor floats = memory.tensor(once, g.outShape().toArray());
      oneDnn.forwardAdd(
          g, tx, tw, floats, memory.workspace(oneDnn.forwardAddWorkspace(g, FLOAT32)));
      assertClose(expected, GuardedMemory.values(floats), 0, "float32 y added to");
    }
  }

  @Test
  void noConvolutionOfTheModelsFallsToReferenceCode() {
    assumeTrue(knowsBfloat16(), "a processor without AVX-512");
    try (OneDnn library = OneDnn.open(2, MathMode.FLOAT32, true)) {
      for (Convolution geometry : ModelConvolutions.all()) {
        Convolution g = geometry.with(geometry.batch(), DataType.BFLOAT16);
        library.forwardWorkspace(g);
        library.forwardAddWorkspace(g, FLOAT32);
        library.backwardDataWorkspace(g);
        library.backwardWeightWorkspace(g);
      }
      for (String name : library.implementationNames()) {
        assertTrue(!name.contains("ref"), name + " is slow");
      }
    }
  }

  private static float[] rounded(float[] x) {
    float[] rounded = new float[x.length];
    for (int i = 0; i < x.length; i++) rounded[i] = DataType.ofBfloat16(DataType.bfloat16(x[i]));
    return rounded;
  }

  private static void assertClose(double[] expected, float[] actual, double rounding, String of) {
    assertEquals(expected.length, actual.length, of);
    double largest = 0;
    for (double e : expected) largest = Math.max(largest, Math.abs(e));
    for (int i = 0; i < expected.length; i++) {
      double bound = rounding * Math.abs(expected[i]) + 1e-5 * largest;
      assertEquals(expected[i], actual[i], bound, of + " at " + i);
    }
  }
}
