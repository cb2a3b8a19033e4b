package slimvox.step;

import java.util.Locale;
import java.util.function.Function;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;

/**
 * How a training step and a budget go together.
 *
 * @param budget the most bytes that may be used
 * @param asked the step that was asked for
 * @param obstacle the step that shows what is in the way: the asked one or, where not even batch 1
 *     fits, that with batch 1
 * @param largestBatch the largest batch that fits; 0 if none does
 * @param deepestModel the deepest network of the same family that fits with the asked batch; null
 *     if none does
 * @param helps the way to train that saves least among those that make the asked batch fit (batch 1
 *     where nothing fits); null if the step fits or none does
 */
public record MemoryFit(
    MemoryBudget budget,
    StepMemory asked,
    StepMemory obstacle,
    int largestBatch,
    String deepestModel,
    MemoryScheme helps) {

  /** Whether the asked step fits. */
  public boolean fits() {
    return asked.fits(budget);
  }

  /** The category that is in the way, or would be of a larger batch. */
  public Category inTheWay() {
    return obstacle.largestCategory();
  }

  /**
   * Refuses the step if it does not fit.
   *
   * @param wording how the reader chooses a way to train: as options or as settings
   * @throws OutOfBudgetException one line: what is needed, which category is in the way, what fits
   */
  public void require(Function<MemoryScheme, String> wording) {
    if (!fits()) throw new OutOfBudgetException(explanation(wording), inTheWay());
  }

  private String explanation(Function<MemoryScheme, String> wording) {
    boolean nothing = largestBatch == 0;
    String text =
        String.format(
            Locale.ROOT,
            "out of the memory budget of %s: %s %s %s, %.0f %% of it %s",
            budget,
            asked.model().name(),
            nothing
                ? "does not fit even with batch 1, which needs"
                : "with batch %d x %d frames needs".formatted(asked.batch(), asked.frames()),
            MemoryBudget.text(obstacle.neededBytes()),
            100 * obstacle.largestShare(),
            inTheWay().title());
    String deepest =
        deepestModel == null
            ? "no model of its family fits"
            : "the deepest model of its family that fits is " + deepestModel;
    if (!nothing) {
      text +=
          "; the largest batch that fits is %d; with batch %d %s"
              .formatted(largestBatch, asked.batch(), deepest);
    } else if (deepestModel != null) {
      text += "; %s fits with batch %d".formatted(deepestModel, asked.batch());
    }
    if (helps == null) return text + "; " + advice();
    return "%s; %s would make %s fit"
        .formatted(text, wording.apply(helps), nothing ? "batch 1" : "it");
  }

  private String advice() {
    return switch (inTheWay()) {
      case PARAMETER, GRADIENT -> "choose a smaller model, a smaller width or fewer classes";
      case OPTIMIZER_STATE ->
          "choose a smaller model, fewer classes or an optimizer's state of 8 bits";
      case ACTIVATION, STATISTIC, ACTIVATION_GRADIENT, INPUT ->
          "choose fewer frames or a smaller model";
      case WORKSPACE -> "choose fewer frames, a smaller model or fewer threads";
    };
  }
}
