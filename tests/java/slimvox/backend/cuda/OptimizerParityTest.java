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
      float[] g = normal(size);
      float[] p = normal(size);
      float[] nan = new float[size];
      Arrays.fill(nan, Float.NaN);
      for (boolean nesterov : new boolean[] {false, true}) {
        compare(
            "sgd " + size,
            3e-7,
            s -> {
              Tensor gradient = s.tensor(g, size);
              Tensor plain = s.tensor(p, size);
              Tensor moved = s.tensor(p, size);
              Tensor buffer = s.tensor(nan, size);
              s.ops.optimizers.sgd(
                  new SgdStep(0.1f, 0, 0, 1e-4f, false, true), gradient, plain, null);
              for (int i = 0; i < 3; i++) {
                float dampening = nesterov ? 0 : 0.1f;
                s.ops.optimizers.sgd(
                    new SgdStep(0.1f, 0.9f, dampening, 1e-3f, nesterov, i == 0),
                    gradient,
                    moved,
                    buffer);
              }
              return List.of(plain, moved, buffer);
            });
      }
    }
  }

  @Test
  void adamAndAdamW() {
    for (int size : SIZES) {
      float[] g = normal(size);
      float[] p = normal(size);
      for (boolean decoupled : new boolean[] {false, true}) {
        compare(
            "adam " + size,
            3e-7,
            s -> {
              Tensor gradient = s.tensor(g, size);
              Tensor parameter = s.tensor(p, size);
              Tensor mean = s.tensor(new float[size], size);
              Tensor square = s.tensor(new float[size], size);
              for (int i = 1; i <= 3; i++) {
                s.ops.optimizers.adam(
                    new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.01, decoupled, i),
                    gradient,
                    parameter,
                    mean,
                    square);
              }
              return List.of(parameter, mean, square);
            });
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
        compare(
            "codes " + form[0],
            0,
            s -> {
              Quantized q = quantized(s, form[0], form[1], book);
              Tensor again = s.empty(form[0]);
              s.ops.optimizers.quantize(s.tensor(x, form[0]), q);
              s.ops.optimizers.dequantize(q, again);
              return List.of(q.codes(), q.absmax(), again);
            });
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
      float[] g = gradients(steps, size);
      float[] p = normal(size);
      for (boolean other : new boolean[] {false, true}) {
        compare(
            "8-bit steps " + size,
            0,
            s -> {
              Tensor sgd = s.tensor(p, size);
              Tensor adam = s.tensor(p, size);
              Quantized b = quantized(s, size, form[1], DynamicTree.signed());
              Quantized m = quantized(s, size, form[1], DynamicTree.signed());
              Quantized v = quantized(s, size, form[1], DynamicTree.unsigned());
              Tensor zero = s.tensor(new float[size], size);
              s.ops.optimizers.quantize(zero, m);
              s.ops.optimizers.quantize(zero, v);
              for (int i = 0; i < steps; i++) {
                Tensor gradient = s.tensor(Arrays.copyOfRange(g, i * size, (i + 1) * size), size);
                s.ops.optimizers.sgdQuantized(
                    new SgdStep(0.1f, 0.9f, other ? 0 : 0.1f, 1e-3f, other, i == 0),
                    gradient,
                    sgd,
                    b);
                s.ops.optimizers.adamQuantized(
                    new AdamStep(1e-2, 0.9, 0.999, 1e-8, 0.01, other, i + 1), gradient, adam, m, v);
              }
              return List.of(
                  sgd, adam, b.codes(), b.absmax(), m.codes(), m.absmax(), v.codes(), v.absmax());
            });
      }
    }
  }
}
