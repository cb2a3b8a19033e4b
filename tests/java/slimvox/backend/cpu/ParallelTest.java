package slimvox.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ParallelTest {
  private static Parallel open(boolean openMp, int threads) {
    return new Parallel(openMp ? NativeLibraries.load().gomp() : null, threads);
  }

  @ParameterizedTest
  @CsvSource({"true, 1", "true, 2", "true, 5", "false, 1", "false, 2", "false, 5"})
  void everyUnitIsVisitedOnce(boolean openMp, int threads) {
    try (Parallel parallel = open(openMp, threads)) {
      assertEquals(
          threads == 1 ? "one thread" : openMp ? "OpenMP" : "Java threads", parallel.kind());
      for (int units : new int[] {0, 1, 2, 3, 7, 1000}) {
        AtomicLongArray visits = new AtomicLongArray(1000);
        AtomicLongArray parts = new AtomicLongArray(threads);
        parallel.run(
            units,
            Parallel.GRAIN,
            (part, from, to) -> {
              parts.incrementAndGet(part);
              for (long u = from; u < to; u++) visits.incrementAndGet((int) u);
            });
        for (int u = 0; u < 1000; u++) assertEquals(u < units ? 1 : 0, visits.get(u));
        for (int p = 0; p < threads; p++) assertEquals(p < units ? 1 : 0, parts.get(p));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void whatAPartThrowsReachesTheCallerAndTheThreadsLiveOn(boolean openMp) {
    try (Parallel parallel = open(openMp, 2)) {
      for (int guilty = 0; guilty < 2; guilty++) {
        int g = guilty;
        RuntimeException thrown = new IllegalStateException("part " + guilty);
        assertSame(
            thrown,
            assertThrows(
                IllegalStateException.class,
                () ->
                    parallel.run(
                        2,
                        Parallel.GRAIN,
                        (part, from, to) -> {
                          if (part == g) throw thrown;
                        })));
        assertThrows(
            StackOverflowError.class,
            () -> parallel.run(2, Parallel.GRAIN, (part, from, to) -> endless(part)));
        long[] sum = new long[2];
        parallel.run(2, Parallel.GRAIN, (part, from, to) -> sum[part] = to);
        assertEquals(3, sum[0] + sum[1]);
      }
    }
  }

  private static int endless(int i) {
    return endless(i + 1) + 1;
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void interruptWaitsForAllPartsAndIsKept(boolean openMp) {
    try (Parallel parallel = open(openMp, 2)) {
      long[] done = new long[2];
      Thread.currentThread().interrupt();
      parallel.run(
          2,
          Parallel.GRAIN,
          (part, from, to) -> {
            for (int i = 0; i < 10_000_000; i++) done[part] += i % 7;
          });
      assertTrue(Thread.interrupted());
      assertTrue(done[0] > 0 && done[0] == done[1]);
    }
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void garbageCollectionDoesNotStopTheThreads(boolean openMp) throws InterruptedException {
    try (Parallel parallel = open(openMp, 2)) {
      Thread caller =
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int i = 0; i < 300; i++) {
                      parallel.run(
                          2,
                          Parallel.GRAIN,
                          (part, from, to) -> {
                            byte[][] rubbish = new byte[100][];
                            for (int k = 0; k < 100; k++) rubbish[k] = new byte[10_000 + part];
                          });
                      if (i % 30 == 0) System.gc();
                    }
                  });
      assertTrue(caller.join(java.time.Duration.ofSeconds(60)), "the threads stand still");
    }
  }
}
