package slimvox.cli;

import picocli.CommandLine.Option;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.MemoryBudget;
import slimvox.storage.InputException;

/** Options that say what computes. */
public final class DeviceOptions {
  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description =
          "What computes: cuda (an NVIDIA card), cpu, or best, the first of them that can be used"
              + " here. Default best.")
  private String backend = "best";

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of the CPU; 0: all cores. Default ${DEFAULT-VALUE}.")
  private int threads = 0;

  @Option(
      names = "--tf32",
      description = "Let a card round factors of products and convolutions to 10 bits of mantissa.")
  private boolean tf32;

  @Option(
      names = "--budget",
      paramLabel = "SIZE",
      description = "Fail if more memory than this is needed, for example 11GB.")
  private String budget;

  /** Opens the backend. */
  public Backend open(Subcommand command) {
    command.range("--threads", threads, 0, 4096);
    return Backends.open(backend, threads, tf32, budget(budget));
  }

  /** The limit that an option {@code --budget} states; none if it is null. */
  static MemoryBudget budget(String text) {
    if (text == null) return MemoryBudget.UNLIMITED;
    try {
      return MemoryBudget.parse(text);
    } catch (IllegalArgumentException e) {
      throw new InputException("--budget " + e.getMessage(), e);
    }
  }
}
