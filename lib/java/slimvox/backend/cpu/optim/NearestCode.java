package slimvox.backend.cpu.optim;

import slimvox.backend.CodeBook;

/**
 * Finds the nearest code of a {@link CodeBook} with one look-up and no branch, for one number.
 *
 * <p>The bits of a float32, with the sign bit flipped (all bits, for a negative number), are whole
 * numbers in the order of the floats: the key. Its upper bits name a bucket, a piece of the number
 * line so short that at most one bound between two codes falls into it. The table holds for each
 * bucket {@code (code of its lower end) 2^shift + (what is missing to 2^shift at the bound)}: when
 * the key's lower bits are added, the sum carries into the code exactly above the bound.
 *
 * <pre>
 * key  = bits ^ (bits >> 31 | 0x80000000)
 * code = (table[key >>> shift] + (key & mask)) >>> shift
 * </pre>
 *
 * <p>That is exact for all floats, infinity and NaN (an end of the book) included. The table of the
 * signed dynamic tree has 2^15 entries, of which those near 1e-7 to 1 in size are used: 12 kB.
 */
final class NearestCode {
  final float[] values;
  final int shift;
  final int mask;
  final int[] table;
  final CodeBook book;
  private final int least;

  /** The same with vectors, or null where that is not possible. */
  final CodeVectors vectors;

  NearestCode(CodeBook book) {
    this.book = book;
    this.values = book.values();
    this.least = book.least();
    int bits = 24; // of the key, for the bucket's place in it; fewer buckets are tried first
    int[] found = null;
    while (found == null && --bits >= 8) found = table(book, bits);
    if (found == null) throw new IllegalArgumentException(book + ": its numbers lie too close");
    this.shift = bits;
    this.mask = (1 << bits) - 1;
    this.table = found;
    this.vectors = CodeVectors.of(book);
  }

  /** The table for buckets of 2^shift keys, or null if one holds two bounds. */
  private static int[] table(CodeBook book, int shift) {
    int[] table = new int[1 << (32 - shift)];
    int mask = (1 << shift) - 1;
    for (int bucket = 0; bucket < table.length; bucket++) {
      int first = bucket << shift;
      int low = code(book, first);
      int high = code(book, first | mask);
      if (high > low + 1) return null;
      int threshold = high == low ? mask : key(book.upperBound(low)) & mask;
      table[bucket] = (low << shift) + (mask - threshold);
    }
    return table;
  }

  private static int code(CodeBook book, int key) {
    float x = Float.intBitsToFloat(key < 0 ? key ^ 0x80000000 : ~key);
    // Keys beyond the infinities are NaN: an end of the book.
    if (Float.isNaN(x)) return key < 0 ? CodeBook.SIZE - 1 : 0;
    return book.nearest(x);
  }

  static int key(float x) {
    int bits = Float.floatToRawIntBits(x);
    return bits ^ (bits >> 31 | 0x80000000);
  }

  /** See {@link CodeBook#code}. */
  int code(float x, float share) {
    return Math.max(of(share), x > 0 ? least : 0);
  }

  int of(float x) {
    int key = key(x);
    return (table[key >>> shift] + (key & mask)) >>> shift;
  }
}
