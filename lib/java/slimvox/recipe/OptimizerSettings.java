package slimvox.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import slimvox.optim.ConstantRate;
import slimvox.optim.CosineDecrease;
import slimvox.optim.ExponentialDecrease;
import slimvox.optim.LearningRate;
import slimvox.optim.LinearWarmup;
import slimvox.optim.StateFormat;
import slimvox.optim.UpdateTime;

/**
 * Section {@code optimizer} of a {@link Recipe}.
 *
 * <p>A setting of another update rule has no effect, and so is refused: momentum and nesterov
 * belong to sgd; betas and epsilon to adam and adamw. They are null where they do not apply.
 *
 * @param name {@code sgd}, {@code adam} (decay added to the gradient) or {@code adamw} (decay apart
 *     from it). Default sgd
 * @param learningRate the rate and how it changes
 * @param weightDecay decay of every parameter, as in PyTorch. Default 0.0001
 * @param momentum sgd: share of the earlier update that is kept. Default 0.9
 * @param nesterov sgd: whether to look ahead. Default true
 * @param betas adam and adamw: decay of the first and second moment. Default [0.9, 0.999]
 * @param epsilon adam and adamw: added to the root of the second moment. Default 1e-8
 * @param update when a parameter is moved: {@code after-backward}, or {@code in-backward}, as soon
 *     as its own gradient is complete, which is then dropped: the same bits with the gradients of
 *     one layer in memory at a time. Default after-backward
 * @param state how momentum and moments are held
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record OptimizerSettings(
    String name,
    Rate learningRate,
    double weightDecay,
    Double momentum,
    Boolean nesterov,
    List<Double> betas,
    Double epsilon,
    String update,
    State state) {

  /** The keys that only some update rules have. */
  static final List<String> OF_ONE_RULE = List.of("momentum", "nesterov", "betas", "epsilon");

  /**
   * The learning rate by iteration.
   *
   * <p>With {@code exponential} the decrease already runs during the warm-up, as in WeSpeaker; with
   * {@code cosine} it follows the warm-up, as in 3D-Speaker. WeSpeaker multiplies its rates by
   * devices x batch / 64: write the products here.
   *
   * @param schedule {@code exponential}, {@code cosine} or {@code constant}. Default exponential
   * @param initial the rate the decrease starts from. Default 0.1, which is for sgd; the others
   *     need about 0.001 and have no default
   * @param last key {@code final}: the rate at the end of the run; null with {@code constant}.
   *     Default 0.00005
   * @param warmup how long the rate rises linearly from zero, as a {@link Span}. Default 0 steps
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Rate(
      String schedule, double initial, @JsonProperty("final") Double last, Span warmup) {
    public Rate {
      InvalidSetting.oneOf(
          "optimizer.learningRate.schedule",
          schedule,
          List.of("exponential", "cosine", "constant"));
      InvalidSetting.above("optimizer.learningRate.initial", initial, 0);
      if (schedule.equals("constant")) {
        if (last != null) {
          throw new InvalidSetting(
              "optimizer.learningRate.final", last + " has no effect with schedule constant");
        }
      } else {
        if (last == null) last = 5e-5;
        InvalidSetting.above("optimizer.learningRate.final", last, 0);
      }
    }

    /**
     * The rate by iteration.
     *
     * @throws slimvox.storage.InputException if the warm-up is longer than the run
     */
    public LearningRate schedule(long stepsPerEpoch, long runSteps) {
      long rise = warmup.toSteps(stepsPerEpoch, runSteps);
      if (rise >= runSteps) {
        throw new InvalidSetting(
            "optimizer.learningRate.warmup",
            warmup + " (" + rise + " steps) leaves nothing of a run of " + runSteps + " steps");
      }
      return switch (schedule) {
        case "exponential" -> new ExponentialDecrease(initial, last, runSteps, rise);
        case "cosine" ->
            new LinearWarmup(0, rise, new CosineDecrease(initial, last, runSteps - rise));
        default -> new LinearWarmup(0, rise, new ConstantRate(initial));
      };
    }
  }

  /**
   * How the state of the optimizer (sgd: momentum; adam and adamw: both moments) is held.
   *
   * <p>With 8 bits a tensor of state is codes of one byte and a scale for each block, see {@link
   * StateFormat}; the update rule is the same. The settings below {@code bits} have no effect with
   * 32 bits, and so are refused, and null, then.
   *
   * @param bits 32, or 8, which takes a quarter of the memory. Default 32
   * @param block 8 bits: numbers that share a scale, a power of two. Default 256
   * @param map 8 bits: what codes stand for: {@code dynamic} (a tree), or to compare with {@code
   *     linear} or {@code nearest} (the tree as published, see {@link StateFormat.Map}). Default
   *     dynamic
   * @param scale 8 bits: what shares a scale: {@code block}, or {@code tensor}, the whole tensor,
   *     without a block then. Default block
   * @param exemptBelow 8 bits: parameters with fewer elements keep 32 bits. Default 4096
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record State(int bits, Integer block, String map, String scale, Integer exemptBelow) {
    /** The keys that only 8 bits have. */
    static final List<String> OF_8_BITS = List.of("block", "map", "scale", "exemptBelow");

    public State {
      if (bits != 32 && bits != 8) {
        throw new InvalidSetting(
            "optimizer.state.bits", bits + " is not possible; allowed is 32, 8");
      }
      if (bits == 32) {
        absent("state.block", block, "32 bits");
        absent("state.map", map, "32 bits");
        absent("state.scale", scale, "32 bits");
        absent("state.exemptBelow", exemptBelow, "32 bits");
      } else {
        if (map == null) map = "dynamic";
        InvalidSetting.oneOf("optimizer.state.map", map, List.of("dynamic", "linear", "nearest"));
        if (scale == null) scale = "block";
        InvalidSetting.oneOf("optimizer.state.scale", scale, List.of("block", "tensor"));
        if (scale.equals("tensor")) {
          absent("state.block", block, "scale tensor");
        } else {
          if (block == null) block = 256;
          if (block < 1 || Integer.bitCount(block) != 1) {
            throw new InvalidSetting(
                "optimizer.state.block",
                block + " is not possible; allowed is a power of two, such as 256 or 2048");
          }
        }
        if (exemptBelow == null) exemptBelow = 4096;
        InvalidSetting.range("optimizer.state.exemptBelow", exemptBelow, 0, Integer.MAX_VALUE);
      }
    }

    /** The same for an optimizer. */
    public StateFormat format() {
      if (bits == 32) return StateFormat.FLOAT32;
      return new StateFormat(
          bits,
          StateFormat.Map.valueOf(map.toUpperCase(Locale.ROOT)),
          scale.equals("tensor") ? StateFormat.Scale.TENSOR : StateFormat.Scale.BLOCK,
          block == null ? StateFormat.EIGHT_BIT.block() : block,
          exemptBelow);
    }
  }

  public OptimizerSettings {
    InvalidSetting.oneOf("optimizer.name", name, List.of("sgd", "adam", "adamw"));
    InvalidSetting.range("optimizer.weightDecay", weightDecay, 0, 1);
    InvalidSetting.oneOf(
        "optimizer.update", update, Stream.of(UpdateTime.values()).map(UpdateTime::key).toList());
    if (name.equals("sgd")) {
      absent("betas", betas, name);
      absent("epsilon", epsilon, name);
      if (momentum == null) momentum = 0.9;
      InvalidSetting.range("optimizer.momentum", momentum, 0, 0.99999);
      if (nesterov == null) nesterov = momentum > 0;
      if (nesterov && momentum == 0) {
        throw new InvalidSetting("optimizer.nesterov", "true needs a momentum above 0");
      }
      if (momentum == 0 && state.bits() == 8) {
        throw new InvalidSetting(
            "optimizer.state.bits", "8 has no effect with momentum 0, which needs no state");
      }
    } else {
      absent("momentum", momentum, name);
      absent("nesterov", nesterov, name);
      if (betas == null) betas = List.of(0.9, 0.999);
      if (betas.size() != 2) {
        throw new InvalidSetting(
            "optimizer.betas", betas + " is not possible; two numbers are needed: [0.9, 0.999]");
      }
      for (Double beta : betas) {
        InvalidSetting.range("optimizer.betas", beta == null ? Double.NaN : beta, 0, 0.999999);
      }
      betas = List.copyOf(betas);
      if (epsilon == null) epsilon = 1e-8;
      InvalidSetting.above("optimizer.epsilon", epsilon, 0);
    }
  }

  /** When a parameter is moved. */
  public UpdateTime updateTime() {
    return Stream.of(UpdateTime.values())
        .filter(u -> u.key().equals(update))
        .findFirst()
        .orElseThrow();
  }

  private static void absent(String key, Object value, String rule) {
    if (value == null) return;
    throw new InvalidSetting("optimizer." + key, value + " has no effect with " + rule);
  }
}
