package slimvox.backend.cpu;

import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.store;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.backend.Tensor.Grid;

/**
 * The elements of a tensor as kernels see them: float32, whatever they are in memory.
 *
 * <p>A kernel is written once, for floats at addresses. Where the tensor is float32 these are its
 * own; otherwise a strip of it, short enough to stay in the first-level cache, is widened into a
 * table, or what the kernel wrote there is rounded into memory. Memory is passed over as often as
 * in float32, with fewer bytes. A strip that is no whole number of vectors goes through its table
 * too, with zeros at the end: so a kernel is one loop over whole vectors.
 *
 * @param step what elements of a fixed type are multiples of; else 1
 */
public record Elements(long address, DataType type, float step) {
  /** The most elements of a strip: three tables of them fit the first-level cache. */
  public static final int STRIP = 2048;

  /** Floats of one call of a kernel that needs no tables, so that its loop counts in ints. */
  private static final int RUN = 1 << 22;

  /** From 2^23 on a float is a whole number; below, adding and subtracting 2^23 makes it one. */
  private static final float WHOLE = 1 << 23;

  /** The elements of {@code x}; of null, nothing at address 0. */
  public static Elements of(Tensor x) {
    if (x == null) return new Elements(0, DataType.FLOAT32, 1);
    Grid grid = x.grid();
    return new Elements(x.address(), x.type(), grid == null ? 1 : grid.step());
  }

  /** Whether there are any. */
  public boolean exist() {
    return address != 0;
  }

  /** Whether they are float32 in memory. */
  public boolean areFloats() {
    return type == DataType.FLOAT32;
  }

  /** The same from element {@code first} on. */
  public Elements from(long first) {
    return new Elements(address + first * type.bytes(), type, step);
  }

  /** A table for strips of this length, all zeros. */
  public static long table(Arena arena, int length) {
    // One line more, for the last vector, and so that the same place of two tables differs in its
    // low address bits.
    return arena.allocate(4L * length + 64, 64).address();
  }

  /** Whether kernels work on a strip where it is; so they do on one that does not exist. */
  private boolean isPlain(int count) {
    return areFloats() && (count % LANES == 0 || !exist());
  }

  /** Where a strip is to be written before {@link #write}. */
  public long place(long from, int count, long table) {
    return isPlain(count) ? address + 4 * from : table;
  }

  /** Where {@code count} elements from {@code from} on are floats; the table may be filled. */
  public long read(long from, int count, long table) {
    if (isPlain(count)) return address + 4 * from;
    for (int i = count; i % LANES != 0; i++) Lanes.set(table, i, 0);
    long x = address + from * type.bytes();
    switch (type) {
      case FLOAT32 -> Lanes.copy(x, table, count);
      case BFLOAT16 -> widenLoop(x, table, count);
      case FIXED16 -> readShortsLoop(x, step, table, count);
      case FIXED8 -> readBytesLoop(x, step, table, count);
      default -> throw new IllegalArgumentException(type + " are no real numbers");
    }
    return table;
  }

  /**
   * Brings what a kernel wrote at {@link #place} into memory; the table is then of no more use.
   *
   * @return the largest magnitude written, of a fixed type; else 0
   */
  public float write(long from, int count, long table) {
    if (isPlain(count)) return 0;
    long y = address + from * type.bytes();
    switch (type) {
      case FLOAT32 -> Lanes.copy(table, y, count);
      case BFLOAT16 -> narrowLoop(table, y, count);
      case FIXED16, FIXED8 -> {
        float largest = stepsLoop(table, 1 / step, type.largest(), count);
        if (type == DataType.FIXED16) writeShortsLoop(table, y, count);
        else writeBytesLoop(table, y, count);
        return largest * step;
      }
      default -> throw new IllegalArgumentException(type + " are no real numbers");
    }
    return 0;
  }

  /**
   * Copies {@code count} elements from {@code from} on to others, rounded where they are of a
   * narrower type.
   *
   * @param table of {@code to}
   * @return as {@link #write}
   */
  public float copy(long from, int count, Elements to, long table) {
    long place = to.place(from, count, table);
    long floats = read(from, count, place);
    if (floats != place && to.type != DataType.BFLOAT16) {
      Lanes.copy(floats, place, count);
      floats = place;
    }
    return to.write(from, count, floats);
  }

  /** All of {@code size} elements, on several threads; returns as {@link #write}. */
  public float copy(Parallel parallel, long size, Elements to) {
    return strips(
        parallel, size, (from, count, tables) -> copy(from, count, to, tables[1]), this, to);
  }

  /**
   * Adds as many floats to {@code size} elements, rounded to whole steps before they are added to
   * elements of a fixed type; returns as {@link #write}.
   */
  public float add(Parallel parallel, long size, long floats) {
    float whole = type.isFixed() ? step : 0;
    return strips(
        parallel,
        size,
        (from, count, tables) -> {
          long place = place(from, count, tables[0]);
          addLoop(floats + 4 * from, whole, read(from, count, place), place, count);
          return write(from, count, place);
        },
        this);
  }

  /** Work on a strip, with a table for each of the tensors; it may give a largest magnitude. */
  public interface Strip {
    /** Works on {@code count} elements from {@code from} on. */
    float run(long from, int count, long[] tables);
  }

  /** Works on tensors of {@code size} elements strip by strip; returns the largest magnitude. */
  public static float strips(Parallel parallel, long size, Strip work, Elements... tensors) {
    return strips(parallel, size, 1, work, tensors);
  }

  /** The same for work of so many elements each, see {@link Parallel#run}. */
  public static float strips(
      Parallel parallel, long size, int workEach, Strip work, Elements... tensors) {
    boolean floats = Arrays.stream(tensors).allMatch(Elements::areFloats);
    int strip = floats ? RUN : STRIP;
    float[] largest = new float[parallel.threads()];
    parallel.run(
        size,
        workEach,
        (part, from, to) -> {
          try (Arena arena = Arena.ofConfined()) {
            long[] tables = new long[tensors.length];
            Arrays.setAll(tables, t -> table(arena, floats ? LANES : STRIP));
            int count;
            for (long at = from; at < to; at += count) {
              count = (int) Math.min(strip, to - at);
              if (floats && count > LANES) count -= count % LANES; // what is left is another strip
              largest[part] = Math.max(largest[part], work.run(at, count, tables));
            }
          }
        });
    float all = 0;
    for (float part : largest) all = Math.max(all, part);
    return all;
  }

  /** y = x + before, x rounded to multiples of {@code whole} unless that is 0. */
  private static void addLoop(long x, float whole, long before, long y, int count) {
    for (int i = 0; i < count; i += LANES) {
      VectorMask<Float> m = Lanes.tail(i, count);
      FloatVector v = load(x + 4L * i, m);
      if (whole != 0) v = rounded(v.mul(1 / whole)).mul(whole);
      store(y + 4L * i, v.add(load(before + 4L * i, m)), m);
    }
  }

  /** Element {@code i}. */
  public float get(long i) {
    return switch (type) {
      case FLOAT32 -> Lanes.get(address, i);
      case BFLOAT16 -> Lanes.getBfloat16(address, i);
      case FIXED16 -> step * Lanes.ALL.get(ValueLayout.JAVA_SHORT, address + 2 * i);
      case FIXED8 -> step * Lanes.ALL.get(ValueLayout.JAVA_BYTE, address + i);
      case INT32, UINT8 -> throw new IllegalArgumentException(type + " are no real numbers");
    };
  }

  /** Writes element {@code i}, of float32 or bfloat16. */
  public void set(long i, float value) {
    if (areFloats()) Lanes.set(address, i, value);
    else Lanes.setBfloat16(address, i, value);
  }

  private static void widenLoop(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) store(y + 4L * i, Lanes.loadBfloat16(x + 2L * i));
    for (; i < count; i++) Lanes.set(y, i, Lanes.getBfloat16(x, i));
  }

  private static void narrowLoop(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) Lanes.storeBfloat16(y + 2L * i, load(x + 4L * i));
    for (; i < count; i++) Lanes.setBfloat16(y, i, Lanes.get(x, i));
  }

  private static void readShortsLoop(long x, float step, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      store(y + 4L * i, Lanes.loadShorts(x + 2L * i).mul(step));
    }
    for (; i < count; i++) {
      Lanes.set(y, i, step * Lanes.ALL.get(ValueLayout.JAVA_SHORT, x + 2L * i));
    }
  }

  private static void readBytesLoop(long x, float step, long y, int count) {
    int i = 0;
    for (; Lanes.BYTES && i <= count - LANES; i += LANES) {
      store(y + 4L * i, Lanes.loadBytes(x + i).mul(step));
    }
    for (; i < count; i++) Lanes.set(y, i, step * Lanes.ALL.get(ValueLayout.JAVA_BYTE, x + i));
  }

  /** x = the nearest whole number to x / step, at most the largest; returns the largest |x|. */
  private static float stepsLoop(long x, float inverse, float most, int count) {
    FloatVector largest = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < count; i += LANES) {
      VectorMask<Float> m = Lanes.tail(i, count);
      FloatVector q = rounded(load(x + 4L * i, m).mul(inverse));
      largest = largest.max(q.abs());
      store(x + 4L * i, q.min(most).max(-most), m);
    }
    return largest.reduceLanes(VectorOperators.MAX);
  }

  /** The nearest whole number, of two equally near ones the even. */
  public static FloatVector rounded(FloatVector v) {
    FloatVector size = v.abs();
    FloatVector whole = size.add(WHOLE).sub(WHOLE);
    whole = whole.blend(whole.neg(), v.lt(0));
    return whole.blend(v, size.compare(VectorOperators.GE, WHOLE));
  }

  private static void writeShortsLoop(long x, long y, int count) {
    int i = 0;
    for (; i <= count - LANES; i += LANES) Lanes.storeShorts(y + 2L * i, load(x + 4L * i));
    for (; i < count; i++) {
      Lanes.ALL.set(ValueLayout.JAVA_SHORT, y + 2L * i, (short) Lanes.get(x, i));
    }
  }

  private static void writeBytesLoop(long x, long y, int count) {
    int i = 0;
    for (; Lanes.BYTES && i <= count - LANES; i += LANES) {
      Lanes.storeBytes(y + i, load(x + 4L * i));
    }
    for (; i < count; i++) Lanes.ALL.set(ValueLayout.JAVA_BYTE, y + i, (byte) Lanes.get(x, i));
  }
}
