package slimvox.verify;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import slimvox.storage.InputException;

/**
 * Scores sorted upwards, equal ones in file order, each with its label and trial number.
 *
 * <p>A trial is one {@code long}: the score as 32 bits whose unsigned order is that of the float,
 * then 31 bits of trial number, then the label. A stable radix sort by the upper half, eleven bits
 * a pass, leaves ties in file order. It takes two arrays of eight bytes a trial (592 MB for 37
 * million) and about the same time on every machine; {@code Arrays.parallelSort} on the same array
 * is as fast where the JDK sorts with AVX-512 and three to six times slower where it does not.
 */
final class ScoreOrder {
  private static final int DIGIT_BITS = 11;
  private static final int DIGITS = 1 << DIGIT_BITS;
  private static final int PASSES = 3;
  private static final int CHUNKS = Math.min(16, Runtime.getRuntime().availableProcessors());
  private static final int SIGN = 0x80000000;

  private final long[] sorted;

  private ScoreOrder(long[] sorted) {
    this.sorted = sorted;
  }

  /**
   * Sorts.
   *
   * @throws InputException if a score is NaN, which has no place in an order
   */
  static ScoreOrder of(float[] scores, IntPredicate isTarget) {
    int n = scores.length;
    long[] packed = new long[n];
    inChunks(
        n,
        (_, from, to) -> {
          for (int i = from; i < to; i++) {
            long label = isTarget.test(i) ? 1 : 0;
            packed[i] = (long) key(scores[i], i) << 32 | (long) i << 1 | label;
          }
        });
    return new ScoreOrder(sort(packed));
  }

  /** Bits of a float with the order of the float when read as an unsigned integer. */
  private static int key(float score, int trial) {
    if (Float.isNaN(score)) {
      throw new InputException(
          "score " + (trial + 1) + " is NaN; look for NaN in the embeddings or the score file");
    }
    int bits = Float.floatToRawIntBits(score + 0f); // -0 becomes 0, with which it is tied
    return bits < 0 ? ~bits : bits ^ SIGN;
  }

  private static long[] sort(long[] packed) {
    long[] from = packed;
    long[] to = new long[packed.length];
    for (int pass = 0; pass < PASSES; pass++) {
      distribute(from, to, pass);
      long[] swap = from;
      from = to;
      to = swap;
    }
    return from;
  }

  /** One pass: in order of one digit, otherwise in the order they were. */
  private static void distribute(long[] from, long[] to, int pass) {
    // Chunks share no counter, and a chunk's trials of a digit go behind those of earlier chunks.
    int[][] places = new int[CHUNKS][DIGITS];
    inChunks(from.length, (chunk, start, end) -> count(from, start, end, pass, places[chunk]));
    int sum = 0;
    for (int d = 0; d < DIGITS; d++) {
      for (int[] ofChunk : places) {
        int count = ofChunk[d];
        ofChunk[d] = sum;
        sum += count;
      }
    }
    inChunks(from.length, (chunk, start, end) -> move(from, to, start, end, pass, places[chunk]));
  }

  private static void count(long[] from, int start, int end, int pass, int[] counts) {
    for (int i = start; i < end; i++) counts[digit(from[i], pass)]++;
  }

  private static void move(long[] from, long[] to, int start, int end, int pass, int[] places) {
    for (int i = start; i < end; i++) to[places[digit(from[i], pass)]++] = from[i];
  }

  private interface Chunk {
    void run(int chunk, int from, int to);
  }

  /** Splits {@code 0..n} between the processors. */
  private static void inChunks(int n, Chunk work) {
    IntStream.range(0, CHUNKS)
        .parallel()
        .forEach(
            chunk ->
                work.run(
                    chunk,
                    (int) ((long) n * chunk / CHUNKS),
                    (int) ((long) n * (chunk + 1) / CHUNKS)));
  }

  private static int digit(long trial, int pass) {
    return (int) (trial >>> 32 + DIGIT_BITS * pass) & DIGITS - 1;
  }

  int size() {
    return sorted.length;
  }

  /** 1 for a target, 0 for a nontarget, by place in the order. */
  int label(int place) {
    return (int) sorted[place] & 1;
  }

  /** The trial's number in the list, by place in the order. */
  int trial(int place) {
    return (int) sorted[place] >>> 1;
  }

  /** The score by place in the order. */
  float score(int place) {
    int key = (int) (sorted[place] >>> 32);
    return Float.intBitsToFloat(key < 0 ? key ^ SIGN : ~key);
  }

  /** Whether the next place holds the same score. */
  boolean tiedWithNext(int place) {
    return place + 1 < sorted.length && (sorted[place] ^ sorted[place + 1]) >>> 32 == 0;
  }
}
