package slimvox.binary;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.cpu.Lanes;

/**
 * Counts differing signs: sums[p, o] = sum over k of popcount(x[p, k] XOR w[k, o]).
 *
 * <p>p are the {@value PixelGroup#SIZE} pixels of a group, o the {@value #CHANNELS} output channels
 * of a tile, k the words of 32 input channels of all taps. One word of a pixel is broadcast and
 * meets as many output channels as a vector has lanes, so that no sum runs across lanes; two
 * vectors by eight pixels keep sixteen sums in registers. Where the processor cannot count bits in
 * wide vectors, one number at a time is counted, to the same sums.
 */
final class PopcountKernel {
  /** Output channels of a tile: as many as a word of signs has. */
  static final int CHANNELS = 32;

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
   * @param window address of the first word of each pixel's window
   * @param tap offset in bytes of each word k from there
   * @param weights k x 32 words
   * @param sums 8 x 32 ints, written
   */
  static void count(long[] window, long[] tap, long weights, long sums) {
    for (int o = 0; o < CHANNELS; o += 2 * LANES) {
      countTwoVectors(window, tap, weights + 4L * o, sums + 4L * o);
    }
  }

  private static void countTwoVectors(long[] window, long[] tap, long w, long sums) {
    long x0 = window[0];
    long x1 = window[1];
    long x2 = window[2];
    long x3 = window[3];
    long x4 = window[4];
    long x5 = window[5];
    long x6 = window[6];
    long x7 = window[7];
    IntVector a0 = IntVector.zero(INTS);
    IntVector b0 = IntVector.zero(INTS);
    IntVector a1 = IntVector.zero(INTS);
    IntVector b1 = IntVector.zero(INTS);
    IntVector a2 = IntVector.zero(INTS);
    IntVector b2 = IntVector.zero(INTS);
    IntVector a3 = IntVector.zero(INTS);
    IntVector b3 = IntVector.zero(INTS);
    IntVector a4 = IntVector.zero(INTS);
    IntVector b4 = IntVector.zero(INTS);
    IntVector a5 = IntVector.zero(INTS);
    IntVector b5 = IntVector.zero(INTS);
    IntVector a6 = IntVector.zero(INTS);
    IntVector b6 = IntVector.zero(INTS);
    IntVector a7 = IntVector.zero(INTS);
    IntVector b7 = IntVector.zero(INTS);
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
      IntVector v4 = broadcast(x4 + k);
      a4 = a4.add(differing(v4, w0));
      b4 = b4.add(differing(v4, w1));
      IntVector v5 = broadcast(x5 + k);
      a5 = a5.add(differing(v5, w0));
      b5 = b5.add(differing(v5, w1));
      IntVector v6 = broadcast(x6 + k);
      a6 = a6.add(differing(v6, w0));
      b6 = b6.add(differing(v6, w1));
      IntVector v7 = broadcast(x7 + k);
      a7 = a7.add(differing(v7, w0));
      b7 = b7.add(differing(v7, w1));
    }
    store(sums + 0L * 4 * CHANNELS, a0);
    store(sums + 0L * 4 * CHANNELS + VECTOR, b0);
    store(sums + 1L * 4 * CHANNELS, a1);
    store(sums + 1L * 4 * CHANNELS + VECTOR, b1);
    store(sums + 2L * 4 * CHANNELS, a2);
    store(sums + 2L * 4 * CHANNELS + VECTOR, b2);
    store(sums + 3L * 4 * CHANNELS, a3);
    store(sums + 3L * 4 * CHANNELS + VECTOR, b3);
    store(sums + 4L * 4 * CHANNELS, a4);
    store(sums + 4L * 4 * CHANNELS + VECTOR, b4);
    store(sums + 5L * 4 * CHANNELS, a5);
    store(sums + 5L * 4 * CHANNELS + VECTOR, b5);
    store(sums + 6L * 4 * CHANNELS, a6);
    store(sums + 6L * 4 * CHANNELS + VECTOR, b6);
    store(sums + 7L * 4 * CHANNELS, a7);
    store(sums + 7L * 4 * CHANNELS + VECTOR, b7);
  }

  private static IntVector load(long address) {
    return IntVector.fromMemorySegment(INTS, Lanes.ALL, address, ORDER);
  }

  private static void store(long address, IntVector v) {
    v.intoMemorySegment(Lanes.ALL, address, ORDER);
  }

  private static IntVector broadcast(long address) {
    return IntVector.broadcast(INTS, Lanes.ALL.get(ValueLayout.JAVA_INT, address));
  }

  private static IntVector differing(IntVector x, IntVector w) {
    return x.lanewise(VectorOperators.XOR, w).lanewise(VectorOperators.BIT_COUNT);
  }

  /** The same as {@link #count} without vectors. */
  static void countOneByOne(long[] window, long[] tap, long weights, long sums) {
    for (int p = 0; p < PixelGroup.SIZE; p++) {
      for (int o = 0; o < CHANNELS; o++) {
        int sum = 0;
        for (int k = 0; k < tap.length; k++) {
          int x = Lanes.getInt(window[p] + tap[k], 0);
          sum += Integer.bitCount(x ^ Lanes.getInt(weights, (long) CHANNELS * k + o));
        }
        Lanes.setInt(sums, (long) CHANNELS * p + o, sum);
      }
    }
  }
}
