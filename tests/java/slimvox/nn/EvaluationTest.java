package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;

/** Evaluation, which overwrites what nobody needs. */
class EvaluationTest {
  private static float[] values(Backend backend, Tensor x, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[(int) x.size()];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    backend.ops().upload(values, x);
    return values;
  }

  @Test
  void normalizationInPlaceGivesTheSameBits() {
    try (Backend cpu = new Backend(CpuDevice.open(1));
        BatchNorm2d norm = new BatchNorm2d(cpu, "bn", 5, true);
        Tensor x = cpu.allocate(Category.ACTIVATION, "x", 2, 3, 7, 5);
        Tensor residual = cpu.allocateLike(x, Category.ACTIVATION, "residual")) {
      norm.initialize(new SplittableRandom(1));
      try (Tensor batch = cpu.allocateLike(x, Category.ACTIVATION, "batch")) {
        values(cpu, batch, 2); // moves the running statistics
        norm.forward(batch, Mode.TRAIN_WITHOUT_KEEPING).close();
        norm.releaseStatistics();
      }
      float[] before = values(cpu, x, 3);
      float[] added = values(cpu, residual, 4);
      float[] expected;
      try (Tensor y = norm.forward(x, residual, Mode.EVALUATE)) {
        expected = cpu.ops().floats(y);
      }
      // What another owner needs stays.
      try (Tensor y = norm.forwardReusing(x.retain(), residual, Mode.EVALUATE)) {
        assertNotSame(x, y);
        assertArrayEquals(expected, cpu.ops().floats(y));
        assertArrayEquals(before, cpu.ops().floats(x));
      }
      Tensor own = cpu.allocateLike(x, Category.ACTIVATION, "own");
      cpu.ops().elementwise.copy(x, own);
      long bytes = cpu.ledger().report().totalNow();
      try (Tensor y = norm.forwardReusing(own, residual, Mode.EVALUATE)) {
        assertSame(own, y);
        assertArrayEquals(expected, cpu.ops().floats(y));
        assertArrayEquals(added, cpu.ops().floats(residual));
        assertEquals(bytes, cpu.ledger().report().totalNow());
      }
    }
  }

  /** Blocks as others may build them: what may be folded in, and what must not be. */
  @ParameterizedTest
  @ValueSource(strings = {"usual", "one convolution", "normalized", "sliced", "checkpoint"})
  void aFrozenBlockGivesTheSame(String kind) {
    try (Backend cpu = new Backend(CpuDevice.open(2));
        Conv2d first = new Conv2d(cpu, "first", 16, 16, 3, 1);
        Conv2d second = new Conv2d(cpu, "second", 16, 16, 3, 1);
        BatchNorm2d middle = new BatchNorm2d(cpu, "middle", 16, true);
        BatchNorm2d inner = new BatchNorm2d(cpu, "inner", 16, true);
        BatchNorm2d last = new BatchNorm2d(cpu, "last", 16, true);
        Tensor x = cpu.allocate(Category.ACTIVATION, "x", 2, 6, 7, 16)) {
      Branch.Memory memory = new Branch.Memory(false, kind.equals("sliced") ? 8 : 0, false);
      Branch body =
          kind.equals("one convolution")
              ? new Branch(Collections.singletonList(null), List.of(first), null, memory)
              : new Branch(
                  Arrays.asList(null, middle),
                  List.of(first, second),
                  kind.equals("normalized") ? inner : null,
                  memory);
      Layer block = new ResidualBlock(body, last, null);
      if (kind.equals("checkpoint")) block = new ActivationCheckpoint(block);
      for (Stateful part : List.of(first, second, middle, inner, last)) {
        part.initialize(new SplittableRandom(1));
      }
      values(cpu, x, 2);
      block.forward(x, Mode.CALIBRATE).close(); // moves the running statistics
      float[] expected = output(block, x);
      List<Conv2d> convolutions = List.of(first, second);
      for (Conv2d c : convolutions) c.weight().freeze();
      assertArrayEquals(expected, output(block, x), "not laid out yet");
      for (Conv2d c : convolutions) {
        PrepackedWeight weight = c.weight().prepacked();
        if (weight.latest() != null) weight.prepare(weight.latest());
      }
      assertArrayEquals(expected, output(block, x), 1e-5f);
      for (Conv2d c : convolutions) c.weight().thaw();
      assertArrayEquals(expected, output(block, x), "thawed");
    }
  }

  private static float[] output(Layer layer, Tensor x) {
    Backend backend = x.backend();
    Tensor own = backend.allocateLike(x, Category.ACTIVATION, "own");
    backend.ops().elementwise.copy(x, own);
    try (Tensor y = layer.forwardReusing(own, Mode.EVALUATE)) {
      return backend.ops().floats(y);
    }
  }
}
