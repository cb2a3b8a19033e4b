package slimvox.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import slimvox.memory.MemoryBudget;

/**
 * Section {@code run} of a {@link Recipe}: how long, on what, and what is kept.
 *
 * @param length how long to train, in steps or epochs (a {@link Span}); an epoch has utterances /
 *     batch steps, to the nearest, at least 1. Default 150 epochs
 * @param batch training examples of one step. Default 128
 * @param validateEvery how often to validate, and at the end; 0 steps: never. Default 1 epoch
 * @param checkpointEvery how often to write a checkpoint, and at the end; 0 steps: at the end only.
 *     Default 1 epoch
 * @param keepCheckpoints how many of the latest checkpoints stay. Default 3
 * @param backend what computes: {@code cuda} (an NVIDIA card), {@code cpu}, or {@code best}, a card
 *     where there is one that can be used and else the CPU. Default best
 * @param tf32 whether a card may round the factors of matrix products and convolutions to 10 bits
 *     of mantissa, which is faster on cards of compute capability 8.0 and newer; other devices
 *     never do. Default false
 * @param lossEvery how many steps go on before the device is waited for and their losses are read
 *     together; a loss that is not finite stops the run then, and before any checkpoint. With 1 it
 *     stops the run before a parameter has changed, and the layer is named. The bits of the run are
 *     the same. Default null: 10 on a card, 1 on the CPU
 * @param threads threads that compute; 0: all cores. Default 0
 * @param memoryBudget the most bytes the run may use, as in {@code 11GB} or {@code 512MiB}; a run
 *     that needs more is refused before it starts. Default null: no limit
 */
public record RunSettings(
    Span length,
    int batch,
    Span validateEvery,
    Span checkpointEvery,
    int keepCheckpoints,
    String backend,
    boolean tf32,
    @JsonInclude(JsonInclude.Include.NON_NULL) Integer lossEvery,
    int threads,
    String memoryBudget) {
  public RunSettings {
    if (length.amount() == 0 || length.unit() == Span.Unit.PERCENT) {
      throw new InvalidSetting(
          "run.length", length + " is not possible; give steps or epochs, as in 1000 steps");
    }
    InvalidSetting.range("run.batch", batch, 1, 1 << 20);
    InvalidSetting.range("run.keepCheckpoints", keepCheckpoints, 1, 1_000_000);
    InvalidSetting.oneOf("run.backend", backend, List.of("best", "cpu", "cuda"));
    if (tf32 && backend.equals("cpu")) {
      throw new InvalidSetting("run.tf32", "true is not possible with run.backend cpu");
    }
    if (lossEvery != null) InvalidSetting.range("run.lossEvery", lossEvery, 1, 10_000);
    InvalidSetting.range("run.threads", threads, 0, 4096);
    if (memoryBudget != null) {
      try {
        MemoryBudget.parse(memoryBudget);
      } catch (IllegalArgumentException e) {
        throw new InvalidSetting("run.memoryBudget", e.getMessage());
      }
    }
  }

  /** Steps of the whole run, at least 1. */
  public long steps(long stepsPerEpoch) {
    return Math.max(1, length.toSteps(stepsPerEpoch, 0));
  }

  /** The limit that {@link #memoryBudget()} states. */
  public MemoryBudget budget() {
    return memoryBudget == null ? MemoryBudget.UNLIMITED : MemoryBudget.parse(memoryBudget);
  }
}
