package slimvox.backend.dry;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import slimvox.backend.Backend;
import slimvox.backend.Device;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;

/**
 * The dry twin of something that computes: what the real one will allocate, the twin allocates
 * before, on a backend that only keeps a ledger and asks a device for its workspace sizes.
 *
 * @param <T> what has a twin: a training step, a network
 */
public final class Rehearsal<T> {
  private final Backend backend;
  private final T twin;

  /**
   * Builds the twin.
   *
   * @param sizes the device whose workspaces are counted; null: none
   * @param budget what may be used; {@link #plan} refuses what needs more
   */
  public Rehearsal(Device sizes, MemoryBudget budget, Function<Backend, T> build) {
    backend = new Backend(new DryDevice(sizes), new MemoryLedger(budget));
    twin = build.apply(backend);
  }

  /** The twin; it holds no memory, so that nobody has to close it. */
  public T twin() {
    return twin;
  }

  /** The ledger of the twin. */
  public MemoryLedger ledger() {
    return backend.ledger();
  }

  /** The events of a piece of work; if that fails, nothing of it is left in the ledger. */
  public List<MemoryLedger.Event> timeline(Consumer<T> work) {
    List<MemoryLedger.Event> events;
    ledger().startTimeline();
    try {
      backend.owning(
          () -> {
            work.accept(twin);
            return null;
          });
    } finally {
      events = ledger().stopTimeline();
    }
    return events;
  }

  /**
   * Places in one block for what a piece of work allocates.
   *
   * @throws slimvox.memory.OutOfBudgetException naming the category that does not fit
   */
  public ArenaPlan plan(Consumer<T> work) {
    ArenaPlan plan = ArenaPlan.of(timeline(work));
    ledger().requireRoom(Category.ACTIVATION, "block of the step", plan.bytes());
    return plan;
  }
}
