package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.kernels.Grid;

/** The host finds the faults that a card would not tell of. */
class HostKernelsTest {
  private static final Grid ONE_BLOCK = Grid.of(1, 64);

  @BeforeAll
  static void load() {
    HostKernels.load();
  }

  /** What the two orders of threads make of 64 ones. */
  private static List<Float> sums(String kernel) {
    List<Float> sums = new ArrayList<>();
    for (boolean backwards : new boolean[] {false, true}) {
      HostDevice host = new HostDevice(backwards);
      long x = host.allocate(4 * 64);
      long sum = host.allocate(4);
      float[] ones = new float[64];
      Arrays.fill(ones, 1);
      host.upload(MemorySegment.ofArray(ones), x);
      host.launch(kernel, ONE_BLOCK, x, sum);
      float[] result = new float[1];
      host.download(sum, MemorySegment.ofArray(result));
      sums.add(result[0]);
      host.free(x);
      host.free(sum);
    }
    return sums;
  }

  @Test
  void aMissingBarrierMakesTheResultDependOnTheOrderOfThreads() {
    assertEquals(List.of(64f, 64f), sums("barrier_there"));
    assertEquals(List.of(Float.NaN, 64f), sums("barrier_missing"));
  }

  @Test
  void aBarrierThatSomeThreadsNeverMeetIsFound() {
    HostDevice host = new HostDevice(false);
    long x = host.allocate(4 * 64);
    var e = assertThrows(AssertionError.class, () -> host.launch("barrier_for_some", ONE_BLOCK, x));
    assertEquals("barrier_for_some: block 0, 0, 0: not all threads meet a barrier", e.getMessage());
    host.free(x);
    assertEquals(List.of(64f, 64f), sums("barrier_there")); // and the next launch works
  }

  @Test
  void whoWritesBesideABufferIsFound() {
    HostDevice host = new HostDevice(false);
    long x = host.allocate(4 * 64);
    host.launch("too_far", ONE_BLOCK, x);
    var e = assertThrows(AssertionError.class, () -> host.free(x));
    assertEquals("somebody wrote beside a buffer of 256 bytes", e.getMessage());
  }

  @Test
  void vectorsThatNoCardCanReadAreFound() {
    HostDevice host = new HostDevice(false);
    long x = host.allocate(4 * 64);
    var e = assertThrows(AssertionError.class, () -> host.launch("misaligned", ONE_BLOCK, x));
    assertEquals("misaligned: address 0x%x is not aligned".formatted(x + 4), e.getMessage());
    host.free(x);
  }

  @Test
  void argumentsThatDoNotFitAreRefused() {
    HostDevice host = new HostDevice(false);
    var e = assertThrows(AssertionError.class, () -> host.launch("relu", ONE_BLOCK, 0L, 0L, 64));
    assertEquals("relu: argument 2 of types lli does not fit", e.getMessage());
    e = assertThrows(AssertionError.class, () -> host.launch("nothing", ONE_BLOCK));
    assertEquals("nothing: there is no such kernel", e.getMessage());
  }

  @Test
  void everyFileOfKernelsIsListedAndHasSome() throws Exception {
    try (var files = Files.list(Path.of("lib/cuda"))) {
      List<String> present =
          files.map(Path::toString).filter(f -> f.endsWith(".cu")).sorted().toList();
      List<String> listed = KernelSource.all().stream().map(KernelSource::path).sorted().toList();
      assertEquals(present, listed);
    }
    for (KernelSource source : KernelSource.all()) {
      assertTrue(!source.kernels().isEmpty(), source.path());
      for (String kernel : source.kernels()) assertEquals(source, KernelSource.of(kernel));
    }
    var e = assertThrows(IllegalArgumentException.class, () -> KernelSource.of("nothing"));
    assertEquals("no kernel 'nothing'", e.getMessage());
  }

  @Test
  void gridsThatNoCardCanLaunchAreRefused() {
    var e = assertThrows(IllegalArgumentException.class, () -> new Grid(1, 65536, 1, 32, 1, 1));
    assertEquals("a grid of 1 x 65536 x 1 blocks cannot be launched", e.getMessage());
    e = assertThrows(IllegalArgumentException.class, () -> new Grid(1, 1, 1, 32, 33, 1));
    assertEquals("a block of 32 x 33 x 1 threads cannot be launched", e.getMessage());
  }
}
