package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.nn.Parameter;
import slimvox.optim.Optimizer;
import slimvox.optim.StateTensor;
import slimvox.storage.Safetensors;

/** The optimizers that recipes ask for, against the 20 steps of PyTorch and bitsandbytes. */
class OptimizerTraceTest {
  private static final Safetensors FULL =
      Safetensors.read(Path.of("tests/data/backend/optim32.safetensors"));
  private static final Safetensors EIGHT =
      Safetensors.read(Path.of("tests/data/optim/optim8.safetensors"));

  /** Looks at the state after a step that the file knows. */
  private interface Check {
    void state(String at, List<StateTensor> state);
  }

  private static void follow(
      Safetensors file, String name, double rate, String settings, float tolerance, Check check) {
    Recipe recipe =
        Recipe.defaults()
            .with(("optimizer.learningRate.initial=0.1 " + settings).trim().split(" +"));
    float[] start = file.floats("param0");
    int checked = 0;
    try (Backend backend = new Backend(CpuDevice.open(1));
        Parameter p = new Parameter(backend, "p", start.length);
        Optimizer optimizer = StepBuilder.optimizer(recipe.optimizer(), backend, List.of(p))) {
      backend.ops().upload(start, p.value());
      for (int step = 1; step <= 20; step++) {
        backend.ops().upload(file.floats("grad" + step), p.gradient());
        optimizer.step(rate);
        assertEquals(step, optimizer.steps());
        String at = name + ".step" + step + ".";
        if (!file.has(at + "param")) continue;
        float[] moved = backend.ops().floats(p.value());
        assertArrayEquals(file.floats(at + "param"), moved, tolerance, at);
        check.state(at, optimizer.state());
        checked++;
      }
    }
    assertEquals(4, checked, "steps 1, 2, 5 and 20");
  }

  @ParameterizedTest
  @CsvSource({
    "sgd_plain, 0.1, name=sgd momentum=0 nesterov=false weightDecay=0",
    "sgd_plain_wd, 0.1, name=sgd momentum=0 nesterov=false weightDecay=0.01",
    "sgd_momentum, 0.1, name=sgd momentum=0.9 nesterov=false weightDecay=0",
    "sgd_momentum_wd, 0.1, name=sgd momentum=0.9 nesterov=false weightDecay=0.01",
    "sgd_nesterov, 0.1, name=sgd momentum=0.9 nesterov=true weightDecay=0",
    "sgd_nesterov_wd, 0.1, name=sgd momentum=0.9 nesterov=true weightDecay=0.0001",
    "adam, 0.001, name=adam weightDecay=0",
    "adam_l2, 0.001, name=adam weightDecay=0.01",
    "adam_betas, 0.01, 'name=adam betas=[0.8,0.95] epsilon=1e-6 weightDecay=0'",
    "adamw, 0.001, name=adamw weightDecay=0.05"
  })
  void thirtyTwoBitRecipesFollowPyTorch(String name, double rate, String settings) {
    List<String> theirs =
        name.startsWith("adam") ? List.of("exp_avg", "exp_avg_sq") : List.of("momentum_buffer");
    follow(
        FULL,
        name,
        rate,
        settings.replaceAll("(^| )", "$1optimizer."),
        3e-6f, // of numbers up to 3
        (at, state) -> {
          assertEquals(name.startsWith("sgd_plain") ? 0 : theirs.size(), state.size());
          for (int i = 0; i < state.size(); i++) {
            float[] expected = FULL.floats(at + theirs.get(i));
            assertArrayEquals(expected, state.get(i).values(), 2e-5f, at + theirs.get(i));
          }
        });
  }

  /** Parameters within 1e-6, scales too, and at most one code in 10,000 is another. */
  @ParameterizedTest
  @CsvSource({
    "nearest.sgd_wd0, 0.1, name=sgd nesterov=false weightDecay=0",
    "nearest.sgd_wd1e-4, 0.1, name=sgd nesterov=false weightDecay=0.0001",
    "nesterov.sgd_wd1e-4, 0.1, name=sgd nesterov=true weightDecay=0.0001",
    "nearest.adam_wd0, 0.001, name=adam weightDecay=0",
    "nearest.adam_wd1e-2, 0.001, name=adamw weightDecay=0.01",
    "nearest.adamw_wd5e-2, 0.001, name=adamw weightDecay=0.05"
  })
  void eightBitRecipesFollowTheNearestCodes(String name, double rate, String settings) {
    int[] codes = new int[2]; // compared, differing
    follow(
        EIGHT,
        name,
        rate,
        ("state.bits=8 " + settings).replaceAll("(^| )", "$1optimizer."),
        1e-6f,
        (at, state) -> {
          assertEquals(name.contains("adam") ? 2 : 1, state.size());
          for (int i = 0; i < state.size(); i++) {
            compare(at, i + 1, List.copyOf(state.get(i).tensors().values()), codes);
          }
        });
    assertTrue(codes[0] > 4 * 4096, codes[0] + " codes compared");
    assertTrue(codes[1] * 10_000L <= codes[0], codes[1] + " of " + codes[0] + " codes differ");
  }

  private static void compare(String at, int number, List<Tensor> codesAndScales, int[] counts) {
    Tensor codes = codesAndScales.get(0);
    Tensor scales = codesAndScales.get(1);
    float[] absmax = scales.backend().ops().floats(scales);
    assertArrayEquals(EIGHT.floats(at + "absmax" + number), absmax, 1e-6f, at + "absmax");
    byte[] expected = EIGHT.bytes(at + "state" + number);
    byte[] actual = codes.backend().ops().bytes(codes);
    assertEquals(expected.length, actual.length);
    for (int i = 0; i < actual.length; i++) {
      if (absmax[i / 256] == 0) continue; // the code means nothing
      counts[0]++;
      if (actual[i] != expected[i]) counts[1]++;
    }
  }
}
