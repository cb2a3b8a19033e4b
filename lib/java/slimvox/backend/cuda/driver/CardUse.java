package slimvox.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import slimvox.backend.NativeFunction;
import slimvox.backend.cuda.libraries.CudaLibraries;
import slimvox.backend.cuda.libraries.Library;

/**
 * The driver's own count of a card's memory, through its management library (NVML), which needs no
 * context.
 *
 * <p>Structures: nvml.h, {@code nvmlMemory_v2_t} (version, total, reserved, free, used) and {@code
 * nvmlProcessInfo_t} (pid, used bytes, two instance numbers).
 */
record CardUse(SymbolLookup library, long device) {
  private static final int MEMORY_BYTES = 40;
  private static final int MEMORY_VERSION = MEMORY_BYTES | 2 << 24;
  private static final int PROCESS_BYTES = 24;
  private static final int PROCESSES = 256;
  private static final long UNKNOWN = -1; // in memory's NVML_VALUE_NOT_AVAILABLE too

  /**
   * Opens the library for a card, or returns null if it is not there, refuses, or the card is cut
   * into slices (MIG): its counts are the whole card's.
   */
  static CardUse of(CudaLibraries libraries, String busId) {
    if (busId == null || !libraries.has(Library.MANAGEMENT)) return null;
    try (Arena arena = Arena.ofConfined()) {
      CardUse use = new CardUse(libraries.open(Library.MANAGEMENT), 0);
      MemorySegment handle = arena.allocate(JAVA_LONG);
      boolean found =
          use.succeeds("nvmlInit_v2")
              && use.succeeds(
                  "nvmlDeviceGetHandleByPciBusId_v2",
                  arena.allocateFrom(busId).address(),
                  handle.address());
      if (!found) return null;
      CardUse card = new CardUse(use.library, handle.get(JAVA_LONG, 0));
      return card.isCut() ? null : card;
    } catch (UnsupportedOperationException e) {
      return null;
    }
  }

  private boolean isCut() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mode = arena.allocateFrom(JAVA_INT, 0, 0); // now and after a restart
      return succeeds("nvmlDeviceGetMigMode", device, mode.address(), mode.address() + 4)
          && mode.get(JAVA_INT, 0) == 1;
    }
  }

  private boolean succeeds(String function, long... arguments) {
    try {
      return (int) NativeFunction.find(library, function, arguments.length).call(arguments) == 0;
    } catch (UnsupportedOperationException e) {
      return false; // an old library lacks it
    }
  }

  /** Bytes of the card that all processes use together; -1 if unknown. */
  long card() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(MEMORY_BYTES, 8);
      memory.set(JAVA_INT, 0, MEMORY_VERSION);
      boolean known = succeeds("nvmlDeviceGetMemoryInfo_v2", device, memory.address());
      return known ? memory.get(JAVA_LONG, 32) : UNKNOWN;
    }
  }

  /** Bytes that this process uses; -1 if unknown, as in a container that renumbers processes. */
  long process() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocateFrom(JAVA_INT, PROCESSES);
      MemorySegment processes = arena.allocate((long) PROCESSES * PROCESS_BYTES, 8);
      long own = ProcessHandle.current().pid();
      if (succeeds(
          "nvmlDeviceGetComputeRunningProcesses_v3",
          device,
          count.address(),
          processes.address())) {
        for (long at = 0; at < (long) count.get(JAVA_INT, 0) * PROCESS_BYTES; at += PROCESS_BYTES) {
          if (processes.get(JAVA_INT, at) == own) return processes.get(JAVA_LONG, at + 8);
        }
      }
      return UNKNOWN;
    }
  }
}
