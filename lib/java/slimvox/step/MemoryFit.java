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
    StringBuilder text = new StringBuilder("out of the memory budget of ").append(budget);
    String name = asked.model().name();
    text.append(": ").append(name);
    if (largestBatch == 0) {
      text.append(" does not fit even with batch 1, which needs ");
    } else {
      text.append(
          String.format(
              Locale.ROOT, " with batch %d x %d frames needs ", asked.batch(), asked.frames()));
    }
    text.append(MemoryBudget.text(obstacle.neededBytes()));
    text.append(String.format(Locale.ROOT, ", %.0f %% of it ", 100 * obstacle.largestShare()));
    text.append(inTheWay().title());
    if (largestBatch > 0) {
      text.append("; the largest batch that fits is ").append(largestBatch);
      text.append("; with batch ").append(asked.batch());
      text.append(
          deepestModel == null
              ? " no model of its family fits"
              : " the deepest model of its family that fits is " + deepestModel);
    } else if (deepestModel != null) {
      text.append("; ").append(deepestModel).append(" fits with batch ").append(asked.batch());
    }
    if (helps != null) {
      text.append("; ").append(wording.apply(helps)).append(" would make ");
      text.append(largestBatch == 0 ? "batch 1 fit" : "it fit");
    } else {
      text.append("; ").append(advice());
    }
    return text.toString();
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
