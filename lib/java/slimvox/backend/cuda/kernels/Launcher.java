package slimvox.backend.cuda.kernels;

import slimvox.backend.cuda.driver.KernelSource;

/**
 * Starts kernels by name: on a card through the driver, in tests on the host's processor.
 *
 * <p>Kernels run in the order of their launches, one after the other; a launch does not wait for
 * its kernel. Which source a kernel is in says {@link KernelSource#of(String)}.
 */
public interface Launcher {
  /**
   * Starts a kernel.
   *
   * @param kernel name of an {@code extern "C" __global__} function of lib/cuda
   * @param grid blocks and threads of each
   * @param sharedBytes dynamic shared memory of each block
   * @param arguments in the kernel's order: {@code Long} for pointers and {@code long long}, {@code
   *     Integer}, {@code Float}
   */
  void launch(String kernel, Grid grid, int sharedBytes, Object... arguments);
}
