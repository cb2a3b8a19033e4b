package slimvox.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.AdamStep;
import slimvox.backend.Backend;
import slimvox.backend.CodeBook;
import slimvox.backend.DataType;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
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
    ops.quantize(tensor(new float[(int) size], (int) size), q);
    return q;
  }

  // ---- quantization

  @ParameterizedTest
  @ValueSource(
      strings = {
        "normal",
        "heavy_tail",
        "outlier",
        "tiny",
        "subnormal",
        "zeros",
        "mixed_zero",
        "log_uniform",
        "grid"
      })
  void codesScalesAndNumbersAreTheReferences(String name) {
    Safetensors file = Safetensors.read(DATA.resolve("quantize.safetensors"));
    float[] signed = file.floats(name + ".input");
    for (boolean isSigned : new boolean[] {true, false}) {
      float[] x = isSigned ? signed : filled(signed.length, i -> Math.abs(signed[i]));
      for (int block : new int[] {256, 2048}) {
        CodeBook book = isSigned ? DynamicTree.signed() : DynamicTree.unsigned();
        Quantized q = quantized(x.length, book, block);
        ops.quantize(tensor(x, x.length), q);
        Tensor back = tensor(x.length);
        ops.dequantize(q, back);
        String at = "nearest." + name + (isSigned ? ".signed" : ".unsigned") + ".b" + block + ".";
        assertArrayEquals(file.bytes(at + "codes"), ops.bytes(q.codes()), at);
        assertArrayEquals(file.floats(at + "absmax"), ops.floats(q.absmax()), at);
        assertArrayEquals(file.floats(at + "dequantized"), ops.floats(back), at);
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
          ops.quantize(tensor(x, size), q);
          float[] absmax = ops.floats(q.absmax());
          byte[] codes = ops.bytes(q.codes());
          Tensor back = tensor(size);
          ops.dequantize(q, back);
          float[] y = ops.floats(back);
          for (int i = 0; i < size; i++) {
            float largest = absmax[i / block];
            assertTrue(Math.abs(x[i]) <= largest);
            boolean whole = size - i / block * block >= block;
            float share = whole ? x[i] * (1 / largest) : x[i] / largest;
            assertEquals(book.nearest(share), codes[i] & 255, book + " " + size + " " + block);
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

  private int differing;
  private int compared;

  private void compare(Safetensors file, String name, Quantized q) {
    byte[] codes = ops.bytes(q.codes());
    byte[] expected = file.bytes(name);
    String scale = name.replace("state", "absmax");
    float[] absmax = ops.floats(q.absmax());
    assertClose(scale, file.doubles(scale), absmax, 1e-6, 0);
    for (int i = 0; i < codes.length; i++) {
      if (absmax[i / q.block()] == 0) continue; // the code means nothing
      compared++;
      if (codes[i] == expected[i]) continue;
      differing++;
      assertEquals(expected[i] & 255, codes[i] & 255, 1, name + "[" + i + "]");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "nearest.sgd_wd0, 0, false",
    "nearest.sgd_wd1e-4, 1e-4, false",
    "nesterov.sgd_wd1e-4, 1e-4, true"
  })
  void sgdFollowsTheTraceOfTheReference(String name, float decay, boolean nesterov) {
    Safetensors file = Safetensors.read(DATA.resolve("optim8.safetensors"));
    float[] start = file.floats("param0");
    int size = start.length;
    Tensor p = tensor(start, size);
    Quantized b = quantized(size, DynamicTree.signed(), 256);
    for (int step = 1; step <= 20; step++) {
      Tensor g = tensor(file.floats("grad" + step), size);
      ops.sgdQuantized(new SgdStep(0.1f, 0.9f, 0, decay, nesterov, step == 1), g, p, b);
      String at = name + ".step" + step;
      if (!file.has(at + ".param")) continue;
      assertClose(at, file.doubles(at + ".param"), p, 1e-6);
      compare(file, at + ".state1", b);
    }
    assertFollowed();
  }

  /** At most one code in 10,000 may differ, of those after steps 1, 2, 5 and 20. */
  private void assertFollowed() {
    assertTrue(compared > 4 * 4096, compared + " codes compared");
    assertTrue(differing * 10_000L <= compared, differing + " of " + compared + " codes differ");
  }

  @ParameterizedTest
  @CsvSource({"adam_wd0, 0", "adam_wd1e-2, 0.01", "adamw_wd5e-2, 0.05"})
  void adamFollowsTheTraceOfTheReference(String name, double decay) {
    Safetensors file = Safetensors.read(DATA.resolve("optim8.safetensors"));
    float[] start = file.floats("param0");
    int size = start.length;
    Tensor p = tensor(start, size);
    Quantized m = quantized(size, DynamicTree.signed(), 256);
    Quantized v = quantized(size, DynamicTree.unsigned(), 256);
    for (int step = 1; step <= 20; step++) {
      Tensor g = tensor(file.floats("grad" + step), size);
      AdamStep rule = new AdamStep(1e-3, 0.9, 0.999, 1e-8, decay, true, step);
      ops.adamQuantized(rule, g, p, m, v);
      String at = "nearest." + name + ".step" + step;
      if (!file.has(at + ".param")) continue;
      assertClose(at, file.doubles(at + ".param"), p, 1e-6);
      compare(file, at + ".state1", m);
      compare(file, at + ".state2", v);
    }
    assertFollowed();
  }

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
      ops.sgdQuantized(rule, g, sgd, b);
      ops.adamQuantized(adamRule, g, adam, m, v);

      Tensor full = tensor(size);
      ops.dequantize(b2, full);
      ops.sgd(rule, g, sgd2, full);
      ops.quantize(full, b2);
      Tensor mean = tensor(size);
      Tensor square = tensor(size);
      ops.dequantize(m2, mean);
      ops.dequantize(v2, square);
      ops.adam(adamRule, g, adam2, mean, square);
      ops.quantize(mean, m2);
      ops.quantize(square, v2);

      String at = "step " + step;
      if (step == 2) assertArrayEquals(ops.floats(sgd2), ops.floats(sgd), at);
      assertClose(at, doubles(sgd2), sgd, 1e-7); // the first 32-bit step rounds less
      assertArrayEquals(ops.floats(adam2), ops.floats(adam), at);
      assertSame(b2, b, at);
      assertSame(m2, m, at);
      assertSame(v2, v, at);
    }
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
      ops.sgdQuantized(new SgdStep(0.1f, 0.9f, 0, 1e-4f, true, step == 1), g, sgd, b);
      ops.adamQuantized(new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.1, true, step), g, adam, m, v);
    }
    List<float[]> results = new ArrayList<>(List.of(ops.floats(sgd), ops.floats(adam)));
    for (Quantized q : List.of(b, m, v)) {
      Tensor full = tensor(size);
      ops.dequantize(q, full);
      results.add(ops.floats(full));
    }
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
    ops.sgdQuantized(new SgdStep(0.1f, 0.9f, 0, 0, false, false), g, p, m);
    ops.adamQuantized(new AdamStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1), g, p, m, v);
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
  void whatIsNotFiniteMakesTheScaleOfItsBlockNotFinite() {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      int size = 1024;
      float[] gradient = normal(size);
      gradient[300] = bad;
      Quantized m = quantized(size, DynamicTree.signed(), 256);
      Quantized v = quantized(size, DynamicTree.unsigned(), 256);
      AdamStep step = new AdamStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1);
      ops.adamQuantized(step, tensor(gradient, size), tensor(normal(size), size), m, v);
      for (Quantized q : List.of(m, v)) {
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
    assertThrows(IllegalArgumentException.class, () -> ops.adamQuantized(step, p, p, m, v));
  }
}
