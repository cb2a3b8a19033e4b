package slimvox.backend.cuda.kernels;

import slimvox.backend.Tensor;
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
   * @param arguments in the kernel's order: tensors, or null, for pointers, {@code Long} for other
   *     addresses and {@code long long}, {@code Integer}, {@code Boolean} for an int of 0 or 1,
   *     {@code Float}, and for a struct the {@code MemorySegment} that holds it
   */
  void launch(String kernel, Grid grid, Object... arguments);

  /**
   * What is passed to the kernel for an argument: a {@code Long}, {@code Integer}, {@code Float} or
   * the bytes of a struct.
   */
  static Object value(Object argument) {
    return switch (argument) {
      case null -> 0L;
      case Tensor t -> t.address();
      case Boolean b -> b ? 1 : 0;
      default -> argument;
    };
  }
}
