package slimvox.backend.cuda.kernels;

import java.util.Arrays;
import java.util.stream.Stream;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Shape;
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
   *     {@code Float}, and for a struct the {@code MemorySegment} that holds it; arrays, the
   *     lengths of a shape and the four vectors of {@link Channels} one by one
   */
  void launch(String kernel, Grid grid, Object... arguments);

  /** What is passed to the kernel: {@code Long, Integer, Float} or the bytes of a struct each. */
  static Object[] values(Object... arguments) {
    return Stream.of(arguments).flatMap(Launcher::value).toArray();
  }

  private static Stream<?> value(Object argument) {
    return switch (argument) {
      case null -> Stream.of(0L);
      case Tensor t -> Stream.of(t.address());
      case Boolean b -> Stream.of(b ? 1 : 0);
      case Shape s -> Arrays.stream(s.toArray()).boxed();
      case Channels c -> Stream.of(values(c.mean(), c.invStd(), c.gamma(), c.beta()));
      case Object[] several -> Stream.of(values(several));
      default -> Stream.of(argument);
    };
  }
}
