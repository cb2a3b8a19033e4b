package slimvox.verify;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import slimvox.storage.InputException;

/**
 * Scores sorted upwards, equal ones in file order, each with its label and trial number.
 *
 * <p>A trial is one {@code long}: half of its score, as 32 bits whose unsigned order is that of the
 * number, then 31 bits of trial number, then the label. A stable radix sort, eleven bits a pass,
 * goes over the lower halves of all scores and then over the upper ones, and leaves ties in file
 * order. It takes two arrays of eight bytes a trial (592 MB for 37 million) and about the same time
 * on every machine; {@code Arrays.parallelSort} on the same array is as fast where the JDK sorts
 * with AVX-512 and three to six times slower where it does not.
 */
final class ScoreOrder {
  private static final int DIGIT_BITS = 11;
  private static final int DIGITS = 1 << DIGIT_BITS;
  private static final int PASSES = 3;
  private static final int CHUNKS = Math.min(16, Runtime.getRuntime().availableProcessors());
  private static final long TRIAL = 0xFFFFFFFFL;
  private static final long TIED = 1L << 32;

  private final double[] scores;
  private final long[] sorted; // in the end: TIED with the next place or not, trial, label

  private ScoreOrder(double[] scores, long[] sorted) {
    this.scores = scores;
    this.sorted = sorted;
  }

  /** Sorts. The array is kept, not copied. A NaN, which has no place in an order, is refused. */
  static ScoreOrder of(double[] scores, IntPredicate isTarget) {
    int n = scores.length;
    long[] packed = new long[n];
    inChunks(
        n,
        (_, from, to) -> {
          for (int i = from; i < to; i++) {
            packed[i] = key(scores, i) << 32 | (long) i << 1 | (isTarget.test(i) ? 1 : 0);
          }
        });
    long[] spare = new long[n];
    long[] low = sort(packed, spare);
    inChunks(
        n,
        (_, from, to) -> {
          for (int i = from; i < to; i++) {
            low[i] = key(scores, trial(low[i])) & ~TRIAL | low[i] & TRIAL;
          }
        });
    ScoreOrder order = new ScoreOrder(scores, sort(low, low == packed ? spare : packed));
    inChunks(n, (_, from, to) -> order.markTies(from, to));
    return order;
  }

  /** Bits of a score with its order when read as an unsigned integer. */
  private static long key(double[] scores, int trial) {
    if (Double.isNaN(scores[trial])) {
      throw InputException.of(
          "score %s is NaN; look for NaN in the embeddings or the score file", trial + 1);
    }
    long bits = Double.doubleToRawLongBits(scores[trial] + 0.0); // -0 becomes 0: they are tied
    return bits < 0 ? ~bits : bits ^ Long.MIN_VALUE;
  }

  /** Sorts by the upper half; returns the array that holds the result, one of the two. */
  private static long[] sort(long[] packed, long[] spare) {
    long[] from = packed;
    long[] to = spare;
    for (int pass = 0; pass < PASSES; pass++) {
      if (!distribute(from, to, pass)) continue;
      long[] swap = from;
      from = to;
      to = swap;
    }
    return from;
  }

  /** One pass: in order of one digit, otherwise as it was. False if nothing was to be done. */
  private static boolean distribute(long[] from, long[] to, int pass) {
    // Chunks share no counter, and a chunk's trials of a digit go behind those of earlier chunks.
    int[][] places = new int[CHUNKS][DIGITS];
    inChunks(from.length, (chunk, start, end) -> count(from, start, end, pass, places[chunk]));
    int sum = 0;
    for (int d = 0; d < DIGITS; d++) {
      int before = sum;
      for (int[] ofChunk : places) {
        int count = ofChunk[d];
        ofChunk[d] = sum;
        sum += count;
      }
      if (sum - before == from.length) return false; // all have this digit
    }
    inChunks(from.length, (chunk, start, end) -> move(from, to, start, end, pass, places[chunk]));
    return true;
  }

  private static void count(long[] from, int start, int end, int pass, int[] counts) {
    for (int i = start; i < end; i++) counts[digit(from[i], pass)]++;
  }

  private static void move(long[] from, long[] to, int start, int end, int pass, int[] places) {
    for (int i = start; i < end; i++) to[places[digit(from[i], pass)]++] = from[i];
  }

  private void markTies(int from, int to) {
    for (int place = from; place < to; place++) {
      boolean tied = place + 1 < size() && score(place) == score(place + 1);
      sorted[place] = sorted[place] & TRIAL | (tied ? TIED : 0);
    }
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
    return trial(sorted[place]);
  }

  private static int trial(long packed) {
    return (int) packed >>> 1;
  }

  /** The score by place in the order. */
  double score(int place) {
    return scores[trial(place)] + 0.0; // 0 for -0
  }

  /** Whether the next place holds the same score. */
  boolean tiedWithNext(int place) {
    return sorted[place] >= TIED;
  }
}
