package slimvox.recipe;

import java.util.List;
import slimvox.optim.LearningRate;
import slimvox.optim.Optimizer;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.UpdateTime;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/**
 * Section {@code optimizer} of a {@link Recipe}.
 *
 * <p>A setting of another update rule has no effect, and so is refused: momentum and nesterov
 * belong to sgd; betas and epsilon to adam and adamw. They are null where they do not apply.
 */
public record OptimizerSettings(
    @Setting(
            value =
                "The update rule: sgd (with momentum), adam (decay added to the gradient) or adamw"
                    + " (decay apart from it); or one of your own, see Optimizer.register.",
            byDefault = "sgd",
            range = "sgd, adam, adamw",
            flag = "--optimizer")
        String name,
    Rate learningRate,
    @Setting(
            value = "Decay of every parameter, as in PyTorch.",
            byDefault = "0.0001",
            range = "0..1",
            mayChange = true)
        double weightDecay,
    @Setting(
            value = "Share of the earlier update that is kept.",
            byDefault = "0.9",
            range = "0..0.99999",
            onlyWith = "optimizer.name=sgd")
        Double momentum,
    @Setting(
            value = "Whether to look ahead. null: true with a momentum above 0.",
            onlyWith = "optimizer.name=sgd",
            omitDefault = true)
        Boolean nesterov,
    @Setting(
            value = "Decay of the first and second moment.",
            byDefault = "[0.9, 0.999]",
            range = "0..0.999999",
            onlyWith = "optimizer.name=adam|adamw")
        List<Double> betas,
    @Setting(
            value = "Added to the root of the second moment.",
            byDefault = "1e-8",
            range = ">0",
            onlyWith = "optimizer.name=adam|adamw")
        Double epsilon,
    @Setting(
            value =
                "When a parameter is moved: after-backward, or in-backward, as soon as its own"
                    + " gradient is complete, which is then dropped: the same bits with the"
                    + " gradients of one layer in memory at a time.",
            byDefault = "after-backward",
            flag = "--update",
            decidesBits = false)
        UpdateTime update,
    OptimizerStateFormat state) {

  /** How the learning rate decreases. */
  public enum Schedule {
    EXPONENTIAL,
    COSINE,
    CONSTANT
  }

  /**
   * Section {@code learningRate}: the learning rate by iteration.
   *
   * <p>With {@code exponential} the decrease already runs during the warm-up, as in WeSpeaker; with
   * {@code cosine} it follows the warm-up, as in 3D-Speaker. WeSpeaker multiplies its rates by
   * devices x batch / 64: write the products here.
   */
  public record Rate(
      @Setting(value = "How the rate decreases.", byDefault = "exponential", mayChange = true)
          Schedule schedule,
      @Setting(
              value =
                  "The rate the decrease starts from. The default is for sgd; the others need about"
                      + " 0.001, and have none.",
              byDefault = "0.1",
              range = ">0",
              defaultWith = "optimizer.name=sgd",
              mayChange = true)
          Double initial,
      @Setting(
              value = "The rate at the end of the run.",
              key = "final",
              byDefault = "0.00005",
              range = ">0",
              onlyWith = "schedule!=constant",
              mayChange = true)
          Double last,
      @Setting(
              value = "How long the rate rises linearly from zero.",
              byDefault = "0 steps",
              mayChange = true)
          RunLength warmup) {
    /** The rate by iteration; a warm-up longer than the run is refused. */
    public LearningRate schedule(long stepsPerEpoch, long runSteps) {
      long rise = warmup.toSteps(stepsPerEpoch, runSteps);
      if (rise >= runSteps) {
        throw new InvalidSetting(
            "optimizer.learningRate.warmup",
            warmup + " (" + rise + " steps) leaves nothing of a run of " + runSteps + " steps");
      }
      return switch (schedule) {
        case EXPONENTIAL -> LearningRate.exponential(initial, last, runSteps, rise);
        case COSINE ->
            LearningRate.warmup(rise, LearningRate.cosine(initial, last, runSteps - rise));
        case CONSTANT -> LearningRate.warmup(rise, LearningRate.constant(initial));
      };
    }
  }

  public OptimizerSettings {
    Optimizer.REGISTRY.require(name);
    if (name.equals("sgd")) {
      if (nesterov == null) nesterov = momentum > 0;
      if (nesterov && momentum == 0) {
        throw new InvalidSetting("optimizer.nesterov", "true needs a momentum above 0");
      }
      if (momentum == 0 && state.bits() == 8) {
        throw new InvalidSetting(
            "optimizer.state.bits", "8 has no effect with momentum 0, which needs no state");
      }
    } else {
      if (learningRate.initial() == null) {
        throw InvalidSetting.needed(
            "optimizer.learningRate.initial",
            "optimizer.name",
            "is needed with " + name + ", for example 0.001");
      }
      if (betas != null && betas.size() != 2) {
        throw new InvalidSetting(
            "optimizer.betas", betas + " is not possible; two numbers are needed: [0.9, 0.999]");
      }
      betas = betas == null ? null : List.copyOf(betas);
    }
  }
}
