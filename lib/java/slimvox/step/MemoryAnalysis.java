package slimvox.step;

import java.util.List;
import java.util.Optional;
import java.util.function.IntToLongFunction;
import java.util.function.Supplier;
import java.util.stream.Stream;
import slimvox.backend.Device;
import slimvox.backend.dry.Rehearsal;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;

/**
 * Prices training steps by dry runs, and searches what fits into a budget.
 *
 * <pre>{@code
 * MemoryAnalysis analysis = MemoryAnalysis.of(recipe, 17_982);
 * StepMemory step = analysis.price(recipe.model(), MemoryScheme.TYPE_II, 64);
 * }</pre>
 *
 * @param builder of the steps
 * @param update when parameters are moved
 * @param frames of an utterance
 * @param workspacesOf the device whose workspaces are counted; null: none
 * @param readEvery 0: steps alone. Else as a {@code Trainer} takes them, so many read together,
 *     with what lies beside them: results that have not been read, and on a device that copies
 *     while it computes the features of the next step
 */
public record MemoryAnalysis(
    StepBuilder builder, UpdateTime update, int frames, Device workspacesOf, int readEvery) {
  /** No batch is larger. */
  static final int LARGEST_BATCH = 1 << 20;

  /** An analysis of the steps of a recipe, whatever its model; workspaces are not counted. */
  public static MemoryAnalysis of(Recipe recipe, int classes) {
    return of(recipe, classes, null, 0);
  }

  /** An analysis of the steps of a recipe, whatever its model. */
  public static MemoryAnalysis of(Recipe recipe, int classes, Device workspacesOf, int readEvery) {
    return new MemoryAnalysis(
        StepBuilder.of(recipe, classes),
        recipe.optimizer().update(),
        recipe.data().frames(),
        workspacesOf,
        readEvery);
  }

  /**
   * The memory of one step.
   *
   * @throws InputException if the network cannot be built, saying why
   */
  public StepMemory price(ModelSpec model, int batch) {
    return price(rehearsal(model), batch);
  }

  /**
   * The memory of one step that is computed another way.
   *
   * @throws InputException if the network cannot be, saying why
   */
  public StepMemory price(ModelSpec model, MemoryScheme scheme, int batch) {
    return with(scheme).price(scheme.apply(model), batch);
  }

  /** The same analysis of a scheme: the network has to be one the scheme was applied to. */
  private MemoryAnalysis with(MemoryScheme scheme) {
    return new MemoryAnalysis(builder, scheme.update(update), frames, workspacesOf, readEvery);
  }

  /** A dry step, which runs with any batch. */
  private Rehearsal<TrainingStep> rehearsal(ModelSpec model) {
    return new Rehearsal<>(
        workspacesOf, MemoryBudget.UNLIMITED, b -> builder.build(model, update, b));
  }

  private StepMemory price(Rehearsal<TrainingStep> rehearsal, int batch) {
    TrainingStep step = rehearsal.twin();
    if (readEvery > 0) {
      step.readEvery(readEvery, batch);
      step.prepareStaging(batch, frames);
    }
    rehearsal.ledger().resetPeak();
    List<MemoryLedger.Event> events = rehearsal.timeline(s -> s.rehearse(batch, frames));
    return new StepMemory(step, batch, frames, rehearsal.ledger().report(), events);
  }

  /**
   * The largest batch whose step fits; 0 if none does.
   *
   * <p>The peak, which is quickly found, bounds it from above; whether the planned block fits is
   * then asked of few batches.
   */
  public int largestBatch(ModelSpec model, MemoryBudget budget) {
    Rehearsal<TrainingStep> step = rehearsal(model);
    int bound = largest(b -> price(step, b).totalPeak(), LARGEST_BATCH, budget);
    if (bound == 0 || price(step, bound).neededBytes() <= budget.bytes()) return bound;
    return largest(b -> price(step, b).neededBytes(), bound - 1, budget);
  }

  /**
   * The largest batch up to {@code limit} that fits. Bytes are nearly linear in the batch, so the
   * search interpolates between a batch that fits and one that does not until they are neighbours.
   */
  private static int largest(IntToLongFunction bytes, int limit, MemoryBudget budget) {
    if (limit == 0) return 0;
    int fits = 0;
    long fitsBytes = 0;
    int over = 1;
    long overBytes = bytes.applyAsLong(over);
    while (overBytes <= budget.bytes()) {
      if (over == limit) return limit;
      long perUtterance = Math.max(1, (overBytes - fitsBytes) / (over - fits));
      fits = over;
      fitsBytes = overBytes;
      long next = fits + (budget.bytes() - fitsBytes) / perUtterance + 1;
      over = (int) Math.min(limit, next);
      overBytes = bytes.applyAsLong(over);
    }
    while (over - fits > 1) {
      double share = (double) (budget.bytes() - fitsBytes) / (overBytes - fitsBytes);
      int guess = fits + (int) Math.round(share * (over - fits));
      guess = Math.max(fits + 1, Math.min(over - 1, guess));
      long there = bytes.applyAsLong(guess);
      if (there <= budget.bytes()) {
        fits = guess;
        fitsBytes = there;
      } else {
        over = guess;
        overBytes = there;
      }
    }
    return fits;
  }

  /** The largest batch that fits when the network is computed another way; 0 if none does. */
  public int largestBatch(ModelSpec model, MemoryScheme scheme, MemoryBudget budget) {
    return with(scheme).largestBatch(scheme.apply(model), budget);
  }

  /** The deepest network of the same family, otherwise the same, whose step fits. */
  public Optional<String> deepestModel(ModelSpec model, int batch, MemoryBudget budget) {
    return List.copyOf(Models.family(model.name())).reversed().stream()
        .filter(name -> fits(() -> price(model.with("name=" + name), batch), budget))
        .findFirst();
  }

  /** The way to train that saves least among those that make a step fit. */
  private Optional<MemoryScheme> firstThatFits(ModelSpec model, int batch, MemoryBudget budget) {
    return Stream.of(MemoryScheme.values())
        .filter(scheme -> scheme != MemoryScheme.VANILLA)
        .filter(scheme -> fits(() -> price(model, scheme, batch), budget))
        .findFirst();
  }

  /** Whether a step fits; not every network can do everything, for example be sliced. */
  private static boolean fits(Supplier<StepMemory> price, MemoryBudget budget) {
    try {
      return price.get().fits(budget);
    } catch (InputException e) {
      return false;
    }
  }

  /** Whether a step fits, what else would, and what is in the way. */
  public MemoryFit fit(ModelSpec model, int batch, MemoryBudget budget) {
    StepMemory asked = price(model, batch);
    int largest = largestBatch(model, budget);
    Optional<String> deepest = deepestModel(model, batch, budget);
    Optional<MemoryScheme> helps =
        asked.fits(budget)
            ? Optional.empty()
            : firstThatFits(model, largest == 0 ? 1 : batch, budget);
    StepMemory obstacle = largest == 0 ? price(model, 1) : asked;
    return new MemoryFit(
        budget, asked, obstacle, largest, deepest.orElse(null), helps.orElse(null));
  }
}
