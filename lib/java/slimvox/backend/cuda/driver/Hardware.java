package slimvox.backend.cuda.driver;

import java.util.List;
import java.util.Map;
import slimvox.backend.KernelTime;
import slimvox.backend.cuda.CudaDevice;

/**
 * What a {@link CudaDevice} runs on, beside memory and launches: {@link OpenCard}, or nothing to
 * speak of.
 */
public interface Hardware extends AutoCloseable {
  /** See {@link slimvox.backend.Device#driverMemory}. */
  default Map<String, Long> driverMemory() {
    return Map.of();
  }

  /** See {@link slimvox.backend.Device#timeKernels}. */
  default void timeKernels() {}

  /** See {@link slimvox.backend.Device#kernelTimes}. */
  default List<KernelTime> kernelTimes() {
    return List.of();
  }

  /** Gives back blocks, modules, handles and streams. */
  @Override
  default void close() {}
}
