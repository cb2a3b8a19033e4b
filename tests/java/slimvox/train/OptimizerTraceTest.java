package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.CodeBook;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.nn.Parameter;
import slimvox.optim.DynamicTree;
import slimvox.optim.Optimizer;
import slimvox.optim.OptimizerState;
import slimvox.recipe.Recipe;
import slimvox.step.StepBuilder;
import slimvox.storage.Safetensors;

/**
 * The optimizers that recipes ask for, against traces of PyTorch and bitsandbytes.
 *
 * <p>After each step that a file knows, the optimizer goes on from the file's own parameters and
 * state. Names, sizes, steps and settings are the file's.
 */
class OptimizerTraceTest {
  private static final Safetensors FULL =
      Safetensors.read(Path.of("tests/data/backend/optim32.safetensors"));
  private static final Safetensors EIGHT =
      Safetensors.read(Path.of("tests/data/optim/optim8.safetensors"));

  /** What is compared before and after steps. */
  private interface Check {
    default void before(int step, float[] p, float[] gradient, List<OptimizerState> state) {}

    /** After a step that the file knows; {@code reach} is the largest size each parameter had. */
    void after(String at, float[] p, float[] reach, List<OptimizerState> state);
  }

  private static JsonNode meta(Safetensors file) {
    try {
      return new ObjectMapper().readTree(file.metadata().get("meta"));
    } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
      throw new AssertionError(e);
    }
  }

  private static void follow(
      Safetensors file, String name, double rate, List<String> settings, Check check) {
    List<String> all = new ArrayList<>(List.of("optimizer.learningRate.initial=0.1"));
    settings.forEach(s -> all.add("optimizer." + s));
    Recipe recipe = Recipe.defaults().with(all.toArray(String[]::new));
    float[] start = file.floats("param0");
    float[] reach = start.clone();
    int checked = 0;
    try (Backend backend = new Backend(CpuDevice.open(1));
        Parameter p = new Parameter(backend, "p", start.length);
        Optimizer optimizer = StepBuilder.optimizer(recipe.optimizer(), backend, List.of(p))) {
      backend.ops().upload(start, p.value());
      for (int step = 1; file.has("grad" + step); step++) {
        float[] gradient = file.floats("grad" + step);
        check.before(step, backend.ops().floats(p.value()), gradient, optimizer.state());
        backend.ops().upload(gradient, p.gradient());
        optimizer.step(rate);
        assertEquals(step, optimizer.steps());
        float[] moved = backend.ops().floats(p.value());
        for (int i = 0; i < reach.length; i++) reach[i] = Math.max(reach[i], Math.abs(moved[i]));
        String at = name + ".step" + step + ".";
        if (!file.has(at + "param")) continue;
        check.after(at, moved, reach, optimizer.state());
        backend.ops().upload(file.floats(at + "param"), p.value());
        checked++;
      }
    }
    assertEquals(meta(file).get("steps_recorded").size(), checked);
  }

  private static void assertNear(float expected, float actual, double tolerance, String what) {
    assertEquals(expected, actual, tolerance, what);
  }

  // ---- 32 bits

  /** All but those with dampening, which recipes do not have. */
  static List<String> full() {
    JsonNode settings = meta(FULL).get("settings");
    return settings
        .propertyStream()
        .filter(s -> !s.getValue().has("dampening"))
        .map(s -> s.getKey())
        .toList();
  }

  @ParameterizedTest
  @MethodSource("full")
  void thirtyTwoBitRecipesFollowPyTorch(String name) {
    JsonNode theirs = meta(FULL).get("settings").get(name);
    List<String> ours = new ArrayList<>();
    ours.add("name=" + theirs.get("class").asText().toLowerCase(java.util.Locale.ROOT));
    boolean sgd = ours.contains("name=sgd");
    ours.add("weightDecay=" + theirs.path("weight_decay").asDouble(0));
    if (sgd) ours.add("momentum=" + theirs.path("momentum").asDouble(0));
    if (sgd) ours.add("nesterov=" + theirs.path("nesterov").asBoolean(false));
    if (theirs.has("betas")) ours.add("betas=" + theirs.get("betas"));
    if (theirs.has("eps")) ours.add("epsilon=" + theirs.get("eps"));
    List<String> states = sgd ? List.of("momentum_buffer") : List.of("exp_avg", "exp_avg_sq");
    follow(
        FULL,
        name,
        theirs.get("lr").asDouble(),
        ours,
        (at, p, reach, state) -> {
          float[] expected = FULL.floats(at + "param");
          for (int i = 0; i < p.length; i++) {
            assertNear(expected[i], p[i], 2e-6 * Math.max(1, reach[i]), at + "param " + i);
          }
          assertEquals(theirs.has("momentum") || !sgd ? states.size() : 0, state.size());
          for (int i = 0; i < state.size(); i++) {
            float[] values = FULL.floats(at + states.get(i));
            float[] own = state.get(i).values();
            float largest = 0;
            for (float v : values) largest = Math.max(largest, Math.abs(v));
            assertArrayEquals(values, own, 2e-6f * largest, at + states.get(i));
            state.get(i).set(values);
          }
        });
  }

  // ---- 8 bits

  static Stream<String> eight() {
    return EIGHT.names().stream()
        .filter(n -> n.matches("(nearest|nesterov)\\..*\\.step1\\.param"))
        .map(n -> n.substring(0, n.indexOf(".step1")));
  }

  /**
   * Parameters, scales and codes of the published rule, except where float32 may round a share of
   * the largest number to the other side of a mid-point: fewer than one number in ten.
   */
  @ParameterizedTest
  @MethodSource("eight")
  void eightBitRecipesFollowTheNearestCodes(String name) {
    int block = meta(EIGHT).get("blocksize").asInt();
    double decay = Double.parseDouble(name.replaceFirst(".*_wd", ""));
    boolean adam = name.contains("adam");
    List<String> settings =
        List.of(
            "name=" + (adam ? decay == 0 ? "adam" : "adamw" : "sgd"),
            "weightDecay=" + decay,
            adam ? "betas=[0.9,0.999]" : "nesterov=" + name.startsWith("nesterov"),
            "state.bits=8",
            "state.map=nearest",
            "state.exemptBelow=0",
            "state.block=" + block);
    follow(EIGHT, name, adam ? 0.001 : 0.1, settings, new NearestCodes(name, adam, decay, block));
  }

  /** Knows the elements whose codes float32 may round to either side. */
  private static final class NearestCodes implements Check {
    private static final double ROUNDING = 0x1p-22; // of a sum of two products, relative to them

    private final String name;
    private final boolean adam;
    private final double decay;
    private final int block;
    private final boolean[] unsure = new boolean[EIGHT.floats("param0").length];

    NearestCodes(String name, boolean adam, double decay, int block) {
      this.name = name;
      this.adam = adam;
      this.decay = decay;
      this.block = block;
    }

    @Override
    public void before(int step, float[] p, float[] gradient, List<OptimizerState> state) {
      for (int s = 0; s < state.size(); s++) {
        double keep = s == 0 ? 0.9 : 0.999;
        double[] sums = new double[p.length];
        double[] sizes = new double[p.length];
        float[] old = state.get(s).values();
        for (int i = 0; i < p.length; i++) {
          double d = gradient[i] + (adam ? 0 : decay * p[i]);
          double fresh = s == 1 ? (1 - keep) * d * d : adam ? (1 - keep) * d : d;
          sums[i] = keep * old[i] + fresh;
          sizes[i] = keep * Math.abs(old[i]) + Math.abs(fresh);
        }
        for (int from = 0; from < p.length; from += block) {
          look(
              DynamicTree.nearestOnly(s == 0), sums, sizes, from, Math.min(p.length, from + block));
        }
      }
    }

    private void look(CodeBook book, double[] sums, double[] sizes, int from, int to) {
      double absmax = 0;
      for (int i = from; i < to; i++) absmax = Math.max(absmax, Math.abs(sums[i]));
      if (absmax == 0) return;
      boolean all = false;
      for (int i = from; i < to; i++) {
        double share = sums[i] / absmax;
        double error = ROUNDING * (sizes[i] / absmax + Math.abs(share));
        int code = book.nearest((float) (share - error));
        unsure[i] |= code != book.nearest((float) (share + error));
        // The Nesterov trace never changes the sign of a number.
        unsure[i] |= name.startsWith("nesterov") && book.value(code) == 0 && share != 0;
        all |= unsure[i] && Math.abs(share) > 0.8; // it may be the largest itself
      }
      for (int i = from; all && i < to; i++) unsure[i] = true;
    }

    @Override
    public void after(String at, float[] p, float[] reach, List<OptimizerState> state) {
      float[] param = EIGHT.floats(at + "param");
      for (int s = 0; s < state.size(); s++) {
        List<Tensor> own = List.copyOf(state.get(s).tensors().values());
        var ops = own.get(0).backend().ops();
        byte[] codes = EIGHT.bytes(at + "state" + (s + 1));
        float[] absmax = EIGHT.floats(at + "absmax" + (s + 1));
        byte[] ownCodes = ops.bytes(own.get(0));
        float[] ownAbsmax = ops.floats(own.get(1));
        for (int i = 0; i < p.length; i++) {
          if (unsure[i]) continue;
          float scale = absmax[i / block];
          assertNear(scale, ownAbsmax[i / block], 1e-6 * scale, at + "absmax of " + i);
          if (scale != 0) assertEquals(codes[i] & 255, ownCodes[i] & 255, at + "code " + i);
          assertNear(param[i], p[i], 1e-6 * Math.max(1, reach[i]), at + "param " + i);
        }
        ops.upload(codes, own.get(0));
        ops.upload(absmax, own.get(1));
      }
      int count = 0;
      for (int i = 0; i < unsure.length; i++) {
        if (unsure[i]) count++;
        unsure[i] = false;
      }
      assertTrue(count * 10 < unsure.length, count + " of " + unsure.length + " are unsure");
    }
  }
}
