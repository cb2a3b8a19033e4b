package slimvox.recipe;

import slimvox.backend.DataType;
import slimvox.backend.Device.MathMode;
import slimvox.memory.MemoryBudget;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/** Section {@code run} of a {@link Recipe}: how long, on what, and what is kept. */
public record RunSettings(
    @Setting(
            value =
                "How long to train; an epoch has utterances / batch steps, to the nearest, at least"
                    + " 1.",
            byDefault = "150 epochs",
            mayChange = true)
        RunLength length,
    @Setting(
            value = "Training examples of one step.",
            byDefault = "128",
            range = "1..1048576",
            decidesBits = false)
        int batch,
    @Setting(
            value = "How often to validate, and at the end; 0 steps: never.",
            byDefault = "1 epoch",
            decidesBits = false)
        RunLength validateEvery,
    @Setting(
            value = "How often to write a checkpoint, and at the end; 0 steps: at the end only.",
            byDefault = "1 epoch",
            decidesBits = false)
        RunLength checkpointEvery,
    @Setting(
            value = "How many of the latest checkpoints stay.",
            byDefault = "3",
            range = "1..1000000",
            decidesBits = false)
        int keepCheckpoints,
    @Setting(
            value =
                "What computes: cuda (an NVIDIA card), cpu, or best, the first of them that can be"
                    + " used here.",
            byDefault = "best",
            flag = "--backend")
        Device backend,
    @Setting(
            value =
                "Let a card round factors of products and convolutions to 10 bits of mantissa,"
                    + " which is faster on cards of compute capability 8.0 and newer; other devices"
                    + " never do.",
            byDefault = "false",
            flag = "--tf32")
        boolean tf32,
    @Setting(
            value =
                "What the processor may round factors of products and convolutions to while it"
                    + " computes; sums and all that is stored are float32. bfloat16, 7 bits of"
                    + " mantissa, is faster on processors with AMX; on others it changes nothing,"
                    + " and cards do not have it.",
            byDefault = "float32",
            flag = "--math",
            omitDefault = true)
        Factors math,
    @Setting(
            value =
                "What activations and their gradients are stored as. bfloat16 halves their bytes:"
                    + " 8 bits of precision, the range of float32; sums, statistics, the loss,"
                    + " parameters and their gradients stay float32. On the CPU.",
            byDefault = "float32",
            flag = "--precision",
            decidesBits = false,
            omitDefault = true)
        Factors precision,
    @Setting(
            value =
                "Steps that go on before the device is waited for and their losses are read"
                    + " together; a loss that is not finite stops the run then, and before any"
                    + " checkpoint. With 1 it stops the run before a parameter has changed, and the"
                    + " layer is named. The bits of the run are the same. null: 10 on a card, 1 on"
                    + " the CPU.",
            range = "1..10000",
            decidesBits = false,
            omitDefault = true)
        Integer lossEvery,
    @Setting(
            value =
                "Give a card each step as one CUDA graph instead of hundreds of launches, which is"
                    + " faster where batches are small; the bits of the run are the same. It goes"
                    + " with losses that are read together; other devices ignore it. What the"
                    + " driver takes for it counts as workspace, also against run.memoryBudget, as"
                    + " soon as it is there; a dry run cannot know it.",
            byDefault = "false",
            decidesBits = false,
            omitDefault = true)
        boolean graph,
    @Setting(
            value = "Threads of the CPU; 0: all cores.",
            byDefault = "0",
            range = "0..4096",
            flag = "--threads",
            decidesBits = false)
        int threads,
    @Setting(
            value =
                "The most bytes the run may use; one that needs more is refused before it starts."
                    + " null: no limit.",
            range = "a size, as in 11GB or 512MiB",
            flag = "--budget",
            decidesBits = false)
        String memoryBudget) {
  /** What computes. */
  public enum Device {
    BEST,
    CPU,
    CUDA
  }

  /** What numbers are rounded to: factors of products, or what is stored. */
  public enum Factors {
    FLOAT32,
    BFLOAT16
  }

  /**
   * Steps between two readings: a device that copies while it computes is better not waited for.
   *
   * @param copies whether the device does so
   */
  public int readEvery(boolean copies) {
    return lossEvery != null ? lossEvery : copies ? 10 : 1;
  }

  public RunSettings {
    if (length.amount() == 0 || length.unit() == RunLength.Unit.PERCENT) {
      throw new InvalidSetting(
          "run.length", length + " is not possible; give steps or epochs, as in 1000 steps");
    }
    if (tf32 && backend == Device.CPU) {
      throw new InvalidSetting("run.tf32", "true is not possible with run.backend cpu");
    }
    if (graph && lossEvery != null && lossEvery == 1) {
      throw new InvalidSetting(
          "run.graph",
          "true is not possible with run.lossEvery 1, which waits within a step; give 2 or more");
    }
    if (graph && backend == Device.CPU) {
      throw new InvalidSetting("run.graph", "true is not possible with run.backend cpu");
    }
    if (math == Factors.BFLOAT16 && (tf32 || backend == Device.CUDA)) {
      throw new InvalidSetting(
          "run.math",
          "bfloat16 is not possible with " + (tf32 ? "run.tf32 true" : "run.backend cuda"));
    }
    if (precision == Factors.BFLOAT16 && backend == Device.CUDA) {
      throw new InvalidSetting(
          "run.precision", "bfloat16 is not possible with run.backend cuda; give cpu");
    }
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

  /** What {@link #tf32()} and {@link #math()} say together. */
  public MathMode mathMode() {
    return tf32 ? MathMode.TF32 : math == Factors.BFLOAT16 ? MathMode.BFLOAT16 : MathMode.FLOAT32;
  }

  /** The type of activations that {@link #precision()} states. */
  public DataType activations() {
    return precision == Factors.BFLOAT16 ? DataType.BFLOAT16 : DataType.FLOAT32;
  }

  /** The limit that {@link #memoryBudget()} states. */
  public MemoryBudget budget() {
    return memoryBudget == null ? MemoryBudget.UNLIMITED : MemoryBudget.parse(memoryBudget);
  }
}
