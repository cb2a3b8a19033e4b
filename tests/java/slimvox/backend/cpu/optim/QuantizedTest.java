package slimvox.backend.cpu.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.AdamStep;
import slimvox.backend.Backend;
import slimvox.backend.CodeBook;
import slimvox.backend.DataType;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.KernelFixture;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.optim.DynamicTree;
import slimvox.optim.LinearCode;
import slimvox.storage.Safetensors;

/** Quantization and the optimizers on quantized state. */
class QuantizedTest extends KernelFixture {
  private static final Path DATA = Path.of("tests/data/optim");

  private Quantized quantized(long size, CodeBook book, int block) {
    Shape shape = Shape.of((int) size);
    Tensor codes = backend.allocate(Category.OPTIMIZER_STATE, "x.codes", DataType.UINT8, shape);
    int blocks = Quantized.blocks(size, block);
    Tensor absmax = backend.allocate(Category.OPTIMIZER_STATE, "x.absmax", blocks);
    Quantized q = new Quantized(codes, absmax, book, block);
    ops.optimizers.quantize(tensor(new float[(int) size], (int) size), q);
    return q;
  }

  // ---- quantization

  static Stream<String> inputs() {
    return Safetensors.read(DATA.resolve("quantize.safetensors")).names().stream()
        .filter(n -> n.endsWith(".input"))
        .map(n -> n.replace(".input", ""));
  }

  /** A number above zero that the reference stores as zero gets the code above it. */
  @ParameterizedTest
  @MethodSource("inputs")
  void codesScalesAndNumbersAreTheReferences(String name) {
    Safetensors file = Safetensors.read(DATA.resolve("quantize.safetensors"));
    float[] signed = file.floats(name + ".input");
    for (CodeBook book :
        List.of(
            DynamicTree.signed(),
            DynamicTree.unsigned(),
            DynamicTree.nearestOnly(true),
            DynamicTree.nearestOnly(false))) {
      boolean isSigned = book.value(0) < 0;
      float[] x = isSigned ? signed : filled(signed.length, i -> Math.abs(signed[i]));
      for (int block : new int[] {256, 2048}) {
        Quantized q = quantized(x.length, book, block);
        ops.optimizers.quantize(tensor(x, x.length), q);
        String at = "nearest." + name + (isSigned ? ".signed" : ".unsigned") + ".b" + block + ".";
        byte[] codes = file.bytes(at + "codes");
        float[] absmax = file.floats(at + "absmax");
        float[] numbers = file.floats(at + "dequantized");
        for (int i = 0; i < x.length; i++) {
          if (codes[i] != 0 || x[i] <= 0 || book != DynamicTree.unsigned()) continue;
          codes[i] = 1;
          numbers[i] = book.value(1) * absmax[i / block];
        }
        assertArrayEquals(codes, ops.bytes(q.codes()), at);
        assertArrayEquals(absmax, ops.floats(q.absmax()), at);
        assertArrayEquals(numbers, values(q), at);
      }
    }
  }

  @Test
  void whatWasQuantizedComesBackTheSameCodesOfEveryBookAndBlock() {
    List<CodeBook> books =
        List.of(
            DynamicTree.signed(),
            DynamicTree.unsigned(),
            LinearCode.signed(),
            LinearCode.unsigned());
    for (CodeBook book : books) {
      for (int size : new int[] {1, 15, 256, 5000, 40_001}) {
        for (int block : new int[] {1, 16, 256, 8192, size}) {
          Quantized q = quantized(size, book, block);
          float[] x = normal(size);
          ops.optimizers.quantize(tensor(x, size), q);
          float[] absmax = ops.floats(q.absmax());
          byte[] codes = ops.bytes(q.codes());
          float[] y = values(q);
          for (int i = 0; i < size; i++) {
            float largest = absmax[i / block];
            assertTrue(Math.abs(x[i]) <= largest);
            boolean whole = size - i / block * block >= block;
            float share = whole ? x[i] * (1 / largest) : x[i] / largest;
            assertEquals(book.code(x[i], share), codes[i] & 255, book + " " + size + " " + block);
            assertEquals(book.value(codes[i] & 255) * largest, y[i]);
          }
        }
      }
    }
  }

  @Test
  void codesAndScalesThatDoNotBelongTogetherAreRefused() {
    Tensor codes =
        backend.allocate(Category.OPTIMIZER_STATE, "w.codes", DataType.UINT8, Shape.of(600));
    Tensor absmax = backend.allocate(Category.OPTIMIZER_STATE, "w.absmax", 2);
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new Quantized(codes, absmax, DynamicTree.signed(), 256));
    assertEquals(
        "w.codes [600] in blocks of 256 needs 3 scales; w.codes [600] and w.absmax [2] do not"
            + " belong together",
        e.getMessage());
  }

  // ---- optimizers

  /** One pass gives the bits of: dequantize, the 32-bit step, quantize. */
  @ParameterizedTest
  @CsvSource({
    "1, 256",
    "255, 256",
    "4096, 256",
    "5000, 16",
    "5003, 2048",
    "9001, 4096",
    "40007, 8192",
    "40007, 40007",
    "2048, 2048",
    "100003, 256"
  })
  void oneStepIsTheThirtyTwoBitStepBetweenDequantizeAndQuantize(int size, int block) {
    Quantized b = quantized(size, DynamicTree.signed(), block);
    Quantized m = quantized(size, DynamicTree.signed(), block);
    Quantized v = quantized(size, DynamicTree.unsigned(), block);
    Tensor sgd = tensor(normal(size), size);
    Tensor adam = tensor(normal(size), size);
    Quantized b2 = quantized(size, DynamicTree.signed(), block);
    Quantized m2 = quantized(size, DynamicTree.signed(), block);
    Quantized v2 = quantized(size, DynamicTree.unsigned(), block);
    Tensor sgd2 = tensor(ops.floats(sgd), size);
    Tensor adam2 = tensor(ops.floats(adam), size);
    for (int step = 1; step <= 3; step++) {
      Tensor g = tensor(normal(size), size);
      SgdStep rule = new SgdStep(0.1f, 0.9f, 0, 1e-4f, step == 3, step == 1);
      AdamStep adamRule = new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.1, step == 2, step);
      ops.optimizers.sgdQuantized(rule, g, sgd, b);
      ops.optimizers.adamQuantized(adamRule, g, adam, m, v);

      Tensor full = tensor(values(b2), size);
      ops.optimizers.sgd(rule, g, sgd2, full);
      ops.optimizers.quantize(full, b2);
      Tensor mean = tensor(values(m2), size);
      Tensor square = tensor(values(v2), size);
      ops.optimizers.adam(adamRule, g, adam2, mean, square);
      ops.optimizers.quantize(mean, m2);
      ops.optimizers.quantize(square, v2);

      String at = "step " + step;
      if (step == 2) assertArrayEquals(ops.floats(sgd2), ops.floats(sgd), at);
      assertClose(at, doubles(sgd2), sgd, 1e-7); // the first 32-bit step rounds less
      assertArrayEquals(ops.floats(adam2), ops.floats(adam), at);
      assertSame(b2, b, at);
      assertSame(m2, m, at);
      assertSame(v2, v, at);
    }
  }

  /**
   * The guards, written out one by one, on gradients of six decades with zeros, elements that are
   * used once and one of 1e20: the same bits on every path.
   */
  @ParameterizedTest
  @CsvSource({
    "1, 256, true",
    "5000, 16, true",
    "5003, 8, false",
    "5003, 256, true",
    "5003, 256, false",
    "9001, 4096, true",
    "9001, 9001, false",
    "8192, 8192, true"
  })
  void guardsAreTheRuleWrittenOutOneByOne(int size, int block, boolean dynamic) {
    CodeBook signed = dynamic ? DynamicTree.signed() : LinearCode.signed();
    CodeBook unsigned = dynamic ? DynamicTree.unsigned() : LinearCode.unsigned();
    Quantized b = quantized(size, signed, block);
    Quantized m = quantized(size, signed, block);
    Quantized v = quantized(size, unsigned, block);
    float[] start = normal(size);
    Tensor sgd = tensor(start, size);
    Tensor adam = tensor(start, size);
    for (int step = 1; step <= 12; step++) {
      float[] g = normal(size);
      for (int i = 0; i < size; i++) {
        g[i] *= (float) Math.pow(10, -(i % 7));
        if (i % 5 == 0 && step > 3 || i % 11 == 0 && step > 1 || i % 64 > 40 && step > 5) g[i] = 0;
        if (i == 300 && step == 2) g[i] = 1e20f;
      }
      boolean decay = step % 2 == 0;
      SgdStep sgdStep = new SgdStep(0.1f, 0.9f, 0, decay ? 1e-4f : 0, false, step == 1);
      AdamStep adamStep = new AdamStep(1e-2, 0.9, 0.999, 1e-8, decay ? 0.01 : 0, false, step);
      float[] w = ops.floats(sgd);
      float[] sums = values(b);
      for (int i = 0; i < size; i++) {
        float d = Math.fma(w[i], sgdStep.weightDecay(), g[i]);
        sums[i] = step == 1 ? d : Math.fma(d, 1, sums[i] * 0.9f);
        w[i] = Math.fma(sums[i], -0.1f, w[i]);
      }
      byte[] codes = codes(sums, g, b, sgdStep.keep());
      ops.optimizers.sgdQuantized(sgdStep, tensor(g, size), sgd, b);
      assertArrayEquals(w, ops.floats(sgd), "sgd, step " + step);
      assertArrayEquals(codes, ops.bytes(b.codes()), "b, step " + step);

      w = ops.floats(adam);
      float[] means = values(m);
      float[] squares = values(v);
      float rate = (float) (-1e-2 / (1 - Math.pow(0.9, step)));
      float correction = (float) (1 / Math.sqrt(1 - Math.pow(0.999, step)));
      for (int i = 0; i < size; i++) {
        float d = Math.fma(w[i], (float) adamStep.weightDecay(), g[i]);
        means[i] = Math.fma(d - means[i], (float) (1 - 0.9), means[i]);
        squares[i] = Math.fma(d * d, (float) (1 - 0.999), squares[i] * 0.999f);
        float root = Math.fma((float) Math.sqrt(squares[i]), correction, 1e-8f);
        float u = means[i] / Math.max(root, Math.abs(means[i] * adamStep.leastRoot()));
        w[i] = Math.fma(u, rate, w[i]);
      }
      byte[] meanCodes = codes(means, g, m, adamStep.keep());
      byte[] squareCodes = codes(squares, g, v, 0);
      ops.optimizers.adamQuantized(adamStep, tensor(g, size), adam, m, v);
      assertArrayEquals(w, ops.floats(adam), "adam, step " + step);
      assertArrayEquals(meanCodes, ops.bytes(m.codes()), "m, step " + step);
      assertArrayEquals(squareCodes, ops.bytes(v.codes()), "v, step " + step);
      for (float scale : ops.floats(v.absmax())) assertTrue(Float.isFinite(scale));
    }
  }

  private float[] values(Quantized q) {
    return q.book().values(ops.bytes(q.codes()), ops.floats(q.absmax()), q.block());
  }

  private byte[] codes(float[] x, float[] gradient, Quantized q, float keep) {
    float[] old = ops.floats(q.absmax());
    byte[] codes = new byte[x.length];
    for (int from = 0; from < x.length; from += q.block()) {
      int to = Math.min(x.length, from + q.block());
      boolean whole = to - from == q.block();
      float largest = 0;
      for (int i = from; i < to; i++) largest = Math.max(largest, Math.abs(x[i]));
      largest = q.book().scale(largest);
      float divisor = Math.max(largest, Quantized.LEAST_SCALE);
      float scale = Quantized.storedScale(largest, whole);
      for (int i = from; i < to; i++) {
        int code = q.book().code(x[i], whole ? x[i] * (1 / divisor) : x[i] / divisor);
        boolean held = Math.abs(q.book().value(code)) * scale * keep > Math.abs(x[i]);
        boolean kept = scale > old[from / q.block()] * keep;
        if (gradient[i] == 0 && held && kept) code += x[i] > 0 ? -1 : 1;
        codes[i] = (byte) code;
      }
    }
    return codes;
  }

  @ParameterizedTest
  @CsvSource({"100003, 256", "100003, 2048", "200000, 4096"})
  void anyNumberOfThreadsGivesTheSameBits(int size, int block) {
    List<float[]> starts = List.of(normal(size), normal(size));
    List<float[]> gradients = List.of(normal(size), normal(size), normal(size));
    openBackend(1);
    List<float[]> one = steps(starts, gradients, block);
    for (int threads : new int[] {2, 3}) {
      openBackend(threads);
      List<float[]> more = steps(starts, gradients, block);
      for (int i = 0; i < one.size(); i++) assertArrayEquals(one.get(i), more.get(i));
    }
  }

  private void openBackend(int threads) {
    backend.close();
    backend = new Backend(CpuDevice.open(threads));
    ops = backend.ops();
  }

  /** Parameters and state after a step for each gradient of SGD, and of Adam. */
  private List<float[]> steps(List<float[]> starts, List<float[]> gradients, int block) {
    int size = starts.get(0).length;
    Tensor sgd = tensor(starts.get(0), size);
    Tensor adam = tensor(starts.get(1), size);
    Quantized b = quantized(size, DynamicTree.signed(), block);
    Quantized m = quantized(size, DynamicTree.signed(), block);
    Quantized v = quantized(size, DynamicTree.unsigned(), block);
    for (int step = 1; step <= gradients.size(); step++) {
      Tensor g = tensor(gradients.get(step - 1), size);
      ops.optimizers.sgdQuantized(new SgdStep(0.1f, 0.9f, 0, 1e-4f, true, step == 1), g, sgd, b);
      ops.optimizers.adamQuantized(
          new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.1, true, step), g, adam, m, v);
    }
    List<float[]> results = new ArrayList<>(List.of(ops.floats(sgd), ops.floats(adam)));
    for (Quantized q : List.of(b, m, v)) results.add(values(q));
    return results;
  }

  @Test
  void aStepInPlaceOfFullStateTakesAFewKibibytesOfWorkspaceThatTheLedgerKnows() {
    int size = 1 << 20;
    Tensor p = tensor(normal(size), size);
    Tensor g = tensor(normal(size), size);
    Quantized m = quantized(size, DynamicTree.signed(), 256);
    Quantized v = quantized(size, DynamicTree.unsigned(), 256);
    backend.ledger().startTimeline();
    ops.optimizers.sgdQuantized(new SgdStep(0.1f, 0.9f, 0, 0, false, false), g, p, m);
    ops.optimizers.adamQuantized(new AdamStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1), g, p, m, v);
    List<Long> bytes =
        backend.ledger().stopTimeline().stream()
            .filter(e -> e.category() == Category.WORKSPACE && e.allocation())
            .map(MemoryLedger.Event::bytes)
            .toList();
    // 2048 numbers of each state on each of two threads.
    assertEquals(List.of(2L * 8192, 2L * 2 * 8192), bytes);
    assertEquals(0, backend.ledger().bytes(Category.WORKSPACE));
  }

  /** One not-a-number stays in its block and is not lost, on the fast path too. */
  @Test
  void whatIsNotFiniteMakesItsParameterAndTheScaleOfItsBlockNotFinite() {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      int size = 1024;
      float[] gradient = normal(size);
      gradient[300] = bad;
      Quantized m = quantized(size, DynamicTree.signed(), 256);
      Quantized v = quantized(size, DynamicTree.unsigned(), 256);
      Tensor p = tensor(normal(size), size);
      AdamStep step = new AdamStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1);
      ops.optimizers.adamQuantized(step, tensor(gradient, size), p, m, v);
      float[] moved = ops.floats(p);
      for (int i = 0; i < size; i++) assertEquals(i != 300, Float.isFinite(moved[i]), "p " + i);
      // The square of an infinite gradient is stored as the largest float.
      for (Quantized q : Float.isNaN(bad) ? List.of(m, v) : List.of(m)) {
        float[] absmax = ops.floats(q.absmax());
        for (int b = 0; b < absmax.length; b++) {
          assertEquals(b != 1, Float.isFinite(absmax[b]), q.absmax() + " " + b);
        }
      }
    }
  }

  private double[] doubles(Tensor x) {
    float[] values = ops.floats(x);
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) doubles[i] = values[i];
    return doubles;
  }

  private void assertSame(Quantized expected, Quantized actual, String at) {
    assertArrayEquals(ops.bytes(expected.codes()), ops.bytes(actual.codes()), at);
    assertArrayEquals(ops.floats(expected.absmax()), ops.floats(actual.absmax()), at);
  }

  @Test
  void momentsOfDifferentBlocksAreRefused() {
    Quantized m = quantized(600, DynamicTree.signed(), 256);
    Quantized v = quantized(600, DynamicTree.unsigned(), 512);
    AdamStep step = new AdamStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1);
    Tensor p = tensor(600);
    assertThrows(
        IllegalArgumentException.class, () -> ops.optimizers.adamQuantized(step, p, p, m, v));
  }
}
