package slimvox.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs loops on several threads: on oneDNN's own.
 *
 * <p>oneDNN brings OpenMP, whose threads spin for a while after each parallel region. A second pool
 * would fight them for the cores, so the loops here are parallel regions of the same OpenMP library
 * ({@code GOMP_parallel}, the entry point of GCC's and Clang's OpenMP) whose body is Java. The
 * threads are attached to the JVM at their first region and stay so; between regions they count as
 * running native code, so garbage collection does not wait for them. Where the entry point is
 * missing, a pool of Java threads serves.
 *
 * <p>Work is cut into equal parts whose number depends on its size and the number of threads only:
 * the same call gives the same bits every time. Bodies must not start a region themselves.
 */
public final class Parallel implements AutoCloseable {
  /** The work of one part of a loop. */
  @FunctionalInterface
  public interface Body {
    /**
     * Works on units {@code from} to {@code to}, exclusive.
     *
     * @param part number of this part, from 0
     */
    void run(int part, long from, long to);
  }

  /**
   * Elements of a part. Fewer, some 20 microseconds of work, are not worth another thread: to start
   * it takes as long where it has gone to sleep or where something else runs on its core.
   */
  static final int GRAIN = 65_536;

  int grain = GRAIN; // less in tests: small shapes are cut, too

  private final int threads;
  private final Arena arena; // of the upcall; null with Java threads
  private final MethodHandle parallelRegion;
  private final MethodHandle threadNumber;
  private final MethodHandle teamSize;
  private final MemorySegment region;
  private final ExecutorService pool; // null with OpenMP

  // The region that is running.
  private Body body;
  private long units;
  private int parts;
  private volatile Throwable failure;

  /**
   * Threads of an OpenMP library.
   *
   * @param openMp the loaded library, or null if there is none
   * @param threads how many threads share the work, the caller among them
   */
  @SuppressWarnings("restricted")
  public Parallel(SymbolLookup openMp, int threads) {
    this.threads = threads;
    if (threads == 1 || openMp == null || openMp.find("GOMP_parallel").isEmpty()) {
      arena = null;
      parallelRegion = null;
      threadNumber = null;
      teamSize = null;
      region = null;
      pool =
          threads == 1
              ? null
              : Executors.newFixedThreadPool(
                  threads - 1, Thread.ofPlatform().daemon().name("slimvox-cpu-", 1).factory());
      return;
    }
    pool = null;
    Linker linker = Linker.nativeLinker();
    parallelRegion =
        linker.downcallHandle(
            openMp.findOrThrow("GOMP_parallel"),
            FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
    FunctionDescriptor number = FunctionDescriptor.of(JAVA_INT);
    Linker.Option quick = Linker.Option.critical(false);
    threadNumber = linker.downcallHandle(openMp.findOrThrow("omp_get_thread_num"), number, quick);
    teamSize = linker.downcallHandle(openMp.findOrThrow("omp_get_num_threads"), number, quick);
    arena = Arena.ofShared();
    try {
      MethodHandle share =
          MethodHandles.lookup()
              .findVirtual(
                  Parallel.class, "share", MethodType.methodType(void.class, MemorySegment.class))
              .bindTo(this);
      region = linker.upcallStub(share, FunctionDescriptor.ofVoid(ADDRESS), arena);
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  /** How many threads share the work. */
  public int threads() {
    return threads;
  }

  /** What runs the loops, for a description. */
  String kind() {
    return threads == 1 ? "one thread" : pool == null ? "OpenMP" : "Java threads";
  }

  /** How many parts {@link #run} makes of so many units. */
  public int parts(long units, long elementsPerUnit) {
    double worth = (double) units * elementsPerUnit / grain;
    return (int) Math.max(1, Math.min(Math.min(threads, units), worth));
  }

  /**
   * Runs {@code body} on {@code units} units of work, cut into {@link #parts} parts; small work
   * runs on the calling thread. What a part throws is thrown here, after all parts have ended.
   *
   * @param elementsPerUnit how much work one unit is, in elements read
   */
  public synchronized void run(long units, long elementsPerUnit, Body body) {
    if (units == 0) return;
    int parts = parts(units, elementsPerUnit);
    if (parts == 1) {
      body.run(0, 0, units);
      return;
    }
    this.body = body;
    this.units = units;
    this.parts = parts;
    failure = null;
    try {
      if (pool == null) {
        parallelRegion.invokeExact(region, MemorySegment.NULL, parts, 0);
      } else {
        runInPool();
      }
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e); // neither handle declares a checked exception
    } finally {
      this.body = null;
    }
    Throwable thrown = failure;
    if (thrown instanceof RuntimeException e) throw e;
    if (thrown instanceof Error e) throw e;
  }

  private void runInPool() {
    List<Future<?>> others = new ArrayList<>();
    for (int part = 1; part < parts; part++) {
      int p = part;
      others.add(pool.submit(() -> part(p)));
    }
    part(0);
    // An interrupt must not leave parts running in buffers that the caller then frees.
    boolean interrupted = false;
    for (Future<?> other : others) {
      while (true) {
        try {
          other.get();
          break;
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (ExecutionException e) {
          throw new AssertionError(e); // part() catches everything
        }
      }
    }
    if (interrupted) Thread.currentThread().interrupt();
  }

  /** What each OpenMP thread calls; an exception must not leave it. */
  @SuppressWarnings("unused") // called through a method handle
  private void share(MemorySegment unusedData) {
    try {
      int first = (int) threadNumber.invokeExact();
      int step = (int) teamSize.invokeExact(); // may be fewer than asked for
      for (int part = first; part < parts; part += step) part(part);
    } catch (Throwable e) {
      failure = e;
    }
  }

  private void part(int part) {
    try {
      body.run(part, units * part / parts, units * (part + 1) / parts);
    } catch (Throwable e) {
      failure = e;
    }
  }

  @Override
  public void close() {
    if (pool != null) pool.shutdown();
    if (arena != null) arena.close();
  }
}
