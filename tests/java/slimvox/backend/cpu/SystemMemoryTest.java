package slimvox.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static slimvox.backend.DataType.FLOAT32;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.OutOfDeviceMemoryException;
import slimvox.backend.Tensor;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;

class SystemMemoryTest {
  private static final long KIB = 1024;

  @TempDir private Path root;

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }

  private void machine(long availableKib, long swapKib) throws IOException {
    write(
        "proc/meminfo",
        "MemTotal: 24000000 kB\nMemFree: 100 kB\nMemAvailable: %d kB\nSwapFree: %d kB\n"
            .formatted(availableKib, swapKib));
  }

  private long available() {
    return new SystemMemory(root).available();
  }

  @Test
  void whatIsFreeCountsNotWhatTheMachineHas() throws Exception {
    machine(4_000_000, 0);
    assertEquals(4_000_000 * KIB, available());
    machine(4_000_000, 1000);
    assertEquals(4_001_000 * KIB, available());
  }

  @Test
  void aControlGroupsLimitHoldsAndFilesInItsMemoryAreFree() throws Exception {
    machine(4_000_000, 1000);
    write("proc/self/cgroup", "0::/user.slice/run\n");
    String group = "sys/fs/cgroup/user.slice/run/";
    write(group + "memory.max", "max\n");
    assertEquals(4_001_000 * KIB, available());
    write(group + "memory.max", "1000000\n");
    write(group + "memory.current", "900000\n");
    write(group + "memory.swap.max", "0\n");
    write(group + "memory.swap.current", "0\n");
    write(group + "memory.stat", "anon 5\ninactive_file 300000\nactive_file 100000\n");
    assertEquals(500_000, available());
    write(group + "memory.swap.max", "70000\n");
    assertEquals(570_000, available());
    write("sys/fs/cgroup/user.slice/memory.max", "1000\n"); // of the group around it
    write("sys/fs/cgroup/user.slice/memory.current", "2000\n");
    write("sys/fs/cgroup/user.slice/memory.swap.max", "0\n");
    write("sys/fs/cgroup/user.slice/memory.swap.current", "0\n");
    assertEquals(0, available());
  }

  @Test
  void theFirstVersionOfControlGroupsAsWell() throws Exception {
    machine(4_000_000, 0);
    write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assertEquals(4_000_000 * KIB, available());
    // A container sees its own group at the top, whatever the path says.
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n");
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", "900000\n");
    write("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 50\ntotal_active_file 7\n");
    assertEquals(100_057, available());
  }

  @Test
  void withoutThoseFilesAllOfTheMachineIsFree() {
    assertTrue(available() > 1 << 28);
  }

  @Test
  void theLimitOfTheAddressSpaceIsRead() throws Exception {
    assertEquals(Long.MAX_VALUE, new SystemMemory(root).addressSpace());
    write("proc/self/limits", "Max address space         4096000              unlimited   bytes\n");
    assertEquals(4_096_000, new SystemMemory(root).addressSpace());
    write("proc/self/limits", "Max address space         unlimited            unlimited   bytes\n");
    assertEquals(Long.MAX_VALUE, new SystemMemory(root).addressSpace());
  }

  @Test
  void aBlockThatIsNotFreeIsRefusedWithTheLedger() {
    assumeTrue(Files.isReadable(Path.of("/proc/meminfo")), "only Linux says what is free");
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Tensor _ = cpu.allocate(Category.PARAMETER, "weight", 1 << 18)) {
      var e =
          assertThrows(OutOfDeviceMemoryException.class, () -> cpu.reserve(900_000_000_000_000L));
      assertTrue(
          e.getMessage()
              .matches(
                  "out of memory: 838190.3 GiB are needed outside the Java heap, this machine has"
                      + " [0-9.]+ GiB left; the ledger holds parameter 1.0 MiB, the block of the"
                      + " planned step takes .* MiB; use a smaller batch or fewer frames, or a"
                      + " reversible model; what was saved can be resumed"),
          e.getMessage());
    }
  }

  @Test
  void anOperationThatGetsNoMemorySaysWhatTheLedgerHolds() {
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Tensor _ = cpu.allocate(Category.PARAMETER, "weight", 1 << 18)) {
      var e =
          assertThrows(
              OutOfDeviceMemoryException.class,
              () ->
                  cpu.step(
                      ArenaPlan.of(List.of()),
                      () -> {
                        throw SystemMemory.outOfMemory("dnnl_primitive_create got none");
                      }));
      assertTrue(e.getMessage().startsWith("out of memory: dnnl_primitive_create got none"));
      assertTrue(e.getMessage().contains("; the ledger holds parameter 1.0 MiB"), e.getMessage());
    }
  }

  @Test
  void tooLittleAddressSpaceForGeneratedCodeIsSaidAndEndsNoProcess() throws Exception {
    assumeTrue(Files.isReadable(Path.of("/proc/self/limits")), "only Linux says its limits");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx64m",
                "-cp",
                System.getProperty("java.class.path"),
                Convolutions.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    assertTrue(
        output.contains("out of memory: oneDNN needs memory for its code, and ulimit -v allows "),
        output);
  }

  /** Convolutions of ever new shapes in an address space of 40 MiB more than the first takes. */
  static final class Convolutions {
    private static final int RLIMIT_AS = 9;

    public static void main(String[] arguments) throws Throwable {
      try (Backend cpu = new Backend(CpuDevice.open(2))) {
        for (int i = 1; i < 1000; i++) {
          Convolution g = new Convolution(2, 8 + i, 20, 16, 16 + i, 3, 3, 1, 1, 1, 1, 1, FLOAT32);
          try (Tensor x = cpu.allocate(Category.ACTIVATION, "x", g.inShape().toArray());
              Tensor w = cpu.allocate(Category.PARAMETER, "w", g.weightShape().toArray());
              Tensor y = cpu.allocate(Category.ACTIVATION, "y", g.outShape().toArray())) {
            cpu.ops().convolutions.forward(g, x, w, y);
          }
          if (i == 1) limit();
        }
        System.out.println("done");
      } catch (OutOfDeviceMemoryException e) {
        System.out.println(e.getMessage());
      }
    }

    @SuppressWarnings("restricted")
    private static void limit() throws Throwable {
      long used = 0;
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmSize:")) used = KIB * Long.parseLong(line.split("\\s+")[1]);
      }
      Linker linker = Linker.nativeLinker();
      var setrlimit =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("setrlimit"),
              FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
      long most = used + (40L << 20);
      try (Arena arena = Arena.ofConfined()) {
        int status =
            (int) setrlimit.invokeExact(RLIMIT_AS, arena.allocateFrom(JAVA_LONG, most, most));
        if (status != 0) throw new AssertionError("setrlimit gave " + status);
      }
    }
  }
}
