package slimvox.backend;

import java.util.List;
import java.util.Map;

/** What a device runs on, as far as it can tell of its driver's memory and of its kernels' time. */
public interface Hardware extends AutoCloseable {
  /**
   * How long a kernel of a card computed, all its launches together.
   *
   * @param family what it is for, such as {@code convolution}
   * @param kernel its name
   * @param launches how often it was started
   * @param ms milliseconds, with those that the card waited for it
   */
  record KernelTime(String family, String kernel, int launches, double ms) {}

  /**
   * What the driver counts beside the ledger, in bytes by name; empty where nothing is added that
   * is worth counting.
   *
   * <p>A GPU has {@code blocks} (asked for by us: the ledger's tensors and planned blocks), {@code
   * context} (used before the first block: context, kernels, the libraries' own), {@code libraries}
   * (the libraries' part of it), {@code driver} (the driver's count of this process now), {@code
   * card} (all processes), {@code total} and, where steps run as one, {@code graph} (what it took
   * for that of a step; of all processes where it cannot tell them apart).
   */
  default Map<String, Long> driverMemory() {
    return Map.of();
  }

  /**
   * Whether operations may still run when they have returned, as on a card: {@link #asOne} can then
   * give it a whole step, and only it knows how long a kernel takes, see {@link #timeKernels}.
   */
  default boolean queues() {
    return false;
  }

  /**
   * Queues what a step does: a card may be given all of it at once, as one CUDA graph, when the
   * same step comes again. Its inputs are uploaded before, its results read afterwards; what is
   * waited for within is done, but then there is no graph.
   */
  default void asOne(Runnable step) {
    step.run();
  }

  /**
   * Bytes that the driver has for the graph of the last steps of {@link #asOne}, by its own count
   * before and after; 0 without one, and where the driver cannot tell processes apart: no ledger
   * may have the bytes of another. They are known when there is a graph, so that no dry run has
   * them.
   */
  default long graphBytes() {
    return 0;
  }

  /** Notes from now on how long each kernel takes; nothing where there are none. */
  default void timeKernels() {}

  /**
   * Waits for the kernels since {@link #timeKernels} and ends what it began.
   *
   * @return how long each took, the longest first; empty where there are none
   */
  default List<KernelTime> kernelTimes() {
    return List.of();
  }

  /** Gives back what it holds: blocks, modules, handles and streams of a card. */
  @Override
  default void close() {}
}
