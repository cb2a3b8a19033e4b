package slimvox.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
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
}
