package slimvox.backend.cuda;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.AdamStep;
import slimvox.backend.CodeBook;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.optim.DynamicTree;
import slimvox.optim.LinearCode;

/** Optimizer steps with float32 state against the CPU. */
class OptimizerParityTest extends ParityFixture {
  private static final int[] SIZES = {1, 2, 3, 4, 5, 31, 1023, 1025, 4099};

  @Test
  void sgdOfEveryForm() {
    for (int size : SIZES) {
      for (boolean nesterov : new boolean[] {false, true}) {
        for (Side s : sides(3e-7)) {
          Tensor gradient = s.normal(size);
          Tensor moved = s.normal(size);
          Tensor buffer = s.empty(size);
          SgdStep plain = new SgdStep(0.1f, 0, 0, 1e-4f, false, true);
          s.ops.optimizers.sgd(plain, gradient, s.copy(moved), null);
          for (int i = 0; i < 3; i++) {
            float dampening = nesterov ? 0 : 0.1f;
            SgdStep step = new SgdStep(0.1f, 0.9f, dampening, 1e-3f, nesterov, i == 0);
            s.ops.optimizers.sgd(step, gradient, moved, buffer);
          }
        }
      }
    }
  }

  @Test
  void adamAndAdamW() {
    for (int size : SIZES) {
      for (boolean decoupled : new boolean[] {false, true}) {
        for (Side s : sides(3e-7)) {
          Tensor gradient = s.normal(size);
          Tensor parameter = s.normal(size);
          Tensor mean = s.tensor(new float[size], size);
          Tensor square = s.tensor(new float[size], size);
          for (int i = 1; i <= 3; i++) {
            AdamStep step = new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.01, decoupled, i);
            s.ops.optimizers.adam(step, gradient, parameter, mean, square);
          }
        }
      }
    }
  }

  // ---- 8-bit state: codes and scales equal the CPU's to the bit

  private static final int[][] BLOCKS = {
    {256, 256}, {1000, 256}, {5000, 2048}, {3000, 4000}, {7, 256}
  };

  private static Quantized quantized(Side s, int size, int block, CodeBook book) {
    int blocks = Quantized.blocks(size, block);
    return new Quantized(s.bytes(new byte[size]), s.tensor(new float[blocks], blocks), book, block);
  }

  @Test
  void codesAndScales() {
    for (int[] form : BLOCKS) {
      float[] x = normal(form[0]);
      if (form[0] > 600) Arrays.fill(x, 0, 512, 0); // blocks of zeros
      if (form[0] > 900) Arrays.fill(x, 768, form[0], 1e-40f);
      if (form[0] > 3500) Arrays.fill(x, 3000, 3500, 1e-12f); // shares that round to zero
      for (CodeBook book :
          List.of(
              DynamicTree.signed(),
              DynamicTree.unsigned(),
              LinearCode.signed(),
              LinearCode.unsigned(),
              DynamicTree.nearestOnly(true),
              DynamicTree.nearestOnly(false))) {
        if (form[0] > 4000) x[4000] = book.least() > 0 ? Float.POSITIVE_INFINITY : 1;
        for (Side s : sides(0)) {
          Quantized q = quantized(s, form[0], form[1], book);
          s.ops.optimizers.quantize(s.tensor(x, form[0]), q);
        }
      }
    }
  }

  /** Gradients of six decades, zeros, numbers that are used once, and one of 1e20. */
  private float[] gradients(int steps, int size) {
    float[] g = normal((long) steps * size);
    for (int i = 0; i < g.length; i++) {
      int element = i % size;
      g[i] *= (float) Math.pow(10, -(element % 7));
      if (element % 5 == 0 && i >= 2 * size) g[i] = 0;
      if (element % 11 == 0 && i >= size) g[i] = 0;
    }
    if (size > 900) g[size + 600] = 1e20f;
    return g;
  }

  @Test
  void quantizedSgdAndAdam() {
    int steps = 6;
    for (int[] form : BLOCKS) {
      int size = form[0];
      for (boolean other : new boolean[] {false, true}) {
        for (Side s : sides(0)) {
          float[] g = gradients(steps, size);
          Tensor sgd = s.normal(size);
          Tensor adam = s.copy(sgd);
          Quantized b = quantized(s, size, form[1], DynamicTree.signed());
          Quantized m = quantized(s, size, form[1], DynamicTree.signed());
          Quantized v = quantized(s, size, form[1], DynamicTree.unsigned());
          Tensor zero = s.tensor(new float[size], size);
          s.ops.optimizers.quantize(zero, m);
          s.ops.optimizers.quantize(zero, v);
          for (int i = 0; i < steps; i++) {
            Tensor gradient = s.tensor(Arrays.copyOfRange(g, i * size, (i + 1) * size), size);
            s.ops.optimizers.sgdQuantized(
                new SgdStep(0.1f, 0.9f, other ? 0 : 0.1f, 1e-3f, other, i == 0), gradient, sgd, b);
            s.ops.optimizers.adamQuantized(
                new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.01, other, i + 1), gradient, adam, m, v);
          }
        }
      }
    }
  }
}
