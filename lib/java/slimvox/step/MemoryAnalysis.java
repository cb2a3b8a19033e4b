package slimvox.step;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntToLongFunction;
import slimvox.backend.Backend;
import slimvox.backend.Device;
import slimvox.backend.Tensor;
import slimvox.backend.dry.DryDevice;
import slimvox.embed.Embedder;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.optim.UpdateTime;
import slimvox.recipe.Recipe;
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
  private final UpdateTime update;
  private final int frames;
  private final Device workspacesOf;
  private final int readEvery; // 0: a step alone, with nothing beside it

  /**
   * An analysis of steps.
   *
   * @param update when parameters are moved
   * @param frames of an utterance
   * @param workspacesOf the device whose workspaces are counted; null: none
   */
  public MemoryAnalysis(StepBuilder builder, UpdateTime update, int frames, Device workspacesOf) {
    this(builder, update, frames, workspacesOf, 0);
  }

  /**
   * An analysis of steps as a {@code Trainer} takes them, with what lies beside them: results that
   * have not been read, and on a device that copies while it computes the features of the next.
   *
   * @param readEvery how many steps are read together
   */
  public MemoryAnalysis(
      StepBuilder builder, UpdateTime update, int frames, Device workspacesOf, int readEvery) {
    this.readEvery = readEvery;
    this.builder = builder;
    this.update = update;
    this.frames = frames;
    this.workspacesOf = workspacesOf;
  }

  /** An analysis of the steps of a recipe, whatever its model; workspaces are not counted. */
  public static MemoryAnalysis of(Recipe recipe, int classes) {
    return new MemoryAnalysis(
        StepBuilder.of(recipe, classes), recipe.optimizer().update(), recipe.data().frames(), null);
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

  private StepMemory price(ModelSpec model, UpdateTime when, int batch) {
    try (DryStep step = new DryStep(model, when)) {
      return step.price(batch);
    }
  }

  /** The same analysis of a scheme: the network has to be one the scheme was applied to. */
  private MemoryAnalysis with(MemoryScheme scheme) {
    return new MemoryAnalysis(builder, scheme.update(update), frames, workspacesOf, readEvery);
  }

  /** A step built on a dry backend, which runs with any batch. */
  private final class DryStep implements AutoCloseable {
    private final Backend backend = new Backend(new DryDevice(workspacesOf), new MemoryLedger());
    private final TrainingStep step;

    DryStep(ModelSpec model, UpdateTime when) {
      this.step = builder.build(model, when, backend);
    }

    StepMemory price(int batch) {
      MemoryLedger ledger = backend.ledger();
      int bins = step.network().spec().bins();
      List<String> names = List.copyOf(step.state().parameters().keySet());
      boolean stages = readEvery > 0 && workspacesOf.stages();
      try (UnreadSteps unread =
              readEvery < 2 ? null : new UnreadSteps(backend, readEvery, batch, names);
          Tensor _ =
              stages ? backend.allocate(Category.WORKSPACE, "next", batch, bins, frames) : null) {
        step.leaveResults(unread);
        ledger.resetPeak();
        ledger.startTimeline();
        step.rehearse(batch, frames);
        List<MemoryLedger.Event> events = ledger.stopTimeline();
        return new StepMemory(step, batch, frames, ledger.report(), events);
      }
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

  /**
   * Refuses a run whose utterances cannot be embedded beside what stays between its steps.
   *
   * @param step of the run
   * @param lengths frames of the utterances, by id
   * @throws OutOfBudgetException naming the longest utterance that does not fit
   */
  public void requireEvaluation(
      StepMemory step, Map<String, Integer> lengths, MemoryBudget budget) {
    long stays = step.report().totalNow();
    List<String> longestFirst = new ArrayList<>(lengths.keySet());
    longestFirst.sort(Comparator.comparing(lengths::get).reversed());
    int last = 0;
    try (Backend dry = new Backend(new DryDevice(workspacesOf));
        Network network = Models.build(step.model(), dry)) {
      for (String id : longestFirst) {
        int frames = lengths.get(id);
        if (frames == last) continue;
        last = frames;
        long needed = stays + Embedder.plan(network, 1, frames).bytes();
        if (needed > budget.bytes()) {
          throw new OutOfBudgetException(
              "out of the memory budget of %s: to embed %s of the trials, %d frames, takes %d bytes,"
                      .formatted(budget, id, frames, needed)
                  + " a training step %d; give run.memoryBudget=%dB or leave the utterance out"
                      .formatted(step.neededBytes(), needed),
              Category.ACTIVATION);
        }
        // A little shorter may need more, as workspaces go; not so much more.
        if (needed - stays < 0.8 * (budget.bytes() - stays)) return;
      }
    } catch (InputException e) {
      return; // too short for the network: evaluation names it
    }
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
