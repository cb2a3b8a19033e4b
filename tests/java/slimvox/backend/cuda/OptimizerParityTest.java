package slimvox.backend.cuda;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.AdamStep;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;

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
              s.ops.sgd(new SgdStep(0.1f, 0, 0, 1e-4f, false, true), gradient, plain, null);
              for (int i = 0; i < 3; i++) {
                float dampening = nesterov ? 0 : 0.1f;
                s.ops.sgd(
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
                s.ops.adam(
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
}
