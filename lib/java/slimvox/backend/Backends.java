package slimvox.backend;

import java.util.List;
import slimvox.backend.Device.MathMode;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.onednn.OneDnn;
import slimvox.backend.cuda.Cuda;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.storage.InputException;

/** The backends by name, and the choice of the fastest. */
public final class Backends {
  /**
   * A kind of backend and whether this machine has it.
   *
   * @param name what {@link #open} takes
   * @param usable false if it cannot be opened here
   * @param description the hardware and libraries in use, or the reason why it cannot be opened
   * @param details lines about libraries that were looked for, where they are, or about settings
   */
  public record Choice(String name, boolean usable, String description, List<String> details) {
    Choice(String name, boolean usable, String description) {
      this(name, usable, description, List.of());
    }
  }

  private Backends() {}

  /** Every kind of backend, the fastest first, and what speaks against those not usable here. */
  public static List<Choice> choices() {
    return List.of(cuda(), cpu(), dry());
  }

  private static Choice cuda() {
    Cuda.Finding found = Cuda.find();
    return new Choice("cuda", found.usable(), found.description(), found.details());
  }

  private static Choice cpu() {
    try (CpuDevice device = CpuDevice.open(0)) {
      List<String> details =
          List.of(
              "with run.math bfloat16: " + OneDnn.bfloat16Math(),
              "with run.precision bfloat16: " + OneDnn.bfloat16Convolutions());
      return new Choice("cpu", true, device.description(), details);
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
   * A device to ask for workspaces alone, which need not be there.
   *
   * @param name {@code cpu}, {@code cuda} (with our own kernels) or {@code cudnn} (the most that a
   *     card with cuDNN takes)
   * @param math of the CPU
   */
  public static Device workspaces(String name, MathMode math) {
    return switch (name) {
      case "cpu" -> CpuDevice.open(0, math);
      case "cuda" -> Cuda.workspaces();
      case "cudnn" -> Cuda.mostWorkspaces();
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** The version of oneDNN; if it cannot be loaded, UnsupportedOperationException says why. */
  public static String oneDnnVersion() {
    try (OneDnn library = OneDnn.open(1)) {
      return library.version();
    }
  }

  /** Opens the fastest backend of this machine without a memory limit, on all cores. */
  public static Backend best() {
    return open("best", 0, MemoryBudget.UNLIMITED);
  }

  /** Opens a backend that computes in full float32 precision. */
  public static Backend open(String name, int threads, MemoryBudget budget) {
    return open(name, threads, MathMode.FLOAT32, budget);
  }

  /**
   * Opens a backend.
   *
   * @param name {@code cuda} (an NVIDIA card); {@code cpu}; {@code dry} (no arithmetic, shapes and
   *     ledger only); {@code best} or {@code auto} for the fastest of this machine, whose {@link
   *     Backend#description()} says why it is not a card, also where there is one that is busy or
   *     fails to open
   * @param threads how many threads the CPU may use; 0 for one per core
   * @param math what products and convolutions may round their factors to; the CPU does not know
   *     TF32 and computes in float32, a card does not know bfloat16 and is not taken
   * @param budget the most bytes that a run may take: its tensors, and on a card what the driver
   *     takes for itself, as on a card of that size
   * @throws InputException if there is no such backend or this machine does not have it
   */
  public static Backend open(String name, int threads, MathMode math, MemoryBudget budget) {
    return switch (name) {
      case "cpu" -> new Backend(CpuDevice.open(threads, math), new MemoryLedger(budget));
      case "dry" -> new Backend(new DryDevice(), new MemoryLedger(budget));
      case "cuda" -> cuda(math, budget);
      case "best", "auto" -> best(threads, math, budget);
      default ->
          throw new InputException(
              "no backend '" + name + "'; there are cuda, cpu, dry and best (the fastest here)");
    };
  }

  private static Backend best(int threads, MathMode math, MemoryBudget budget) {
    Cuda.Finding found = Cuda.find();
    String reason = found.description();
    if (found.usable()) {
      try {
        return card(math, budget);
      } catch (RuntimeException | LinkageError e) { // whatever it is, the CPU can do the work
        reason = e.getMessage() == null ? e.toString() : e.getMessage();
      }
    }
    MemoryLedger ledger = new MemoryLedger(budget);
    return new Backend(CpuDevice.open(threads, math), ledger, "CUDA is not used: " + reason);
  }

  private static Backend cuda(MathMode math, MemoryBudget budget) {
    try {
      return card(math, budget);
    } catch (UnsupportedOperationException | DeviceException | LinkageError e) {
      throw new InputException("backend cuda: " + e.getMessage() + "; or use backend cpu", e);
    }
  }

  private static Backend card(MathMode math, MemoryBudget budget) {
    if (math == MathMode.BFLOAT16) {
      throw new UnsupportedOperationException(
          "a card does not round factors to bfloat16, but to TF32");
    }
    Device device = Cuda.open(math == MathMode.TF32);
    try {
      long context = device.driverMemory().getOrDefault("context", 0L);
      return new Backend(device, new MemoryLedger(budget.without(context)));
    } catch (RuntimeException | Error e) { // the budget is too small for what the device has
      device.close();
      throw e;
    }
  }
}
