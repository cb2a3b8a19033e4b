package slimvox.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.OutOfDeviceMemoryException;
import slimvox.memory.ArenaPlan;
import slimvox.storage.InputException;

class CpuDeviceTest {
  @Test
  void descriptionNamesLibraryThreadsAndVectors() {
    try (CpuDevice device = CpuDevice.open(2)) {
      String d = device.description();
      assertTrue(
          d.matches("oneDNN \\d+\\.\\d+\\.\\d+, 2 threads \\(.*\\), vectors of \\d+ bits"), d);
    }
  }

  @Test
  void negativeThreadsAreRefused() {
    InputException e = assertThrows(InputException.class, () -> CpuDevice.open(-1));
    assertEquals("threads: -1 is negative; 0 means one per core", e.getMessage());
  }

  @Test
  void missingVectorModuleIsNamed() throws Exception {
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    Process process =
        new ProcessBuilder(
                java.toString(),
                "-cp",
                System.getProperty("java.class.path"),
                WithoutVectorModule.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes()).strip();
    assertEquals(0, process.waitFor(), output);
    assertEquals(
        "the CPU backend needs the Vector API: start Java with"
            + " --add-modules=jdk.incubator.vector",
        output);
  }

  /** Run by {@link #missingVectorModuleIsNamed} in a JVM without the module. */
  static final class WithoutVectorModule {
    public static void main(String[] args) {
      try {
        CpuDevice.open(1);
      } catch (InputException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  @Test
  void blocksAreAlignedZeroAndTheirOwnersCanReturnThemOnce() {
    try (CpuDevice device = CpuDevice.open(2)) {
      for (long bytes : List.of(1L, 64L, 1000L, (4L << 20) + 4, 9L << 20)) {
        long address = device.memory().allocate(bytes);
        assertEquals(0, address % ArenaPlan.ALIGNMENT);
        assertEquals(-1, Lanes.ALL.asSlice(address, bytes).mismatch(zeros(bytes)));
        device.memory().free(address);
        assertThrows(IllegalArgumentException.class, () -> device.memory().free(address));
      }
    }
  }

  private static java.lang.foreign.MemorySegment zeros(long bytes) {
    return java.lang.foreign.MemorySegment.ofArray(new byte[(int) bytes]);
  }

  @Test
  void impossibleBlockSaysHowMuchWasAsked() {
    try (CpuDevice device = CpuDevice.open(1)) {
      OutOfDeviceMemoryException e =
          assertThrows(OutOfDeviceMemoryException.class, () -> device.memory().allocate(1L << 60));
      // Never asked of the system, which promises more than it has.
      assertTrue(
          e.getMessage()
              .startsWith(
                  "out of memory: 1073741824.0 GiB are needed outside the Java heap, this machine"),
          e.getMessage());
    }
  }

  @Test
  void blocksDoNotCountAgainstTheJavaHeap() throws Exception {
    // More than the -Xmx of the tests, so that a Java arena would refuse it; not where RAM is
    // short.
    long heap = Runtime.getRuntime().maxMemory();
    long free = availableBytes();
    org.junit.jupiter.api.Assumptions.assumeTrue(
        free > 2 * heap, "needs " + 2 * heap + " bytes of free memory, there are " + free);
    try (CpuDevice device = CpuDevice.open(2)) {
      device.memory().free(device.memory().allocate(heap + (64 << 20)));
    }
  }

  private static long availableBytes() throws Exception {
    Path info = Path.of("/proc/meminfo");
    if (!Files.exists(info)) return 0;
    for (String line : Files.readAllLines(info)) {
      if (line.startsWith("MemAvailable:")) {
        return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    return 0;
  }
}
