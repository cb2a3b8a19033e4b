package slimvox.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import slimvox.backend.Backend;
import slimvox.backend.cpu.CpuDevice;
import slimvox.nn.Parameter;
import slimvox.storage.InputException;

/** Optimizers with state of 32 and 8 bits on parameters of several sizes. */
class OptimizerTest {
  private static final int[] SIZES = {10, 4095, 4096, 10_000};

  @AutoClose private final Backend backend = new Backend(CpuDevice.open(2));

  private List<Parameter> parameters() {
    List<Parameter> parameters = new ArrayList<>();
    for (int size : SIZES) {
      Parameter p = new Parameter(backend, "p" + size, size);
      backend.ops().upload(numbers(size, 1), p.value());
      parameters.add(p);
    }
    return parameters;
  }

  private static float[] numbers(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = (float) (0.1 * random.nextGaussian());
    return values;
  }

  private Optimizer optimizer(
      boolean adam, List<Parameter> parameters, OptimizerStateFormat format) {
    return adam
        ? new Adam(backend, parameters, 0.9, 0.999, 1e-8, 0.01, true, format)
        : new Sgd(backend, parameters, 0.9, 0, 1e-4, true, format);
  }

  private void steps(Optimizer optimizer, int count) {
    for (int step = 0; step < count; step++) {
      for (Parameter p : optimizer.parameters()) {
        backend.ops().upload(numbers((int) p.value().size(), 100 + step), p.gradient());
      }
      optimizer.step(0.01);
    }
  }

  @Test
  void parametersBelowTheThresholdHaveTheBitsOfThirtyTwoBitState() {
    for (boolean adam : new boolean[] {false, true}) {
      List<Parameter> a = parameters();
      List<Parameter> b = parameters();
      try (Optimizer full = optimizer(adam, a, OptimizerStateFormat.FLOAT32);
          Optimizer eight = optimizer(adam, b, OptimizerStateFormat.EIGHT_BIT)) {
        steps(full, 5);
        steps(eight, 5);
        for (int i = 0; i < SIZES.length; i++) {
          float[] x = backend.ops().floats(a.get(i).value());
          float[] y = backend.ops().floats(b.get(i).value());
          if (SIZES[i] < 4096) {
            assertArrayEquals(x, y);
          } else {
            assertArrayEquals(x, y, 0.002f); // moved by up to 0.05
          }
        }
        for (OptimizerState s : eight.state()) {
          assertEquals(s.shape().size() >= 4096, s.isQuantized(), s.name());
        }
        assertTrue(full.state().stream().noneMatch(OptimizerState::isQuantized));
      }
    }
  }

  @Test
  void parametersMayBeMovedInAnyOrderAndAStepThatWasNotEndedIsForgotten() {
    for (OptimizerStateFormat format :
        List.of(OptimizerStateFormat.FLOAT32, OptimizerStateFormat.EIGHT_BIT)) {
      List<Parameter> a = parameters();
      List<Parameter> b = parameters();
      try (Optimizer straight = optimizer(true, a, format);
          Optimizer backward = optimizer(true, b, format)) {
        steps(straight, 1);
        backward.begin(0.5);
        assertEquals(0, backward.steps());
        backward.begin(0.01);
        for (Parameter p : b.reversed()) {
          backend.ops().upload(numbers((int) p.value().size(), 100), p.gradient());
          backward.update(p);
        }
        backward.end();
        assertEquals(1, backward.steps());
        for (int i = 0; i < SIZES.length; i++) {
          assertArrayEquals(
              backend.ops().floats(a.get(i).value()), backend.ops().floats(b.get(i).value()));
        }
      }
    }
  }

  @Test
  void stateTellsItsValuesAndTakesOthers() {
    try (Optimizer optimizer = optimizer(false, parameters(), OptimizerStateFormat.EIGHT_BIT)) {
      steps(optimizer, 2);
      for (OptimizerState s : optimizer.state()) {
        float[] values = s.values();
        s.set(values);
        assertArrayEquals(values, s.values(), 0.008f * largest(values), s.name());
        float[] zeros = new float[values.length];
        s.set(zeros);
        assertArrayEquals(zeros, s.values());
      }
    }
  }

  private static float largest(float[] values) {
    float largest = 0;
    for (float v : values) largest = Math.max(largest, Math.abs(v));
    return largest;
  }

  @Test
  void theErrorOfAFormatCanBeAskedFor() {
    try (Optimizer optimizer = optimizer(true, parameters(), OptimizerStateFormat.FLOAT32)) {
      steps(optimizer, 3);
      OptimizerStateFormat linear =
          new OptimizerStateFormat(
              8, 256, OptimizerStateFormat.Map.LINEAR, OptimizerStateFormat.Scale.BLOCK, 0);
      for (OptimizerState s : optimizer.state()) {
        QuantizationError none = s.error(OptimizerStateFormat.FLOAT32);
        assertEquals(0, none.max(), s.name());
        QuantizationError dynamic =
            s.error(
                new OptimizerStateFormat(
                    8, 256, OptimizerStateFormat.Map.DYNAMIC, OptimizerStateFormat.Scale.BLOCK, 0));
        assertEquals(s.name(), dynamic.name());
        assertEquals(s.shape().size(), dynamic.count());
        assertTrue(dynamic.mean() > 0 && dynamic.mean() < 0.06, dynamic.toString());
        assertTrue(dynamic.max() > dynamic.mean(), dynamic.toString());
        // A square is rounded up to 5.5e-7 of the largest rather than to zero.
        if (s.isSigned()) assertTrue(dynamic.max() <= 1, dynamic.toString());
        if (!s.isSigned()) assertEquals(0, dynamic.vanished(), dynamic.toString());
        if (s.shape().size() > 4000) {
          assertTrue(s.error(linear).mean() > dynamic.mean(), s.error(linear).toString());
          assertEquals(s.isSigned(), s.error(linear).vanished() > dynamic.vanished(), s.name());
        }
        assertTrue(s.error(OptimizerStateFormat.EIGHT_BIT).max() == 0 || s.shape().size() >= 4096);
      }
    }
  }

  @Test
  void whatAFormatWouldLoseIsWhatItLosesToTheBit() {
    List<Parameter> parameters = parameters();
    OptimizerStateFormat format =
        new OptimizerStateFormat(
            8, 16, OptimizerStateFormat.Map.DYNAMIC, OptimizerStateFormat.Scale.BLOCK, 0);
    try (Optimizer full = optimizer(true, parameters, OptimizerStateFormat.FLOAT32);
        Optimizer eight = optimizer(true, parameters, format)) {
      steps(full, 3);
      for (int i = 0; i < full.state().size(); i++) {
        OptimizerState exact = full.state().get(i);
        float[] values = exact.values();
        for (int k = 0; k < Math.min(16, values.length); k++)
          values[k] *= 1e-38f; // a block of subnormal numbers
        exact.set(values);
        eight.state().get(i).set(values);
        float[] back = eight.state().get(i).values();
        assertArrayEquals(
            back,
            QuantizationError.roundTrip(values, format.book(exact.isSigned()), 16),
            exact.name());
        assertEquals(QuantizationError.of(exact.name(), values, back), exact.error(format));
      }
    }
  }

  @Test
  void errorsAreRelativeToTheNumbersThemselves() {
    QuantizationError e =
        QuantizationError.of("x", new float[] {0, 2, -4, 8}, new float[] {0, 3, -4, 0});
    assertEquals(new QuantizationError("x", 3, 0.5, 1, 1 / 3.0), e);
    assertEquals(0, QuantizationError.of("x", new float[3], new float[3]).mean());
  }

  @Test
  void formatsReadTheSameEverywhere() {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      assertEquals(
          "8-bit (dynamic map, blocks of 256, exempt below 4,096 elements)",
          OptimizerStateFormat.EIGHT_BIT.toString());
    } finally {
      Locale.setDefault(before);
    }
  }

  @Test
  void impossibleFormatsAreRefused() {
    assertFalse(OptimizerStateFormat.FLOAT32.quantizes(1_000_000));
    for (int block : new int[] {0, -256, 300}) {
      var e = assertThrows(InputException.class, () -> OptimizerStateFormat.eightBit(block));
      assertEquals(
          "optimizer.state.block: "
              + block
              + " is not possible; allowed is a power of two, such as 256 or 2048",
          e.getMessage());
    }
    assertThrows(
        InputException.class,
        () ->
            new OptimizerStateFormat(
                4, 256, OptimizerStateFormat.Map.DYNAMIC, OptimizerStateFormat.Scale.BLOCK, 0));
  }
}
