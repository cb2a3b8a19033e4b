package slimvox.backend.cpu.kernels;

import static slimvox.backend.cpu.Lanes.ALL;
import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.get;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.set;
import static slimvox.backend.cpu.Lanes.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Elements;
import slimvox.backend.cpu.Parallel;

/**
 * How a matrix with C columns is cut so that loops over it run in whole vectors whatever C is.
 *
 * <p>The matrix is one run of elements whose column repeats every C. A <em>cycle</em> is a stretch
 * of whole rows, about {@value #TARGET} elements, that is also a whole number of vectors: C = 12
 * and 16 lanes give a step of 48, repeated 22 times. What each column needs (a mean, a scale) is
 * repeated along a table as long as a cycle, which stays in the first-level cache, and a kernel
 * walks the cycle and the table side by side. From 16 vectors a row on, a cycle of any length is
 * taken, and its last vector reaches beyond it, see {@link Elements}.
 *
 * <p>Sums are kept along such a table too: each of its places adds up one row of every cycle, and
 * {@link #fold} adds the places of each column.
 */
record RowCycle(int channels, int length, long elements) {
  private static final int TARGET = 1024;

  /** Cycles summed in float32 before they go into float64, or walked forwards within a block. */
  static final int BLOCK = 64;

  /** The cycle of a matrix with so many columns and elements. */
  static RowCycle of(int channels, long elements) {
    int step = channels;
    if (channels % LANES != 0 && channels < 16 * LANES) {
      step = channels * (LANES / greatestCommonDivisor(channels, LANES));
    }
    long steps = Math.min(Math.max(1, TARGET / step), (elements + step - 1) / step);
    return new RowCycle(channels, (int) (step * steps), elements);
  }

  private static int greatestCommonDivisor(int a, int b) {
    return b == 0 ? a : greatestCommonDivisor(b, a % b);
  }

  /** Number of cycles; the last one may be shorter. */
  long cycles() {
    return (elements + length - 1) / length;
  }

  /** Elements of one cycle. */
  int count(long cycle) {
    return (int) Math.min(length, elements - cycle * length);
  }

  /** Rows of the whole matrix. */
  long rows() {
    return elements / channels;
  }

  /**
   * A table as long as a cycle, all zeros, outside the Java heap: there it starts on a cache line,
   * and no vector of it lies across two. Sums kept so are 1.5 times as fast as in an array; what is
   * only read is faster from an array, whose bounds check the compiler takes out of the loop.
   */
  long table(Arena arena) {
    return Elements.table(arena, length);
  }

  /** A table on the Java heap, with room for the last vector. */
  float[] array() {
    return new float[(length + LANES - 1) / LANES * LANES];
  }

  /** Repeats the first C values of a table on the Java heap along it. */
  float[] repeat(float[] table) {
    for (int done = channels; done < length; done *= 2) {
      System.arraycopy(table, 0, table, done, Math.min(done, length - done));
    }
    return table;
  }

  /** A table of the values of the columns, read from memory. */
  long repeat(long values, Arena arena) {
    long table = table(arena);
    MemorySegment.copy(ALL, values, ALL, table, 4L * channels);
    return repeat(table);
  }

  /** Repeats the first C values of a table along it. */
  long repeat(long table) {
    long bytes = 4L * length;
    for (long done = 4L * channels; done < bytes; done *= 2) {
      MemorySegment.copy(ALL, table, ALL, table + done, Math.min(done, bytes - done));
    }
    return table;
  }

  /** Sets a table to zeros. */
  void clear(long table) {
    ALL.asSlice(table, 4L * length).fill((byte) 0);
  }

  /** Adds a table of sums to the totals of the columns; the table is spoilt. */
  void fold(long sums, double[] totals) {
    // While it is even, the table is folded in the middle: whole vectors, and pairwise sums.
    int copies = length / channels;
    while (copies % 2 == 0) {
      copies /= 2;
      addLoop(sums + 4L * copies * channels, sums, copies * channels);
    }
    for (int copy = 0; copy < copies; copy++) {
      for (int c = 0; c < channels; c++) totals[c] += get(sums, (long) copy * channels + c);
    }
  }

  /** Work on a cycle's {@code count} elements, with tables for what is read and written. */
  interface Kernel {
    void run(long at, int count, long[] tables);
  }

  /** Works on all cycles: each part from its end, block by block. */
  void backwards(Parallel parallel, Kernel kernel) {
    parallel.run(
        cycles(),
        length,
        (part, from, to) -> {
          try (Arena arena = Arena.ofConfined()) {
            long[] tables = {table(arena), table(arena), table(arena)};
            for (long end = to; end > from; end -= BLOCK) {
              for (long c = Math.max(from, end - BLOCK); c < end; c++) {
                kernel.run(c * length, count(c), tables);
              }
            }
          }
        });
  }

  /** Work on a cycle that adds to a table of sums. */
  interface Sums {
    void run(long at, int count, long[] tables, long sums);
  }

  /** b = (b +) the sums of the columns. */
  void sum(Parallel parallel, Tensor b, boolean accumulate, Sums kernel) {
    double[][] totals = new double[parallel.threads()][];
    parallel.run(
        cycles(),
        length,
        (part, from, to) -> {
          totals[part] = new double[channels];
          try (Arena arena = Arena.ofConfined()) {
            long[] tables = {table(arena), table(arena), table(arena)};
            long sums = table(arena);
            for (long block = from; block < to; block += BLOCK) {
              clear(sums);
              for (long c = block; c < Math.min(to, block + BLOCK); c++) {
                kernel.run(c * length, count(c), tables, sums);
              }
              fold(sums, totals[part]);
            }
          }
        });
    for (int c = 0; c < channels; c++) {
      double total = accumulate ? get(b.address(), c) : 0;
      for (double[] part : totals) if (part != null) total += part[c];
      set(b.address(), c, (float) total);
    }
  }

  /** y += x, whole vectors: what lies behind the {@code count} is of no use to anybody. */
  static void addLoop(long x, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      store(y + 4L * i, load(y + 4L * i).add(load(x + 4L * i)));
    }
  }
}
