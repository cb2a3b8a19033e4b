package slimvox.backend.cpu.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.AdamStep;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.KernelFixture;
import slimvox.storage.Safetensors;

class OptimizersTest extends KernelFixture {
  private static final double TOLERANCE = 1e-6;

  @ParameterizedTest
  @CsvSource({
    "sgd_plain, 0.1, 0, 0, 0, false",
    "sgd_plain_wd, 0.1, 0, 0, 0.01, false",
    "sgd_momentum, 0.1, 0.9, 0, 0, false",
    "sgd_momentum_wd, 0.1, 0.9, 0, 0.01, false",
    "sgd_dampening, 0.1, 0.9, 0.3, 0, false",
    "sgd_nesterov, 0.1, 0.9, 0, 0, true",
    "sgd_nesterov_wd, 0.1, 0.9, 0, 0.0001, true"
  })
  void sgdFollowsPyTorch(
      String name, float rate, float momentum, float dampening, float decay, boolean nesterov) {
    Safetensors file = knownAnswers("optim32.safetensors");
    float[] start = file.floats("param0");
    int size = start.length;
    Tensor p = tensor(start, size);
    Tensor b = momentum == 0 ? null : tensor(size); // NaN: the first step must not read it
    for (int step = 1; step <= 20; step++) {
      Tensor g = tensor(file.floats("grad" + step), size);
      ops.optimizers.sgd(
          new SgdStep(rate, momentum, dampening, decay, nesterov, step == 1), g, p, b);
      String at = name + ".step" + step;
      if (!file.has(at + ".param")) continue;
      assertClose(at, file.doubles(at + ".param"), p, TOLERANCE);
      assertClose(at + " f64", file.doubles("f64." + at + ".param"), p, TOLERANCE);
      if (b != null) assertClose(at, file.doubles(at + ".momentum_buffer"), b, TOLERANCE);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "adam, 0.001, 0.9, 0.999, 1e-8, 0, false",
    "adam_l2, 0.001, 0.9, 0.999, 1e-8, 0.01, false",
    "adam_betas, 0.01, 0.8, 0.95, 1e-6, 0, false",
    "adamw, 0.001, 0.9, 0.999, 1e-8, 0.05, true"
  })
  void adamFollowsPyTorch(
      String name,
      double rate,
      double beta1,
      double beta2,
      double epsilon,
      double decay,
      boolean decoupled) {
    Safetensors file = knownAnswers("optim32.safetensors");
    float[] start = file.floats("param0");
    int size = start.length;
    Tensor p = tensor(start, size);
    Tensor m = tensor(new float[size], size);
    Tensor v = tensor(new float[size], size);
    for (int step = 1; step <= 20; step++) {
      Tensor g = tensor(file.floats("grad" + step), size);
      ops.optimizers.adam(
          new AdamStep(rate, beta1, beta2, epsilon, decay, decoupled, step), g, p, m, v);
      String at = name + ".step" + step;
      if (!file.has(at + ".param")) continue;
      assertClose(at, file.doubles(at + ".param"), p, TOLERANCE);
      assertClose(at + " f64", file.doubles("f64." + at + ".param"), p, TOLERANCE);
      assertClose(at + " mean", file.doubles(at + ".exp_avg"), m, TOLERANCE);
      assertClose(at + " square", file.doubles(at + ".exp_avg_sq"), v, TOLERANCE);
    }
  }

  /** The same numbers at any size and place: on one thread or two, in a vector or in a tail. */
  @Test
  void everyElementIsTreatedAlike() {
    float[] p = {0.3f};
    float[] g = {-0.7f};
    for (int size : new int[] {1, 7, 16, 33, 100_003}) {
      Tensor pT = tensor(filled(size, i -> p[0]), size);
      Tensor gT = tensor(filled(size, i -> g[0]), size);
      Tensor b = tensor(filled(size, i -> 0.1), size);
      Tensor m = tensor(filled(size, i -> 0.1), size);
      Tensor v = tensor(filled(size, i -> 0.1), size);
      ops.optimizers.sgd(new SgdStep(0.1f, 0.9f, 0, 0.01f, true, false), gT, pT, b);
      ops.optimizers.adam(new AdamStep(0.01, 0.9, 0.99, 1e-8, 0.1, true, 3), gT, pT, m, v);
      float[] got = ops.floats(pT);
      assertArrayEquals(filled(size, i -> got[0]), got);
      double d = g[0] + 0.01f * p[0];
      double moved = 0.9f * 0.1f + d;
      double after = p[0] - 0.1f * (d + 0.9f * moved);
      double mean = 0.1f + (1 - 0.9) * (g[0] - 0.1f);
      double square = 0.99 * 0.1f + (1 - 0.99) * g[0] * g[0];
      double deviation = Math.sqrt(square / (1 - Math.pow(0.99, 3))) + 1e-8;
      after = after * (1 - 0.01 * 0.1) - 0.01 / (1 - Math.pow(0.9, 3)) * mean / deviation;
      assertClose("after", new double[] {after}, new float[] {got[0]}, TOLERANCE, 0);
    }
  }
}
