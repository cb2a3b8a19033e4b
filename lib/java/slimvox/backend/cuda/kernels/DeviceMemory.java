package slimvox.backend.cuda.kernels;

import slimvox.backend.Device;

/**
 * Memory that kernels see: a card's, or in tests the host's.
 *
 * <p>Copies and fills take their place in the order of the {@link Launcher}'s kernels; {@link
 * #download} waits for all kernels before it.
 */
public interface DeviceMemory extends Device.Memory {
  /** Copies bytes within the device. */
  void copy(long from, long to, long bytes);

  /**
   * Sets numbers of 1, 2 or 4 bytes to one value.
   *
   * @param value whose lowest bytes count
   * @param width bytes of a number; the address is a multiple of it
   */
  void fill(long address, int value, int width, long count);

  /**
   * Sets a number of 4 bytes that nothing but this changes, for the launches from now on. What runs
   * as one graph finds it set before.
   */
  default void number(long address, int value) {
    fill(address, value, 4, 1);
  }
}
