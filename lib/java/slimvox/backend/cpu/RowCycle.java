package slimvox.backend.cpu;

import static slimvox.backend.cpu.Lanes.LANES;

/**
 * How a matrix with C columns is cut so that loops over it run in whole vectors whatever C is.
 *
 * <p>The matrix is one run of elements whose column repeats every C. A <em>cycle</em> is a stretch
 * of whole rows, about {@value #TARGET} elements, that is also a whole number of vectors: C = 12
 * and 16 lanes give a step of 48, repeated 22 times. What each column needs (a mean, a scale) is
 * repeated along a table as long as a cycle, which stays in the first-level cache, and a kernel
 * walks the cycle and the table side by side. From 16 vectors a row on, rows of any length are
 * taken one by one and the last vector of each is masked.
 *
 * <p>Sums are kept along such a table too: each of its places adds up one row of every cycle, and
 * {@link #fold} adds the places of each column.
 */
record RowCycle(int channels, int length, long elements) {
  private static final int TARGET = 1024;

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

  /** A table of the values of the columns, read from memory. */
  float[] repeat(long values) {
    float[] table = new float[length];
    for (int c = 0; c < channels; c++) table[c] = Lanes.get(values, c);
    return repeat(table);
  }

  /** Repeats the first C values of a table along it. */
  float[] repeat(float[] table) {
    for (int done = channels; done < length; done *= 2) {
      System.arraycopy(table, 0, table, done, Math.min(done, length - done));
    }
    return table;
  }

  /** Adds a table of sums to the totals of the columns; the table is spoilt. */
  void fold(float[] sums, double[] totals) {
    // While it is even, the table is folded in the middle: whole vectors, and pairwise sums.
    int copies = length / channels;
    while (copies % 2 == 0) {
      copies /= 2;
      int half = copies * channels;
      for (int i = 0; i < half; i++) sums[i] += sums[half + i];
    }
    for (int copy = 0, i = 0; copy < copies; copy++) {
      for (int c = 0; c < channels; c++) totals[c] += sums[i++];
    }
  }
}
