package slimvox.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import slimvox.backend.cuda.libraries.CFunction;
import slimvox.backend.cuda.libraries.CudaLibraries;
import slimvox.backend.cuda.libraries.Library;

/**
 * The driver's own count of a card's memory, through its management library (NVML), which needs no
 * context.
 *
 * <p>Structures: nvml.h, {@code nvmlMemory_v2_t} (version, total, reserved, free, used) and {@code
 * nvmlProcessInfo_t} (pid, used bytes, two instance numbers).
 */
final class CardUse {
  private static final int MEMORY_BYTES = 40;
  private static final int MEMORY_VERSION = MEMORY_BYTES | 2 << 24;
  private static final int PROCESS_BYTES = 24;
  private static final int PROCESSES = 256;
  private static final long UNKNOWN = -1; // in memory's NVML_VALUE_NOT_AVAILABLE too

  private final SymbolLookup library;
  private final long device;

  private CardUse(SymbolLookup library, long device) {
    this.library = library;
    this.device = device;
  }

  /** Opens the library for a card, or returns null if it is not there or refuses. */
  static CardUse of(CudaLibraries libraries, String busId) {
    if (busId == null || !libraries.has(Library.MANAGEMENT)) return null;
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup library = libraries.open(Library.MANAGEMENT);
      MemorySegment handle = arena.allocate(JAVA_LONG);
      if (CFunction.find(library, "nvmlInit_v2", "").call() != 0) return null;
      int status =
          CFunction.find(library, "nvmlDeviceGetHandleByPciBusId_v2", "pp")
              .call(arena.allocateFrom(busId).address(), handle.address());
      return status == 0 ? new CardUse(library, handle.get(JAVA_LONG, 0)) : null;
    } catch (UnsupportedOperationException e) {
      return null;
    }
  }

  /** Bytes of the card that all processes use together; -1 if unknown. */
  long card() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(MEMORY_BYTES, 8);
      memory.set(JAVA_INT, 0, MEMORY_VERSION);
      int status =
          CFunction.find(library, "nvmlDeviceGetMemoryInfo_v2", "pp")
              .call(device, memory.address());
      return status == 0 ? memory.get(JAVA_LONG, 32) : UNKNOWN;
    } catch (UnsupportedOperationException e) {
      return UNKNOWN;
    }
  }

  /** Bytes that this process uses; -1 if unknown, as in a container that renumbers processes. */
  long process() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_INT);
      count.set(JAVA_INT, 0, PROCESSES);
      MemorySegment processes = arena.allocate((long) PROCESSES * PROCESS_BYTES, 8);
      int status =
          CFunction.find(library, "nvmlDeviceGetComputeRunningProcesses_v3", "ppp")
              .call(device, count.address(), processes.address());
      if (status != 0) return UNKNOWN;
      long own = ProcessHandle.current().pid();
      for (int i = 0; i < count.get(JAVA_INT, 0); i++) {
        long at = (long) i * PROCESS_BYTES;
        if (processes.get(JAVA_INT, at) == own) return processes.get(JAVA_LONG, at + 8);
      }
      return UNKNOWN;
    } catch (UnsupportedOperationException e) {
      return UNKNOWN;
    }
  }
}
