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

  /** Sets words of 32 bits; the address is a multiple of 4. */
  void fill(long address, int word, long words);

  /** Sets bytes. */
  void fillBytes(long address, byte value, long bytes);
}
