package slimvox.backend.cpu.packed;

import jdk.incubator.vector.FloatVector;
import slimvox.backend.cpu.Lanes;

/**
 * Multiplies and adds in float32: sums[p, o] = sum over k of x[p, k] w[k, o], in the order of k.
 *
 * <p>p are {@value #PIXELS} pixels of a group, o the {@value PopcountKernel#CHANNELS} output
 * channels of a tile, k the input channels of all taps. Each sum is one chain of fused
 * multiply-adds whatever the width of vectors, so that every processor gives the same bits.
 */
final class MultiplyKernel {
  /** Pixels at once; with ten the compiler gives up before the end of the method. */
  static final int PIXELS = 8;

  private static final int VECTOR = 4 * Lanes.LANES;
  private static final int CHANNELS = PopcountKernel.CHANNELS;

  private MultiplyKernel() {}

  /**
   * Sums for one tile.
   *
   * @param from the first pixel
   * @param window address of the first element of each pixel's window
   * @param starts offset in bytes of each run of elements from there
   * @param run elements of a run, which lie side by side
   * @param weights (starts x run) x 32 floats
   * @param sums pixels x 32 floats; those of eight pixels are written
   */
  static void sum(int from, long[] window, long[] starts, int run, long weights, float[] sums) {
    for (int o = 0; o < CHANNELS; o += 2 * Lanes.LANES) {
      long w = weights + 4L * o;
      sumTwoVectors(from, window, starts, run, w, sums, CHANNELS * from + o);
    }
  }

  private static void sumTwoVectors(
      int from, long[] window, long[] starts, int run, long weights, float[] sums, int first) {
    long x0 = window[from];
    long x1 = window[from + 1];
    long x2 = window[from + 2];
    long x3 = window[from + 3];
    long x4 = window[from + 4];
    long x5 = window[from + 5];
    long x6 = window[from + 6];
    long x7 = window[from + 7];
    FloatVector a0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a1 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b1 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a2 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b2 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a3 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b3 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a4 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b4 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a5 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b5 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a6 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b6 = FloatVector.zero(Lanes.FLOATS);
    FloatVector a7 = FloatVector.zero(Lanes.FLOATS);
    FloatVector b7 = FloatVector.zero(Lanes.FLOATS);
    long w = weights;
    for (long start : starts) {
      // Counted by an int, and addresses made of it: so the compiler moves their checks out.
      for (int k = 0; k < run; k++) {
        long x = start + 4L * k;
        FloatVector w0 = Lanes.load(w + 4L * CHANNELS * k);
        FloatVector w1 = Lanes.load(w + VECTOR + 4L * CHANNELS * k);
        FloatVector v0 = broadcast(x0 + x);
        a0 = v0.fma(w0, a0);
        b0 = v0.fma(w1, b0);
        FloatVector v1 = broadcast(x1 + x);
        a1 = v1.fma(w0, a1);
        b1 = v1.fma(w1, b1);
        FloatVector v2 = broadcast(x2 + x);
        a2 = v2.fma(w0, a2);
        b2 = v2.fma(w1, b2);
        FloatVector v3 = broadcast(x3 + x);
        a3 = v3.fma(w0, a3);
        b3 = v3.fma(w1, b3);
        FloatVector v4 = broadcast(x4 + x);
        a4 = v4.fma(w0, a4);
        b4 = v4.fma(w1, b4);
        FloatVector v5 = broadcast(x5 + x);
        a5 = v5.fma(w0, a5);
        b5 = v5.fma(w1, b5);
        FloatVector v6 = broadcast(x6 + x);
        a6 = v6.fma(w0, a6);
        b6 = v6.fma(w1, b6);
        FloatVector v7 = broadcast(x7 + x);
        a7 = v7.fma(w0, a7);
        b7 = v7.fma(w1, b7);
      }
      w += 4L * CHANNELS * run;
    }
    a0.intoArray(sums, first + 0 * CHANNELS);
    b0.intoArray(sums, first + 0 * CHANNELS + Lanes.LANES);
    a1.intoArray(sums, first + 1 * CHANNELS);
    b1.intoArray(sums, first + 1 * CHANNELS + Lanes.LANES);
    a2.intoArray(sums, first + 2 * CHANNELS);
    b2.intoArray(sums, first + 2 * CHANNELS + Lanes.LANES);
    a3.intoArray(sums, first + 3 * CHANNELS);
    b3.intoArray(sums, first + 3 * CHANNELS + Lanes.LANES);
    a4.intoArray(sums, first + 4 * CHANNELS);
    b4.intoArray(sums, first + 4 * CHANNELS + Lanes.LANES);
    a5.intoArray(sums, first + 5 * CHANNELS);
    b5.intoArray(sums, first + 5 * CHANNELS + Lanes.LANES);
    a6.intoArray(sums, first + 6 * CHANNELS);
    b6.intoArray(sums, first + 6 * CHANNELS + Lanes.LANES);
    a7.intoArray(sums, first + 7 * CHANNELS);
    b7.intoArray(sums, first + 7 * CHANNELS + Lanes.LANES);
  }

  private static FloatVector broadcast(long address) {
    return FloatVector.broadcast(Lanes.FLOATS, Lanes.get(address, 0));
  }
}
