package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;

/**
 * Memory that kernels see: a card's, or in tests the host's.
 *
 * <p>Copies and fills take their place in the order of the {@link Launcher}'s kernels. {@link
 * #upload} has read the host's bytes when it returns; {@link #download} waits for all kernels
 * before it.
 */
public interface DeviceMemory {
  /**
   * Reserves bytes, aligned to 256; contents undefined.
   *
   * @throws slimvox.memory.OutOfBudgetException or an error that says how much there is, if there
   *     is not enough
   */
  long allocate(long bytes);

  /** Returns what {@link #allocate} gave. */
  void free(long address);

  /** Copies all bytes of {@code host} to the device. */
  void upload(MemorySegment host, long address);

  /** Fills all bytes of {@code host} from the device. */
  void download(long address, MemorySegment host);

  /** Copies bytes within the device. */
  void copy(long from, long to, long bytes);

  /** Sets bytes to 0. */
  void zero(long address, long bytes);

  /** Whether {@link #stage} copies while kernels run. */
  default boolean stages() {
    return false;
  }

  /**
   * Starts to copy {@code values} to {@code buffer}, beside the kernels; has read them when it
   * returns.
   */
  default void stage(float[] values, long buffer) {}

  /**
   * Copies what was staged last to {@code address}, if it was this array and nothing else has been
   * asked for since; else does nothing and returns false.
   */
  default boolean takeStaged(float[] values, long address) {
    return false;
  }
}
