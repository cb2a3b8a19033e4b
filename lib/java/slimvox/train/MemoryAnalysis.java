package slimvox.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntToLongFunction;
import slimvox.backend.Backend;
import slimvox.backend.Device;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.storage.InputException;

/**
 * Prices training steps by dry runs, and searches what fits into a budget.
 *
 * <pre>{@code
 * MemoryAnalysis analysis = MemoryAnalysis.of(recipe, 17_982);
 * StepMemory step = analysis.price(recipe.model().spec(), MemoryScheme.TYPE_II, 64);
 * }</pre>
 */
public final class MemoryAnalysis {
  /** No batch is larger. */
  static final int LARGEST_BATCH = 1 << 20;

  private final StepBuilder builder;
  private final TrainingStep.Update update;
  private final int frames;
  private final Device workspacesOf;

  /**
   * An analysis of steps.
   *
   * @param update when parameters are moved
   * @param frames of an utterance
   * @param workspacesOf the device whose workspaces are counted; null: none
   */
  public MemoryAnalysis(
      StepBuilder builder, TrainingStep.Update update, int frames, Device workspacesOf) {
    this.builder = builder;
    this.update = update;
    this.frames = frames;
    this.workspacesOf = workspacesOf;
  }

  /** An analysis of the steps of a recipe, whatever its model; workspaces are not counted. */
  public static MemoryAnalysis of(Recipe recipe, int classes) {
    return new MemoryAnalysis(
        StepBuilder.of(recipe, classes),
        recipe.optimizer().updateTime(),
        recipe.data().frames(),
        null);
  }

  /** The memory of one step. */
  public StepMemory price(ModelSpec model, int batch) {
    return price(model, update, batch);
  }

  /**
   * The memory of one step that is computed another way.
   *
   * @throws InputException if the network cannot be, saying why
   */
  public StepMemory price(ModelSpec model, MemoryScheme scheme, int batch) {
    return price(scheme.apply(model), scheme.update(update), batch);
  }

  private StepMemory price(ModelSpec model, TrainingStep.Update when, int batch) {
    try (DryStep step = new DryStep(model, when)) {
      return step.price(batch);
    }
  }

  /** The same analysis of a scheme: the network has to be one the scheme was applied to. */
  private MemoryAnalysis with(MemoryScheme scheme) {
    return new MemoryAnalysis(builder, scheme.update(update), frames, workspacesOf);
  }

  /** A step built on a dry backend, which runs with any batch. */
  private final class DryStep implements AutoCloseable {
    private final Backend backend = new Backend(new DryDevice(workspacesOf), new MemoryLedger());
    private final TrainingStep step;

    DryStep(ModelSpec model, TrainingStep.Update when) {
      this.step = builder.build(model, when, backend);
    }

    StepMemory price(int batch) {
      MemoryLedger ledger = backend.ledger();
      ledger.resetPeak();
      ledger.startTimeline();
      step.rehearse(batch, frames);
      List<MemoryLedger.Event> events = ledger.stopTimeline();
      return new StepMemory(step, batch, frames, ledger.report(), events);
    }

    @Override
    public void close() {
      step.close();
      backend.close();
    }
  }

  /**
   * The largest batch whose step fits; 0 if none does.
   *
   * <p>The peak, which is quickly found, bounds it from above; whether the planned block fits is
   * then asked of few batches.
   */
  public int largestBatch(ModelSpec model, MemoryBudget budget) {
    try (DryStep step = new DryStep(model, update)) {
      int bound = largest(b -> step.price(b).totalPeak(), LARGEST_BATCH, budget);
      if (bound == 0 || step.price(bound).neededBytes() <= budget.bytes()) return bound;
      return largest(b -> step.price(b).neededBytes(), bound - 1, budget);
    }
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
    List<String> family = new ArrayList<>(Models.family(model.name()));
    for (String name : family.reversed()) {
      try {
        if (price(model.withName(name), batch).fits(budget)) {
          return Optional.of(name);
        }
      } catch (InputException e) {
        // Not every network of a family can do everything, for example be sliced.
      }
    }
    return Optional.empty();
  }

  /** Whether a step fits, what else would, and what is in the way. */
  public MemoryFit fit(ModelSpec model, int batch, MemoryBudget budget) {
    StepMemory asked = price(model, batch);
    int largest = largestBatch(model, budget);
    Optional<String> deepest = deepestModel(model, batch, budget);
    boolean nothing = largest == 0;
    MemoryScheme helps = null;
    if (!asked.fits(budget)) {
      helps = firstThatFits(model, nothing ? 1 : batch, budget);
    }
    StepMemory smallest = nothing ? price(model, 1) : asked;
    return new MemoryFit(budget, asked, smallest, largest, deepest.orElse(null), helps);
  }

  private MemoryScheme firstThatFits(ModelSpec model, int batch, MemoryBudget budget) {
    for (MemoryScheme scheme : MemoryScheme.values()) {
      if (scheme == MemoryScheme.VANILLA) continue;
      try {
        ModelSpec applied = scheme.apply(model);
        if (with(scheme).price(applied, batch).fits(budget)) return scheme;
      } catch (InputException e) {
        // Such a network cannot be computed this way.
      }
    }
    return null;
  }
}
