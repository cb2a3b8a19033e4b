package slimvox.backend.cpu.packed;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.packed.LaidConvolution;

/**
 * Counts differing signs: sums[p, o] = sum over k of popcount(x[p, k] XOR w[k, o]).
 *
 * <p>p are {@value #PIXELS} pixels of a group, o the {@value #CHANNELS} output channels of a tile,
 * k the words of 32 input channels of all taps. One word of a pixel is broadcast and meets as many
 * output channels as a vector has lanes, so that no sum runs across lanes; two vectors by four
 * pixels keep eight sums in registers. Where the processor cannot count bits in wide vectors, one
 * number at a time is counted, to the same sums.
 */
final class PopcountKernel {
  /** Output channels of a tile: as many as a word of signs has. */
  static final int CHANNELS = LaidConvolution.TILE;

  /** Pixels at once; with more the compiler gives up before the end of the method. */
  static final int PIXELS = 4;

  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final int LANES = INTS.length();
  private static final int VECTOR = 4 * LANES;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private PopcountKernel() {}

  /** Whether vectors are wide enough to pay. */
  static boolean vectorsPay() {
    return LANES >= 8;
  }

  /**
   * Counts for one tile.
   *
   * @param from the first pixel
   * @param window address of the first word of each pixel's window
   * @param tap offset in bytes of each word k from there
   * @param weights k x 32 words
   * @param sums pixels x 32 ints; those of four pixels are written
   */
  static void count(int from, long[] window, long[] tap, long weights, int[] sums) {
    for (int o = 0; o < CHANNELS; o += 2 * LANES) {
      countTwoVectors(from, window, tap, weights + 4L * o, sums, CHANNELS * from + o);
    }
  }

  private static void countTwoVectors(
      int from, long[] window, long[] tap, long w, int[] sums, int first) {
    long x0 = window[from];
    long x1 = window[from + 1];
    long x2 = window[from + 2];
    long x3 = window[from + 3];
    IntVector a0 = IntVector.zero(INTS);
    IntVector b0 = IntVector.zero(INTS);
    IntVector a1 = IntVector.zero(INTS);
    IntVector b1 = IntVector.zero(INTS);
    IntVector a2 = IntVector.zero(INTS);
    IntVector b2 = IntVector.zero(INTS);
    IntVector a3 = IntVector.zero(INTS);
    IntVector b3 = IntVector.zero(INTS);
    for (long k : tap) {
      IntVector w0 = load(w);
      IntVector w1 = load(w + VECTOR);
      w += 4L * CHANNELS;
      IntVector v0 = broadcast(x0 + k);
      a0 = a0.add(differing(v0, w0));
      b0 = b0.add(differing(v0, w1));
      IntVector v1 = broadcast(x1 + k);
      a1 = a1.add(differing(v1, w0));
      b1 = b1.add(differing(v1, w1));
      IntVector v2 = broadcast(x2 + k);
      a2 = a2.add(differing(v2, w0));
      b2 = b2.add(differing(v2, w1));
      IntVector v3 = broadcast(x3 + k);
      a3 = a3.add(differing(v3, w0));
      b3 = b3.add(differing(v3, w1));
    }
    a0.intoArray(sums, first + 0 * CHANNELS);
    b0.intoArray(sums, first + 0 * CHANNELS + LANES);
    a1.intoArray(sums, first + 1 * CHANNELS);
    b1.intoArray(sums, first + 1 * CHANNELS + LANES);
    a2.intoArray(sums, first + 2 * CHANNELS);
    b2.intoArray(sums, first + 2 * CHANNELS + LANES);
    a3.intoArray(sums, first + 3 * CHANNELS);
    b3.intoArray(sums, first + 3 * CHANNELS + LANES);
  }

  private static IntVector load(long address) {
    return IntVector.fromMemorySegment(INTS, Lanes.ALL, address, ORDER);
  }

  private static IntVector broadcast(long address) {
    return IntVector.broadcast(INTS, Lanes.ALL.get(ValueLayout.JAVA_INT, address));
  }

  private static IntVector differing(IntVector x, IntVector w) {
    return x.lanewise(VectorOperators.XOR, w).lanewise(VectorOperators.BIT_COUNT);
  }

  /** The same as {@link #count} without vectors. */
  static void countOneByOne(int from, long[] window, long[] tap, long weights, int[] sums) {
    for (int p = from; p < from + PIXELS; p++) {
      for (int o = 0; o < CHANNELS; o++) {
        int sum = 0;
        for (int k = 0; k < tap.length; k++) {
          int x = Lanes.getInt(window[p] + tap[k], 0);
          sum += Integer.bitCount(x ^ Lanes.getInt(weights, (long) CHANNELS * k + o));
        }
        sums[CHANNELS * p + o] = sum;
      }
    }
  }
}
