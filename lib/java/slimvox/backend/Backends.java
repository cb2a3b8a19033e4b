package slimvox.backend;

import java.util.List;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.storage.InputException;

/** The backends by name, and the choice of the fastest. */
public final class Backends {
  private static final System.Logger LOG = System.getLogger(Backends.class.getName());

  /**
   * A kind of backend and whether this machine has it.
   *
   * @param name what {@link #open} takes
   * @param usable false if it cannot be opened here
   * @param description the hardware and libraries in use, or the reason why it cannot be opened
   */
  public record Choice(String name, boolean usable, String description) {}

  private static final String NO_CUDA = "not part of this version";

  private Backends() {}

  /** Every kind of backend, the fastest first, and what speaks against those not usable here. */
  public static List<Choice> choices() {
    return List.of(new Choice("cuda", false, NO_CUDA), cpu(), dry());
  }

  private static Choice cpu() {
    try (CpuDevice device = CpuDevice.open(0)) {
      return new Choice("cpu", true, device.description());
    } catch (RuntimeException | LinkageError e) {
      return new Choice("cpu", false, e.getMessage());
    }
  }

  private static Choice dry() {
    try (DryDevice device = new DryDevice()) {
      return new Choice("dry", true, device.description());
    }
  }

  /**
   * Opens the fastest backend of this machine without a memory limit, on all cores; says in the log
   * why a faster one was not taken.
   */
  public static Backend best() {
    return open("best", 0, MemoryBudget.UNLIMITED);
  }

  /**
   * Opens a backend.
   *
   * @param name {@code cpu}; {@code dry} (no arithmetic, shapes and ledger only); {@code best} or
   *     {@code auto} for the fastest of this machine
   * @param threads how many threads the CPU may use; 0 for one per core
   * @param budget the most bytes its tensors may take
   * @throws InputException if there is no such backend or this machine does not have it
   */
  public static Backend open(String name, int threads, MemoryBudget budget) {
    Device device =
        switch (name) {
          case "cpu" -> CpuDevice.open(threads);
          case "dry" -> new DryDevice();
          case "best", "auto" -> {
            LOG.log(System.Logger.Level.DEBUG, "backend cpu; cuda not taken: " + NO_CUDA);
            yield CpuDevice.open(threads);
          }
          case "cuda" -> throw new InputException("backend cuda: " + NO_CUDA + "; use cpu");
          default ->
              throw new InputException(
                  "no backend '" + name + "'; there are cpu, dry and best (the fastest here)");
        };
    return new Backend(device, new MemoryLedger(budget));
  }
}
