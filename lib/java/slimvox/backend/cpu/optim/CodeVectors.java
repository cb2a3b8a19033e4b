package slimvox.backend.cpu.optim;

import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import slimvox.backend.CodeBook;
import slimvox.backend.cpu.Lanes;

/**
 * Codes to numbers and back with vectors of 512 bits, 64 at a time, for books whose negative
 * numbers mirror the positive ones, or that have none.
 *
 * <p>To numbers: a book is four tables of 256 bytes, one for each byte of a float; one permutation
 * looks 64 codes up in 128 entries of a table, and the bytes are then put together.
 *
 * <p>To codes: codes are counted from zero, and y is the size of a number. The number line is cut
 * at bounds between codes into pieces in which the codes have equal distances (the decades of a
 * dynamic tree; one piece for a linear book). In each a line
 *
 * <pre>
 * code = round(min(slope y + offset, last code of the piece))
 * </pre>
 *
 * <p>gives the code, exactly unless it comes within {@value #MARGIN} of the middle between two
 * codes, where float32 may round it to the wrong side. Such numbers, one in ten thousand, are
 * reported and must be looked up otherwise. That this holds for all floats the constructor proves:
 * a line rises, so looking at both ends of what gets each code is enough.
 *
 * <p>The piece is found without a branch. In each power of two lies at most one cut, and the table
 * holds what, added to the bits of y, makes the exponent the number of the piece: the fraction of y
 * carries into it exactly above the cut.
 *
 * <p>A bound belongs to the lower code, for a negative number the one of larger size: the sign is
 * the lowest bit of what finds the piece, so that a negative number counts as a little larger.
 *
 * <p>In a book that begins with zero the bits of a number above zero, cut to 1, are the least code
 * that it gets; see {@link CodeBook#code}.
 */
final class CodeVectors {
  /** Codes of one round; what is left over must be done otherwise. */
  static final int ROUND = 64;

  private static final float MARGIN = 1f / (1 << 14);

  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_512;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_512;
  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_512;
  private static final VectorSpecies<Byte> BYTES = ByteVector.SPECIES_512;
  private static final VectorSpecies<Byte> SIXTEEN = ByteVector.SPECIES_128;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  static final int LANES = 16;

  private static final int OCTAVES = 32; // powers of two from 2^-31 to 1; smaller sizes as 2^-31
  static final int LOWEST = 96 << 23; // bits of 2^-31; its exponent is a multiple of 32
  private static final int PIECES = 16;

  /** Added to less than 2^22 it leaves the whole part in the lowest bits, of negative sums too. */
  private static final float ROUNDER = 3 << 22;

  static final int ROUNDER_BITS = Float.floatToRawIntBits(ROUNDER);
  private static final int SIZE_BITS = 0x7fffffff;

  /** Bits of how far a line may be from a whole number, at most, so that its code is sure. */
  static final int UNSURE = Float.floatToRawIntBits(0.5f - MARGIN);

  /** Whether vectors of 512 bits are this processor's own. */
  static final boolean USABLE = Lanes.LANES == LANES;

  private final byte[] valueBytes;
  private final int zero; // the code of zero
  private final int most; // the largest code counted from zero
  private final int least; // code of a number above zero
  private final int[] carry = new int[OCTAVES]; // added to bits, makes the exponent the piece
  private final float[] slope = new float[PIECES];
  private final float[] offset = new float[PIECES];
  private final float[] last = new float[PIECES]; // code of each piece, and a quarter

  private CodeVectors(CodeBook book) {
    zero = book.nearest(0);
    most = CodeBook.SIZE - 1 - zero;
    least = book.least();
    valueBytes = bytes(book.values());
    float[] bounds = new float[most + 1];
    for (int k = 0; k <= most; k++) bounds[k] = book.upperBound(zero + k);
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

  /** Lays lines through the bounds, each as far as they lie on one. */
  private void fit(float[] bounds) {
    int pieces = 0;
    int[] cuts = new int[PIECES]; // bits of the largest size in each piece
    for (int first = 0; first <= most; pieces++) {
      if (pieces == PIECES) throw new IllegalArgumentException("more than 16 pieces");
      int end = first;
      while (end < most && straight(bounds, first, end + 1)) end++;
      double slope = slope(bounds, first, end);
      this.slope[pieces] = (float) slope;
      this.offset[pieces] = end == first ? first : (float) (first + 0.5 - slope * bounds[first]);
      last[pieces] = end + 0.25f;
      cuts[pieces] = Float.floatToRawIntBits(bounds[end]);
      first = end + 1;
    }
    int piece = 0;
    for (int o = 0; o < OCTAVES; o++) {
      int from = LOWEST + (o << 23);
      boolean isCut = cuts[piece] < from + (1 << 23);
      // Without a cut, what is added must not make any fraction carry.
      int missing = isCut ? 2 * (from + (1 << 23) - cuts[piece]) - 1 : 0;
      carry[o] = (piece << 24) + missing - 2 * from;
      if (isCut) piece++;
    }
  }

  /** True if the bounds between codes first to end lie on a line. */
  private static boolean straight(float[] bounds, int first, int end) {
    double slope = slope(bounds, first, end);
    for (int k = first; k < end; k++) {
      double line = first + 0.5 + slope * ((double) bounds[k] - bounds[first]);
      if (Math.abs(line - (k + 0.5)) > MARGIN / 4) return false;
    }
    return true;
  }

  private static double slope(float[] bounds, int first, int end) {
    if (end == first) return 0;
    if (end == first + 1) return 0.5 / (bounds[first] - (first == 0 ? 0 : bounds[first - 1]));
    return (end - 1 - first) / ((double) bounds[end - 1] - bounds[first]);
  }

  private int piece(float y) {
    int key = 2 * Float.floatToRawIntBits(y);
    return carry[key >>> 24 & (OCTAVES - 1)] + key >>> 24;
  }

  private void check(float[] bounds) {
    float least = Float.intBitsToFloat(LOWEST);
    for (int k = 0; k <= most; k++) {
      float low = k == 0 ? 0 : Math.nextUp(bounds[k - 1]);
      float high = k == most ? Math.nextUp(1f) : bounds[k];
      int p = piece(Math.max(low, least));
      if (k > 0 && low < least || piece(high) != p) {
        throw new IllegalArgumentException("code " + k + " is cut");
      }
      // A negative number at the lower bound belongs here too.
      for (float y : new float[] {k == 0 ? 0 : bounds[k - 1], low, high}) {
        float line = Math.fma(y, slope[p], offset[p]);
        if (line < 0 || Math.abs(Math.min(line, last[p]) - k) >= 0.5 + MARGIN) {
          throw new IllegalArgumentException("the line at " + y + " gives " + line + ", not " + k);
        }
      }
    }
  }

  // ---- numbers of codes

  /**
   * x[i] = value of code i times scales[i / block], for the first {@code n / 64 * 64}.
   *
   * @param shift the block is 2^shift, a multiple of 64
   */
  void decode(long codes, int n, long scales, int shift, long x) {
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
      store(p0, p1, p2, p3, Lanes.get(scales, i >>> shift), x + 4L * i);
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
      ByteVector p0, ByteVector p1, ByteVector p2, ByteVector p3, float scale, long x) {
    ShortVector low0 = LOWER_BYTES.selectFrom(p0, p1).reinterpretAsShorts();
    ShortVector low1 = UPPER_BYTES.selectFrom(p0, p1).reinterpretAsShorts();
    ShortVector high0 = LOWER_BYTES.selectFrom(p2, p3).reinterpretAsShorts();
    ShortVector high1 = UPPER_BYTES.selectFrom(p2, p3).reinterpretAsShorts();
    LOWER_SHORTS
        .selectFrom(low0, high0)
        .reinterpretAsFloats()
        .mul(scale)
        .intoMemorySegment(Lanes.ALL, x, ORDER);
    UPPER_SHORTS
        .selectFrom(low0, high0)
        .reinterpretAsFloats()
        .mul(scale)
        .intoMemorySegment(Lanes.ALL, x + 64, ORDER);
    LOWER_SHORTS
        .selectFrom(low1, high1)
        .reinterpretAsFloats()
        .mul(scale)
        .intoMemorySegment(Lanes.ALL, x + 128, ORDER);
    UPPER_SHORTS
        .selectFrom(low1, high1)
        .reinterpretAsFloats()
        .mul(scale)
        .intoMemorySegment(Lanes.ALL, x + 192, ORDER);
  }

  // ---- codes of numbers

  /**
   * codes[i] = code of x[i] factor, for the first {@code n / 16 * 16}.
   *
   * @return false if one of them is unsure
   */
  boolean encode(long x, int n, float factor, long codes) {
    return zero == 0 ? positive(x, n, factor, codes) : signed(x, n, factor, codes);
  }

  private boolean signed(long x, int n, float factor, long codes) {
    IntVector carry0 = carry(0);
    IntVector carry1 = carry(1);
    IntVector slopes = slopes();
    IntVector offsets = offsets();
    IntVector lasts = lasts();
    FloatVector rounder = rounder();
    IntVector most = IntVector.zero(INTS);
    for (int i = 0; i <= n - LANES; i += LANES) {
      IntVector bits = floats(x + 4L * i).mul(factor).reinterpretAsInts();
      IntVector key = bits.lanewise(VectorOperators.ROL, 1).max(2 * LOWEST);
      IntVector octave = key.lanewise(VectorOperators.LSHR, 24);
      IntVector piece =
          octave.selectFrom(carry0, carry1).add(key).lanewise(VectorOperators.LSHR, 24);
      FloatVector slope = piece.selectFrom(slopes).reinterpretAsFloats();
      FloatVector offset = piece.selectFrom(offsets).reinterpretAsFloats();
      FloatVector size = bits.and(SIZE_BITS).reinterpretAsFloats().fma(slope, offset);
      // Positive floats are in the order of their bits, which are quicker to compare.
      IntVector cut = size.reinterpretAsInts().min(piece.selectFrom(lasts));
      FloatVector line = cut.or(bits.and(~SIZE_BITS)).reinterpretAsFloats();
      FloatVector rounded = line.add(rounder);
      most = most.max(line.sub(rounded.sub(rounder)).reinterpretAsInts().and(SIZE_BITS));
      // Below zero there is one code less than above it.
      IntVector code = rounded.reinterpretAsInts().max(ROUNDER_BITS);
      ((ByteVector) code.convertShape(VectorOperators.I2B, SIXTEEN, 0))
          .intoMemorySegment(Lanes.ALL, codes + i, ORDER);
    }
    return most.reduceLanes(VectorOperators.MAX) <= UNSURE;
  }

  /** The same for a book without negative numbers: they get the code of zero, 0. */
  private boolean positive(long x, int n, float factor, long codes) {
    IntVector carry0 = carry(0);
    IntVector carry1 = carry(1);
    IntVector slopes = slopes();
    IntVector offsets = offsets();
    IntVector lasts = lasts();
    FloatVector rounder = rounder();
    IntVector most = IntVector.zero(INTS);
    for (int i = 0; i <= n - LANES; i += LANES) {
      FloatVector numbers = floats(x + 4L * i);
      IntVector y = numbers.mul(factor).reinterpretAsInts().max(LOWEST);
      IntVector key = y.add(y);
      IntVector octave = key.lanewise(VectorOperators.LSHR, 24);
      IntVector piece =
          octave.selectFrom(carry0, carry1).add(key).lanewise(VectorOperators.LSHR, 24);
      FloatVector slope = piece.selectFrom(slopes).reinterpretAsFloats();
      FloatVector offset = piece.selectFrom(offsets).reinterpretAsFloats();
      IntVector size = y.reinterpretAsFloats().fma(slope, offset).reinterpretAsInts();
      FloatVector line = size.min(piece.selectFrom(lasts)).reinterpretAsFloats();
      FloatVector rounded = line.add(rounder);
      most = most.max(line.sub(rounded.sub(rounder)).reinterpretAsInts().and(SIZE_BITS));
      IntVector floor = numbers.reinterpretAsInts().min(least).add(ROUNDER_BITS);
      IntVector code = rounded.reinterpretAsInts().max(floor);
      ((ByteVector) code.convertShape(VectorOperators.I2B, SIXTEEN, 0))
          .intoMemorySegment(Lanes.ALL, codes + i, ORDER);
    }
    return most.reduceLanes(VectorOperators.MAX) <= UNSURE;
  }

  // ---- the tables, for loops that do more than encode

  /** Whether the book has negative numbers. */
  boolean isSigned() {
    return zero > 0;
  }

  /** The least code of a number above zero. */
  int least() {
    return least;
  }

  /** Half 0 or 1 of what makes the exponent of a size, shifted left by one, the piece. */
  IntVector carry(int half) {
    return IntVector.fromArray(INTS, carry, LANES * half);
  }

  /** Bits of the slope of each piece. */
  IntVector slopes() {
    return bits(slope);
  }

  /** Bits of the offset of each piece. */
  IntVector offsets() {
    return bits(offset);
  }

  /** Bits of the last code of each piece, and a quarter. */
  IntVector lasts() {
    return bits(last);
  }

  private static IntVector bits(float[] table) {
    return FloatVector.fromArray(FLOATS, table, 0).reinterpretAsInts();
  }

  /** Rounds a code to a whole number, counted from the first of the book, in its lowest bits. */
  FloatVector rounder() {
    return FloatVector.broadcast(FLOATS, ROUNDER + zero);
  }

  private static FloatVector floats(long address) {
    return FloatVector.fromMemorySegment(FLOATS, Lanes.ALL, address, ORDER);
  }
}
