package slimvox.backend.cpu;

import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.CodeBook;

/**
 * Codes to numbers and back with vectors of 512 bits, 64 at a time, for books whose negative
 * numbers mirror the positive ones, or that have none.
 *
 * <p>To numbers: a book is four tables of 256 bytes, one for each byte of a float; one permutation
 * looks 64 codes up in 128 entries of a table, and the bytes are then put together.
 *
 * <p>To codes: in two steps, because permutations cannot search. With y the size of a number and
 * b[k] the bound above code k (both counted from zero), a line for each piece of the number line
 * first gives k or k - 1; then y > b[k] decides, with b looked up as above. What makes that exact
 * for all floats is only that each line comes within one half of k at b[k], because then rounding
 * it to a whole number gives k or k - 1 between b[k - 1] and b[k]; the constructor looks at every
 * bound. The pieces are found there too: the decades of a dynamic tree, one piece for a linear
 * book.
 *
 * <p>A bound belongs to the lower code, for a negative number the one of larger size: one unit in
 * the last place is added to a negative number's size.
 */
final class CodeVectors {
  /** Codes of one round; what is left over must be done otherwise. */
  static final int ROUND = 64;

  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_512;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_512;
  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_512;
  private static final VectorSpecies<Byte> BYTES = ByteVector.SPECIES_512;
  private static final VectorSpecies<Byte> SIXTEEN = ByteVector.SPECIES_128;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final int LANES = 16;

  private static final int OCTAVES = 32; // powers of two from 2^-31 to 1; smaller ones as 2^-31
  private static final int LOWEST = 96; // exponent of the first octave
  private static final int PIECES = 16;
  private static final float ROUNDER = 1 << 23; // added to less than 2^22 it leaves the whole part

  /** Whether vectors of 512 bits are this processor's own. */
  static final boolean USABLE = Lanes.LANES == LANES;

  /** Room for the steps between, of one thread. */
  static final class Room {
    final float[] size = new float[BlockwiseCodes.PIECE];
    final float[] bound = new float[BlockwiseCodes.PIECE];
    final byte[] guess = new byte[BlockwiseCodes.PIECE];
  }

  private final byte[] valueBytes;
  private final byte[] boundBytes;
  private final int zero; // the code of zero
  private final int most; // the largest code counted from zero
  private final int[] pieceOfOctave = new int[OCTAVES];
  private final int[] nextPiece = new int[OCTAVES]; // bits of the float where it begins
  private final float[] slope = new float[PIECES];
  private final float[] offset = new float[PIECES];

  private CodeVectors(CodeBook book) {
    zero = book.nearest(0);
    most = CodeBook.SIZE - 1 - zero;
    float[] bounds = new float[CodeBook.SIZE];
    Arrays.fill(bounds, Float.POSITIVE_INFINITY);
    for (int k = 0; k <= most; k++) bounds[k] = book.upperBound(zero + k);
    valueBytes = bytes(book.values());
    boundBytes = bytes(bounds);
    fit(bounds);
    check(bounds);
  }

  /** The tables of a book, or null where they do not apply. */
  static CodeVectors of(CodeBook book) {
    if (!USABLE) return null;
    int zero = book.nearest(0);
    if (book.value(zero) != 0) return null;
    for (int k = 1; k <= zero; k++) {
      if (zero + k >= CodeBook.SIZE || book.value(zero - k) != -book.value(zero + k)) return null;
    }
    try {
      return new CodeVectors(book);
    } catch (IllegalArgumentException e) {
      return null; // too crooked for lines
    }
  }

  private static byte[] bytes(float[] values) {
    byte[] bytes = new byte[4 * CodeBook.SIZE];
    for (int c = 0; c < CodeBook.SIZE; c++) {
      int bits = Float.floatToRawIntBits(values[c]);
      for (int b = 0; b < 4; b++) bytes[b * CodeBook.SIZE + c] = (byte) (bits >>> (8 * b));
    }
    return bytes;
  }

  // ---- lines

  /** Lays lines through the bounds, each as far as it comes within 0.4 of every one. */
  private void fit(float[] bounds) {
    float[] begins = new float[PIECES + 1];
    int pieces = 0;
    int first = 0;
    while (first < most) {
      if (pieces == PIECES) throw new IllegalArgumentException("more than 16 pieces");
      int last = first;
      while (last + 1 < most && fits(bounds, first, last + 1)) last++;
      double slope = slope(bounds, first, last);
      this.slope[pieces] = (float) slope;
      this.offset[pieces] = (float) (first - slope * bounds[first]);
      pieces++;
      first = last + 1;
      if (first == most) break;
      // Behind its last bound a line serves until it is 0.4 too high, or until the next bound.
      double end = slope == 0 ? bounds[first] : bounds[last] + 1.4 / slope;
      begins[pieces] = Math.min((float) end, bounds[first]);
    }
    for (int o = 0; o < OCTAVES; o++) {
      float from = o == 0 ? 0 : Float.intBitsToFloat((LOWEST + o) << 23);
      float to = Float.intBitsToFloat((LOWEST + o + 1) << 23);
      nextPiece[o] = Float.floatToRawIntBits(Float.POSITIVE_INFINITY);
      for (int p = 1; p < pieces; p++) {
        if (begins[p] <= from) {
          pieceOfOctave[o] = p;
        } else if (begins[p] < to) {
          if (pieceOfOctave[o] != p - 1) throw new IllegalArgumentException("two in an octave");
          nextPiece[o] = Float.floatToRawIntBits(begins[p]);
        }
      }
    }
  }

  private static double slope(float[] bounds, int first, int last) {
    return last == first ? 0 : (last - first) / ((double) bounds[last] - bounds[first]);
  }

  private static boolean fits(float[] bounds, int first, int last) {
    double slope = slope(bounds, first, last);
    for (int k = first; k <= last; k++) {
      if (Math.abs(first + slope * ((double) bounds[k] - bounds[first]) - k) > 0.4) return false;
    }
    return true;
  }

  /** The first step, for one number. */
  private int guess(float y) {
    int o = Math.max((Float.floatToRawIntBits(y) >>> 23) - LOWEST, 0) & (OCTAVES - 1);
    int piece = pieceOfOctave[o] + (y > Float.intBitsToFloat(nextPiece[o]) ? 1 : 0);
    float line = Math.max(Math.fma(y, slope[piece], offset[piece]), 0);
    return Float.floatToRawIntBits(line + ROUNDER) & 255;
  }

  /** A line rises, so that looking at both ends of what it serves between two bounds is enough. */
  private void check(float[] bounds) {
    for (int k = 0; k <= most; k++) {
      float low = k == 0 ? 0 : Math.nextUp(bounds[k - 1]);
      float high = k == most ? Math.nextUp(1f) : bounds[k];
      check(low, k);
      check(high, k);
      for (int next : nextPiece) {
        float end = Float.intBitsToFloat(next);
        if (end < low || end >= high) continue;
        check(end, k);
        check(Math.nextUp(end), k);
      }
    }
  }

  private void check(float y, int k) {
    int guess = guess(y);
    if (guess != k && guess != k - 1) {
      throw new IllegalArgumentException("the line at " + y + " gives " + guess + " for " + k);
    }
  }

  // ---- numbers of codes

  /** x[i] = value of code i times scale, for the first {@code n / 64 * 64}. */
  void decode(long codes, float scale, float[] x, int n) {
    byte[] t = valueBytes;
    ByteVector b0 = table(t, 0);
    ByteVector b1 = table(t, 1);
    ByteVector b2 = table(t, 2);
    ByteVector b3 = table(t, 3);
    ByteVector b4 = table(t, 4);
    ByteVector b5 = table(t, 5);
    ByteVector b6 = table(t, 6);
    ByteVector b7 = table(t, 7);
    ByteVector b8 = table(t, 8);
    ByteVector b9 = table(t, 9);
    ByteVector b10 = table(t, 10);
    ByteVector b11 = table(t, 11);
    ByteVector b12 = table(t, 12);
    ByteVector b13 = table(t, 13);
    ByteVector b14 = table(t, 14);
    ByteVector b15 = table(t, 15);
    for (int i = 0; i <= n - ROUND; i += ROUND) {
      ByteVector c = ByteVector.fromMemorySegment(BYTES, Lanes.ALL, codes + i, ORDER);
      VectorMask<Byte> upper = c.lt((byte) 0); // codes from 128 on
      ByteVector p0 = c.selectFrom(b0, b1).blend(c.selectFrom(b2, b3), upper);
      ByteVector p1 = c.selectFrom(b4, b5).blend(c.selectFrom(b6, b7), upper);
      ByteVector p2 = c.selectFrom(b8, b9).blend(c.selectFrom(b10, b11), upper);
      ByteVector p3 = c.selectFrom(b12, b13).blend(c.selectFrom(b14, b15), upper);
      store(p0, p1, p2, p3, scale, x, i);
    }
  }

  private static ByteVector table(byte[] bytes, int part) {
    return ByteVector.fromArray(BYTES, bytes, ROUND * part);
  }

  private static final ByteVector LOWER_BYTES = ByteVector.fromArray(BYTES, zipBytes(0), 0);
  private static final ByteVector UPPER_BYTES = ByteVector.fromArray(BYTES, zipBytes(32), 0);
  private static final ShortVector LOWER_SHORTS = ShortVector.fromArray(SHORTS, zipShorts(0), 0);
  private static final ShortVector UPPER_SHORTS = ShortVector.fromArray(SHORTS, zipShorts(16), 0);

  private static byte[] zipBytes(int from) {
    byte[] zip = new byte[64];
    for (int i = 0; i < 64; i++) zip[i] = (byte) (from + i / 2 + 64 * (i % 2));
    return zip;
  }

  private static short[] zipShorts(int from) {
    short[] zip = new short[32];
    for (int i = 0; i < 32; i++) zip[i] = (short) (from + i / 2 + 32 * (i % 2));
    return zip;
  }

  /** Puts the four bytes of 64 floats together. */
  private static void store(
      ByteVector p0, ByteVector p1, ByteVector p2, ByteVector p3, float scale, float[] x, int i) {
    ShortVector low0 = LOWER_BYTES.selectFrom(p0, p1).reinterpretAsShorts();
    ShortVector low1 = UPPER_BYTES.selectFrom(p0, p1).reinterpretAsShorts();
    ShortVector high0 = LOWER_BYTES.selectFrom(p2, p3).reinterpretAsShorts();
    ShortVector high1 = UPPER_BYTES.selectFrom(p2, p3).reinterpretAsShorts();
    LOWER_SHORTS.selectFrom(low0, high0).reinterpretAsFloats().mul(scale).intoArray(x, i);
    UPPER_SHORTS.selectFrom(low0, high0).reinterpretAsFloats().mul(scale).intoArray(x, i + 16);
    LOWER_SHORTS.selectFrom(low1, high1).reinterpretAsFloats().mul(scale).intoArray(x, i + 32);
    UPPER_SHORTS.selectFrom(low1, high1).reinterpretAsFloats().mul(scale).intoArray(x, i + 48);
  }

  // ---- codes of numbers

  /** codes[i] = code of x[i] factor, for the first {@code n / 64 * 64}. */
  void encode(float[] x, int n, float factor, long codes, Room room) {
    guess(x, n, factor, room);
    bounds(room.guess, n, room.bound);
    decide(x, n, room, codes);
  }

  private void guess(float[] x, int n, float factor, Room room) {
    IntVector piece0 = IntVector.fromArray(INTS, pieceOfOctave, 0);
    IntVector piece1 = IntVector.fromArray(INTS, pieceOfOctave, LANES);
    IntVector next0 = IntVector.fromArray(INTS, nextPiece, 0);
    IntVector next1 = IntVector.fromArray(INTS, nextPiece, LANES);
    FloatVector slopes = FloatVector.fromArray(FLOATS, slope, 0);
    FloatVector offsets = FloatVector.fromArray(FLOATS, offset, 0);
    int end = n / ROUND * ROUND;
    for (int i = 0; i < end; i += LANES) {
      IntVector bits = FloatVector.fromArray(FLOATS, x, i).mul(factor).reinterpretAsInts();
      IntVector y = bits.and(0x7fffffff).add(bits.lanewise(VectorOperators.LSHR, 31));
      y.reinterpretAsFloats().intoArray(room.size, i);
      IntVector octave = y.lanewise(VectorOperators.LSHR, 23).sub(LOWEST).max(0);
      VectorMask<Integer> over = y.compare(VectorOperators.GT, octave.selectFrom(next0, next1));
      IntVector piece = octave.selectFrom(piece0, piece1).add(1, over);
      FloatVector s = piece.selectFrom(slopes.reinterpretAsInts()).reinterpretAsFloats();
      FloatVector o = piece.selectFrom(offsets.reinterpretAsInts()).reinterpretAsFloats();
      FloatVector line = y.reinterpretAsFloats().fma(s, o).max(0).add(ROUNDER);
      ((ByteVector) line.reinterpretAsInts().convertShape(VectorOperators.I2B, SIXTEEN, 0))
          .intoArray(room.guess, i);
    }
  }

  private void bounds(byte[] guess, int n, float[] bound) {
    byte[] t = boundBytes;
    ByteVector b0 = table(t, 0);
    ByteVector b1 = table(t, 1);
    ByteVector b2 = table(t, 2);
    ByteVector b3 = table(t, 3);
    ByteVector b4 = table(t, 4);
    ByteVector b5 = table(t, 5);
    ByteVector b6 = table(t, 6);
    ByteVector b7 = table(t, 7);
    ByteVector b8 = table(t, 8);
    ByteVector b9 = table(t, 9);
    ByteVector b10 = table(t, 10);
    ByteVector b11 = table(t, 11);
    ByteVector b12 = table(t, 12);
    ByteVector b13 = table(t, 13);
    ByteVector b14 = table(t, 14);
    ByteVector b15 = table(t, 15);
    for (int i = 0; i <= n - ROUND; i += ROUND) {
      ByteVector c = ByteVector.fromArray(BYTES, guess, i);
      VectorMask<Byte> upper = c.lt((byte) 0);
      ByteVector p0 = c.selectFrom(b0, b1).blend(c.selectFrom(b2, b3), upper);
      ByteVector p1 = c.selectFrom(b4, b5).blend(c.selectFrom(b6, b7), upper);
      ByteVector p2 = c.selectFrom(b8, b9).blend(c.selectFrom(b10, b11), upper);
      ByteVector p3 = c.selectFrom(b12, b13).blend(c.selectFrom(b14, b15), upper);
      store(p0, p1, p2, p3, 1, bound, i);
    }
  }

  private void decide(float[] x, int n, Room room, long codes) {
    int end = n / ROUND * ROUND;
    for (int i = 0; i < end; i += LANES) {
      IntVector y = FloatVector.fromArray(FLOATS, room.size, i).reinterpretAsInts();
      IntVector bound = FloatVector.fromArray(FLOATS, room.bound, i).reinterpretAsInts();
      ByteVector guess = ByteVector.fromArray(SIXTEEN, room.guess, i);
      IntVector k = (IntVector) guess.convertShape(VectorOperators.ZERO_EXTEND_B2I, INTS, 0);
      k = k.add(1, y.compare(VectorOperators.GT, bound));
      IntVector bits = FloatVector.fromArray(FLOATS, x, i).reinterpretAsInts();
      IntVector sign = bits.lanewise(VectorOperators.ASHR, 31); // -1 or 0
      // Below zero there are `zero` codes: one less than above it in a signed book, or none.
      k = k.min(sign.and(zero - most).add(most));
      IntVector c = k.lanewise(VectorOperators.XOR, sign).sub(sign).add(zero);
      ((ByteVector) c.convertShape(VectorOperators.I2B, SIXTEEN, 0))
          .intoMemorySegment(Lanes.ALL, codes + i, ORDER);
    }
  }
}
