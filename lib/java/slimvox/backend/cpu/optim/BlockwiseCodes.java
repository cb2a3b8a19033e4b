package slimvox.backend.cpu.optim;

import static slimvox.backend.cpu.Lanes.ALL;
import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.Quantized;
import slimvox.backend.cpu.Lanes;

/** Codes of {@link Quantized} numbers and back, blocks at a time, where they lie. */
final class BlockwiseCodes {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;

  /** Numbers that are encoded again, one by one, if vectors are unsure of one of them. */
  static final int UNSURE = 256;

  private static final int SIZE_BITS = 0x7fffffff;

  private BlockwiseCodes() {}

  // ---- a run of blocks

  /** x[i] = value of code i times scales[i / block]. */
  static void decode(NearestCode book, long codes, int n, long scales, int block, long x) {
    int i = 0;
    if (book.vectors != null && (n <= block || isMultiple(block, CodeVectors.ROUND))) {
      book.vectors.decode(codes, n, scales, shift(n, block), x);
      i = n / CodeVectors.ROUND * CodeVectors.ROUND;
    }
    float[] values = book.values;
    for (; i < n; i++) {
      int code = ALL.get(ValueLayout.JAVA_BYTE, codes + i) & 255;
      Lanes.set(x, i, values[code] * Lanes.get(scales, i / block));
    }
  }

  /** What the numbers of a whole block are multiplied with to become shares of absmax. */
  static float factor(float absmax) {
    return 1 / Math.max(absmax, Quantized.LEAST_SCALE);
  }

  /** codes[i] = code of x[i] factor, for a block that is not shorter than the others. */
  static void encode(NearestCode book, long x, int n, float factor, long codes) {
    for (int from = 0; from < n; from += UNSURE) {
      encodeAll(book, x + 4L * from, Math.min(UNSURE, n - from), factor, codes + from);
    }
  }

  private static void encodeAll(NearestCode book, long x, int n, float factor, long codes) {
    int i = 0;
    if (book.vectors != null && book.vectors.encode(x, n, factor, codes)) {
      i = n / CodeVectors.LANES * CodeVectors.LANES;
    }
    encodeOneByOne(book, x, i, n, factor, codes);
  }

  /** The same by looking up each number from {@code from} to {@code to}. */
  static void encodeOneByOne(NearestCode book, long x, int from, int to, float factor, long codes) {
    for (int i = from; i < to; i++) {
      float value = Lanes.get(x, i);
      set(codes + i, book.code(value, value * factor));
    }
  }

  /** codes[i] = code of x[i] / absmax, for a last block that is shorter, see {@link Quantized}. */
  static void encodeShort(NearestCode book, long x, int n, float absmax, long codes) {
    float scale = Math.max(absmax, Quantized.LEAST_SCALE);
    for (int i = 0; i < n; i++) {
      float value = Lanes.get(x, i);
      set(codes + i, book.code(value, value / scale));
    }
  }

  private static boolean isMultiple(int block, int of) {
    return Integer.bitCount(block) == 1 && block >= of;
  }

  /** i >>> shift = i / block for i < n. */
  private static int shift(int n, int block) {
    return n <= block ? 31 : Integer.numberOfTrailingZeros(block);
  }

  static void set(long address, int code) {
    ALL.set(ValueLayout.JAVA_BYTE, address, (byte) code);
  }

  /** The largest size of the numbers at an address; NaN if there is one. */
  static float largest(long x, int n) {
    // Sizes are in the order of their bits, which are quicker to compare.
    IntVector largest = IntVector.zero(INTS);
    int i = 0;
    for (; i <= n - LANES; i += LANES) {
      largest = largest.max(load(x + 4L * i).reinterpretAsInts().and(SIZE_BITS));
    }
    if (i < n) {
      largest = largest.max(load(x + 4L * i, tail(i, n)).reinterpretAsInts().and(SIZE_BITS));
    }
    return Float.intBitsToFloat(largest.reduceLanes(VectorOperators.MAX));
  }
}
