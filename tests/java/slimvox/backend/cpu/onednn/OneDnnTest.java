package slimvox.backend.cpu.onednn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.backend.DataType.FLOAT32;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions.Epilogue;
import slimvox.backend.Matrices.Product;
import slimvox.backend.NativeFunction;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.GuardedMemory;
import slimvox.backend.cpu.NativeLibraries;
import slimvox.storage.Safetensors;

class OneDnnTest {
  @AutoClose private static final OneDnn oneDnn = OneDnn.open(2);

  /** All three passes; dweight twice, with the second run added to the first. */
  record Results(float[] y, float[] dx, float[] dweight, float[] twice) {}

  static Results run(OneDnn library, Convolution g, float[] x, float[] weight, float[] dy) {
    return run(library, g, x, weight, dy, new double[Math.toIntExact(g.outShape().size())]);
  }

  /** {@code off}: how far rounding of factors may take each number of y. */
  static Results run(
      OneDnn library, Convolution g, float[] x, float[] weight, float[] dy, double[] off) {
    try (GuardedMemory memory = new GuardedMemory()) {
      Tensor tx = memory.tensor(x, g.inShape().toArray());
      Tensor tw = memory.tensor(weight, g.weightShape().toArray());
      Tensor tdy = memory.tensor(dy, g.outShape().toArray());
      Tensor y = memory.tensor(g.outShape().toArray());
      Tensor dx = memory.tensor(g.inShape().toArray());
      Tensor dw = memory.tensor(g.weightShape().toArray());
      library.forward(g, tx, null, tw, y, memory.workspace(library.forwardWorkspace(g)));
      new Forward(memory, library, g, tx, tw, GuardedMemory.values(y), off).checkLaidOut();
      library.backwardData(g, tdy, tw, dx, memory.workspace(library.backwardDataWorkspace(g)));
      Tensor workspace = memory.workspace(library.backwardWeightWorkspace(g));
      library.backwardWeight(g, tx, null, tdy, dw, false, workspace);
      float[] once = GuardedMemory.values(dw);
      library.backwardWeight(g, tx, null, tdy, dw, true, workspace);
      assertArrayEquals(x, GuardedMemory.values(tx), "x was written");
      assertArrayEquals(weight, GuardedMemory.values(tw), "the weight was written");
      assertArrayEquals(dy, GuardedMemory.values(tdy), "dy was written");
      return new Results(
          GuardedMemory.values(y), GuardedMemory.values(dx), once, GuardedMemory.values(dw));
    }
  }

  /** What {@code library} made of x, to be had with a weight laid out before, too. */
  private record Forward(
      GuardedMemory memory,
      OneDnn library,
      Convolution g,
      Tensor x,
      Tensor weight,
      float[] y,
      double[] off) {
    /** The same bits. */
    void checkLaidOut() {
      Tensor prepacked = memory.tensor(Math.toIntExact(library.prepackedBytes(g) / 4));
      library.prepack(
          g, weight, null, null, prepacked, memory.workspace(library.prepackWorkspace(g)));
      Tensor again = memory.tensor(g.outShape().toArray());
      Tensor workspace = memory.workspace(library.forwardPrepackedWorkspace(g, null));
      library.forwardPrepacked(g, x, prepacked, null, again, workspace);
      assertArrayEquals(y, GuardedMemory.values(again), "y by a weight that was laid out before");
      for (boolean adds : new boolean[] {false, true}) {
        for (boolean relu : new boolean[] {false, true}) {
          if (library.ends(g, adds, relu)) checkEnd(adds, relu);
        }
      }
    }

    /**
     * y = act(BN(y) (+ what is there)), one pass. Its weights have BN's scale in them, so they are
     * rounded elsewhere than those of y.
     */
    void checkEnd(boolean adds, boolean relu) {
      Random random = new Random(y.length);
      Tensor[] of = new Tensor[4];
      float[][] values = new float[of.length][];
      for (int i = 0; i < of.length; i++) {
        values[i] = GuardedMemory.normal(random, Shape.of(g.outChannels()));
        of[i] = memory.tensor(values[i], g.outChannels());
      }
      Channels channels = new Channels(of[0], of[1], of[2], of[3]);
      Tensor bias = memory.tensor(g.outChannels());
      float[] before = GuardedMemory.normal(random, g.outShape());
      Tensor prepacked = memory.tensor(Math.toIntExact(library.prepackedBytes(g) / 4));
      long scratch = library.prepackWorkspace(g) + weight.bytes();
      library.prepack(g, weight, channels, bias, prepacked, memory.workspace(scratch));
      Epilogue end = new Epilogue(bias, adds, relu);
      Tensor result = memory.tensor(before, g.outShape().toArray());
      Tensor workspace = memory.workspace(library.forwardPrepackedWorkspace(g, end));
      library.forwardPrepacked(g, x, prepacked, end, result, workspace);
      float[] actual = GuardedMemory.values(result);
      for (int i = 0; i < y.length; i++) {
        int c = i % g.outChannels();
        double scale = (double) values[1][c] * values[2][c];
        double expected = scale * (y[i] - values[0][c]) + values[3][c] + (adds ? before[i] : 0);
        if (relu) expected = Math.max(0, expected);
        double size = 1 + Math.abs(scale) * Math.sqrt(g.weightShape().size() / g.outChannels());
        double bound = 1e-5 * size + 2 * Math.abs(scale) * off[i];
        assertEquals(expected, actual[i], bound, end + " at " + i);
      }
    }
  }

  static List<String> knownAnswers() {
    return List.of(
        "conv3x3_s1",
        "conv3x3_s2",
        "conv3x3_s21",
        "conv1x1_s1",
        "conv1x1_s2",
        "depthwise3x3_s1",
        "depthwise3x3_s2",
        "stem3x3");
  }

  @ParameterizedTest
  @MethodSource
  void knownAnswers(String name) {
    Safetensors answers = Safetensors.read(Path.of("tests/data/backend/conv.safetensors"));
    long[] in = answers.shape(name + ".input");
    long[] out = answers.shape(name + ".out");
    long[] weight = answers.shape(name + ".param.weight");
    int kernel = (int) weight[2];
    int padding = kernel / 2;
    Convolution g =
        new Convolution(
            (int) in[0],
            (int) in[2],
            (int) in[3],
            (int) in[1],
            (int) out[1],
            kernel,
            kernel,
            out[2] < in[2] ? 2 : 1,
            out[3] < in[3] ? 2 : 1,
            padding,
            padding,
            (int) (in[1] / weight[1]),
            FLOAT32);
    Results r =
        run(
            oneDnn,
            g,
            channelsLast(answers.floats(name + ".input"), in),
            answers.floats(name + ".param.weight"),
            channelsLast(answers.floats(name + ".grad_out"), out));
    String f64 = "f64." + name;
    assertClose(channelsLast(answers.doubles(f64 + ".out"), out), r.y, 1e-5, "y");
    assertClose(channelsLast(answers.doubles(f64 + ".grad.input"), in), r.dx, 1e-5, "dx");
    assertClose(answers.doubles(f64 + ".grad.weight"), r.dweight, 1e-5, "dweight");
  }

  @Test
  void knownAnswersOfALinearLayer() {
    Safetensors answers = Safetensors.read(Path.of("tests/data/backend/conv.safetensors"));
    try (GuardedMemory memory = new GuardedMemory()) {
      int n = (int) answers.shape("linear.input")[0];
      int in = (int) answers.shape("linear.param.weight")[1];
      int out = (int) answers.shape("linear.param.weight")[0];
      Tensor x = memory.tensor(answers.floats("linear.input"), n, in);
      Tensor w = memory.tensor(answers.floats("linear.param.weight"), out, in);
      Tensor dy = memory.tensor(answers.floats("linear.grad_out"), n, out);
      float[] bias = answers.floats("linear.param.bias");
      float[] rows = new float[n * out];
      for (int i = 0; i < rows.length; i++) rows[i] = bias[i % out];
      Tensor y = memory.tensor(rows, n, out);
      Tensor dx = memory.tensor(n, in);
      Tensor dw = memory.tensor(out, in);
      multiply(memory, false, true, n, out, in, x, w, y, true);
      multiply(memory, false, false, n, in, out, dy, w, dx, false);
      multiply(memory, true, false, out, in, n, dy, x, dw, false);
      assertClose(answers.doubles("f64.linear.out"), GuardedMemory.values(y), 1e-5, "y");
      assertClose(answers.doubles("f64.linear.grad.input"), GuardedMemory.values(dx), 1e-5, "dx");
      assertClose(answers.doubles("f64.linear.grad.weight"), GuardedMemory.values(dw), 1e-5, "dw");
    }
  }

  @ParameterizedTest
  @CsvSource({
    // N, H, W, I, O, kH, kW, sH, sW, pH, pW, groups
    "1, 1, 1, 3, 5, 3, 3, 1, 1, 1, 1, 1",
    "2, 1, 17, 8, 8, 3, 3, 1, 1, 1, 1, 1",
    "2, 2, 7, 16, 32, 3, 3, 2, 2, 1, 1, 1",
    "3, 5, 9, 7, 13, 3, 3, 2, 1, 1, 1, 1",
    "2, 10, 13, 32, 32, 3, 3, 1, 2, 1, 1, 1",
    "2, 7, 1, 33, 17, 3, 3, 1, 1, 1, 1, 1",
    "2, 9, 11, 1, 32, 3, 3, 1, 1, 1, 1, 1",
    "2, 9, 11, 1, 8, 3, 3, 1, 1, 1, 1, 1",
    "2, 8, 8, 12, 20, 2, 2, 2, 2, 0, 0, 1",
    "2, 9, 7, 6, 10, 5, 3, 1, 1, 2, 1, 1",
    "2, 9, 7, 6, 10, 1, 3, 1, 1, 0, 1, 1",
    "2, 9, 11, 4, 24, 1, 1, 1, 1, 0, 0, 1",
    "2, 9, 11, 8, 16, 1, 1, 2, 2, 0, 0, 1",
    "2, 8, 12, 15, 16, 1, 1, 2, 1, 0, 0, 1",
    "2, 8, 12, 16, 32, 1, 1, 1, 2, 0, 0, 1",
    "2, 9, 11, 64, 40, 1, 1, 2, 2, 0, 0, 1",
    // shortcuts of narrow ResNets: oneDNN itself would write past its scratch pad
    "1, 80, 96, 4, 8, 1, 1, 2, 2, 0, 0, 1",
    "2, 80, 96, 12, 16, 1, 1, 2, 2, 0, 0, 1",
    "2, 80, 200, 8, 16, 1, 1, 2, 2, 0, 0, 1",
    "1, 23, 84, 15, 20, 1, 1, 1, 2, 0, 0, 1",
    "3, 28, 78, 4, 20, 1, 1, 2, 1, 0, 0, 1",
    "2, 9, 11, 12, 16, 1, 1, 3, 2, 0, 0, 2",
    "2, 9, 11, 24, 24, 3, 3, 1, 1, 1, 1, 24",
    "2, 9, 11, 128, 128, 3, 3, 2, 2, 1, 1, 128",
    "2, 9, 11, 10, 10, 3, 3, 2, 1, 1, 1, 10",
    "2, 9, 11, 20, 20, 3, 3, 1, 1, 1, 1, 20",
    "2, 9, 11, 20, 20, 5, 3, 1, 1, 0, 2, 20",
    "2, 9, 11, 20, 20, 3, 3, 1, 1, 3, 1, 20",
    "2, 9, 11, 12, 18, 3, 3, 1, 1, 1, 1, 3",
    "2, 9, 11, 32, 64, 3, 3, 2, 2, 1, 1, 2",
    "1, 6, 9, 4, 8, 3, 3, 1, 1, 1, 1, 4",
    "2, 9, 11, 8, 8, 3, 3, 1, 1, 0, 2, 1",
    // many channels on one side and few on the other: products, of some or all rows or images
    "3, 10, 25, 2048, 24, 3, 3, 1, 1, 1, 1, 1",
    "3, 5, 7, 24, 2048, 3, 3, 1, 1, 1, 1, 1",
    "4, 1, 9, 96, 6, 3, 3, 1, 1, 1, 1, 1",
    "4, 40, 100, 128, 8, 3, 3, 1, 1, 1, 1, 1",
    "2, 40, 100, 128, 32, 3, 3, 1, 1, 1, 1, 1",
    "2, 40, 100, 32, 128, 3, 3, 1, 1, 1, 1, 1",
    "2, 7, 1, 5, 80, 3, 5, 1, 1, 1, 2, 1",
    "2, 7, 8, 80, 5, 1, 3, 1, 1, 0, 1, 1",
    "2, 7, 8, 1, 16, 3, 3, 1, 1, 1, 1, 1",
  })
  void allPassesFollowTheDefinition(
      int n,
      int h,
      int w,
      int i,
      int o,
      int kh,
      int kw,
      int sh,
      int sw,
      int ph,
      int pw,
      int groups) {
    Convolution g = new Convolution(n, h, w, i, o, kh, kw, sh, sw, ph, pw, groups, FLOAT32);
    Random random = new Random(g.toString().hashCode());
    float[] x = GuardedMemory.normal(random, g.inShape());
    float[] weight = GuardedMemory.normal(random, g.weightShape());
    float[] dy = GuardedMemory.normal(random, g.outShape());
    Results r = run(oneDnn, g, x, weight, dy);
    assertClose(PlainConvolution.forward(g, x, weight), r.y, 1e-5, "y");
    assertClose(PlainConvolution.backwardData(g, dy, weight), r.dx, 1e-5, "dx");
    double[] dweight = PlainConvolution.backwardWeight(g, x, dy);
    assertClose(dweight, r.dweight, 1e-5, "dweight");
    for (int j = 0; j < dweight.length; j++) dweight[j] *= 2;
    assertClose(dweight, r.twice, 1e-5, "dweight added twice");
    double forward = dot(r.y, dy);
    double scale = Math.sqrt(dot(r.y, r.y) * dot(dy, dy));
    assertEquals(forward, dot(x, r.dx), 1e-5 * scale, "<y, dy> = <x, dx>");
    assertEquals(forward, dot(weight, r.dweight), 1e-5 * scale, "<y, dy> = <w, dw>");
  }

  @ParameterizedTest
  @CsvSource({
    "false, false, 3, 5, 7",
    "false, true, 3, 5, 7",
    "true, false, 3, 5, 7",
    "true, true, 3, 5, 7",
    "false, true, 1, 1, 1",
    "false, true, 1, 30, 256",
    "false, true, 64, 30, 256",
    "false, false, 64, 256, 30",
    "true, false, 30, 256, 64",
    "true, false, 30, 256, 1",
    "false, true, 17, 257, 5120",
    "true, false, 257, 513, 17",
    "true, true, 65, 33, 129",
  })
  void productsFollowTheDefinition(boolean ta, boolean tb, int m, int n, int k) {
    Random random = new Random(m * 31 + n);
    double[] c = new double[m * n];
    float[] a = new float[m * k];
    float[] b = new float[k * n];
    for (int i = 0; i < a.length; i++) a[i] = (float) random.nextGaussian();
    for (int i = 0; i < b.length; i++) b[i] = (float) random.nextGaussian();
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        for (int l = 0; l < k; l++) {
          c[i * n + j] += (double) a[ta ? l * m + i : i * k + l] * b[tb ? j * k + l : l * n + j];
        }
      }
    }
    try (GuardedMemory memory = new GuardedMemory()) {
      Tensor tensorA = ta ? memory.tensor(a, k, m) : memory.tensor(a, m, k);
      Tensor tensorB = tb ? memory.tensor(b, n, k) : memory.tensor(b, k, n);
      Tensor tensorC = memory.tensor(m, n);
      multiply(memory, ta, tb, m, n, k, tensorA, tensorB, tensorC, false);
      assertClose(c, GuardedMemory.values(tensorC), 1e-5, "c");
      multiply(memory, ta, tb, m, n, k, tensorA, tensorB, tensorC, true);
      for (int i = 0; i < c.length; i++) c[i] *= 2;
      assertClose(c, GuardedMemory.values(tensorC), 1e-5, "c added twice");
    }
  }

  @Test
  void sameOperandsGiveTheSameBits() {
    Convolution g = new Convolution(3, 20, 50, 32, 64, 3, 3, 2, 2, 1, 1, 1, FLOAT32);
    Random random = new Random(1);
    float[] x = GuardedMemory.normal(random, g.inShape());
    float[] weight = GuardedMemory.normal(random, g.weightShape());
    float[] dy = GuardedMemory.normal(random, g.outShape());
    Results first = run(oneDnn, g, x, weight, dy);
    for (int i = 0; i < 5; i++) {
      Results again = run(oneDnn, g, x, weight, dy);
      assertArrayEquals(first.y, again.y, "y");
      assertArrayEquals(first.dx, again.dx, "dx");
      assertArrayEquals(first.dweight, again.dweight, "dweight");
    }
    try (OneDnn other = OneDnn.open(2)) {
      Results again = run(other, g, x, weight, dy);
      assertArrayEquals(first.y, again.y, "y of another instance");
      assertArrayEquals(first.dx, again.dx, "dx of another instance");
      assertArrayEquals(first.dweight, again.dweight, "dweight of another instance");
    }
  }

  @Test
  void anotherThreadComputesTheSameBits() throws Exception {
    Convolution g = new Convolution(2, 20, 30, 16, 32, 3, 3, 1, 1, 1, 1, 1, FLOAT32);
    Random random = new Random(2);
    float[] x = GuardedMemory.normal(random, g.inShape());
    float[] weight = GuardedMemory.normal(random, g.weightShape());
    float[] dy = GuardedMemory.normal(random, g.outShape());
    try (OneDnn single = OneDnn.open(1)) {
      Results here = run(single, g, x, weight, dy);
      Results[] there = new Results[1];
      Thread thread = new Thread(() -> there[0] = run(single, g, x, weight, dy));
      thread.start();
      thread.join();
      assertArrayEquals(here.dweight, there[0].dweight);
      assertArrayEquals(here.y, there[0].y);
    }
  }

  @Test
  void instancesWithOtherNumbersOfThreadsTakeTurns() {
    try (OneDnn one = OneDnn.open(1);
        OneDnn two = OneDnn.open(2)) {
      NativeFunction inUse = NativeFunction.find(one.gomp(), "omp_get_max_threads", 0);
      for (OneDnn library : new OneDnn[] {one, two, one, two}) {
        library.matmulWorkspace(new Product(false, true, 512, 512, 512));
        assertEquals(library.threads(), (int) inUse.call());
        library.matmulWorkspace(new Product(false, true, 8, 8, 8));
        assertEquals(1, (int) inUse.call(), "little work");
      }
    }
  }

  @Test
  void noConvolutionOfTheModelsFallsToReferenceCode() {
    try (OneDnn library = OneDnn.open(2)) {
      for (Convolution g : ModelConvolutions.all()) {
        library.forwardWorkspace(g);
        library.backwardDataWorkspace(g);
        library.backwardWeightWorkspace(g);
      }
      for (int batch : new int[] {1, 2, 64}) {
        library.matmulWorkspace(new Product(false, true, batch, 256, 5120));
        library.matmulWorkspace(new Product(false, false, batch, 5120, 256));
        library.matmulWorkspace(new Product(true, false, 256, 5120, batch));
        library.matmulWorkspace(new Product(false, true, batch, 5994, 256));
        library.matmulWorkspace(new Product(false, false, batch, 256, 5994));
        library.matmulWorkspace(new Product(true, false, 5994, 256, batch));
      }
      for (String name : library.implementationNames()) {
        assertTrue(!name.contains("ref"), name + " is slow");
      }
    }
  }

  @Test
  void workspaceHoldsTheGradientAndIsTheSameEachTime() {
    try (OneDnn library = OneDnn.open(1)) {
      Convolution g = new Convolution(2, 20, 50, 128, 256, 1, 1, 2, 2, 0, 0, 1, FLOAT32);
      long bytes = library.backwardWeightWorkspace(g);
      assertTrue(bytes >= g.weightShape().size() * 4, bytes + " bytes hold no dweight");
      assertEquals(bytes, library.backwardWeightWorkspace(g));
    }
  }

  @Test
  void otherPlatformsAreRefusedInOneLine() {
    Exception e =
        assertThrows(
            UnsupportedOperationException.class,
            () -> NativeLibraries.checkPlatform("windows-x86_64"));
    assertEquals("the CPU backend needs linux-x86_64, this is windows-x86_64", e.getMessage());
  }

  @Test
  void missingLibraryIsNamed() {
    Exception e =
        assertThrows(
            UnsupportedOperationException.class, () -> NativeLibraries.open("libnone.so.1"));
    assertEquals(
        "oneDNN's libnone.so.1 is not on the class path: the jar dnnl-linux-x86_64 is missing",
        e.getMessage());
  }

  @Test
  void fewerThanOneThreadIsRefused() {
    Exception e = assertThrows(IllegalArgumentException.class, () -> OneDnn.open(0));
    assertEquals("0 threads: at least 1 is needed", e.getMessage());
  }

  @Test
  void versionIsTheOneWeTested() {
    assertTrue(oneDnn.version().startsWith("3.11."), oneDnn.version());
  }

  private static void multiply(
      GuardedMemory memory,
      boolean ta,
      boolean tb,
      int m,
      int n,
      int k,
      Tensor a,
      Tensor b,
      Tensor c,
      boolean accumulate) {
    Tensor workspace = memory.workspace(oneDnn.matmulWorkspace(new Product(ta, tb, m, n, k)));
    oneDnn.matmul(new Product(ta, tb, m, n, k), a, b, c, accumulate, workspace);
  }

  /** B x C x H x W to B x H x W x C. */
  private static float[] channelsLast(float[] x, long[] shape) {
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i++) y[channelsLast(i, shape)] = x[i];
    return y;
  }

  private static double[] channelsLast(double[] x, long[] shape) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) y[channelsLast(i, shape)] = x[i];
    return y;
  }

  private static int channelsLast(int i, long[] shape) {
    int c = (int) shape[1];
    int pixels = (int) (shape[2] * shape[3]);
    return i / (c * pixels) * c * pixels + i % pixels * c + i / pixels % c;
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) sum += (double) a[i] * b[i];
    return sum;
  }

  private static void assertClose(
      double[] expected, float[] actual, double tolerance, String what) {
    assertEquals(expected.length, actual.length, what);
    double largest = 0;
    for (double e : expected) largest = Math.max(largest, Math.abs(e));
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], tolerance * largest, what + " at " + i);
    }
  }
}
