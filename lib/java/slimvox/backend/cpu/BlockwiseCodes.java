package slimvox.backend.cpu;

import static slimvox.backend.cpu.Lanes.ALL;
import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.CodeBook;
import slimvox.backend.Quantized;
import slimvox.backend.Tensor;

/**
 * Quantizes and dequantizes {@link Quantized} numbers, piece by piece in the processor's first
 * cache.
 *
 * <p>A piece of at most {@value #PIECE} numbers is spread out into a float array of its thread.
 * Blocks up to that length are done in one pass; longer ones (a tensor-wise scale) in two, the
 * first of which finds absmax.
 */
final class BlockwiseCodes {
  /** Numbers that are held as float32 at a time, a thread. */
  static final int PIECE = 2048;

  private final Parallel parallel;
  private final Map<CodeBook, NearestCode> books = new ConcurrentHashMap<>();

  BlockwiseCodes(Parallel parallel) {
    this.parallel = parallel;
  }

  /** The book with its table, made when first asked for. */
  NearestCode book(CodeBook book) {
    return books.computeIfAbsent(book, NearestCode::new);
  }

  // ---- one piece

  /** x[i] = value of code i times scale. */
  static void decode(NearestCode book, long codes, float scale, float[] x, int n) {
    int i = 0;
    if (book.vectors != null) {
      book.vectors.decode(codes, scale, x, n);
      i = n / CodeVectors.ROUND * CodeVectors.ROUND;
    }
    float[] values = book.values;
    for (; i < n; i++) x[i] = values[ALL.get(ValueLayout.JAVA_BYTE, codes + i) & 255] * scale;
  }

  /**
   * codes[i] = code of x[i] / absmax.
   *
   * @param whole false for a block that is shorter than the others, see {@link Quantized}
   */
  static void encode(
      NearestCode book,
      float[] x,
      int n,
      float absmax,
      boolean whole,
      long codes,
      CodeVectors.Room room) {
    float scale = Math.max(absmax, Quantized.LEAST_SCALE);
    float factor = 1 / scale;
    int i = 0;
    if (book.vectors != null && whole) {
      book.vectors.encode(x, n, factor, codes, room);
      i = n / CodeVectors.ROUND * CodeVectors.ROUND;
    }
    for (; i < n; i++) {
      int code = book.of(whole ? x[i] * factor : x[i] / scale);
      ALL.set(ValueLayout.JAVA_BYTE, codes + i, (byte) code);
    }
  }

  private static float copyOfLargest(long from, float[] x, int n) {
    FloatVector largest = FloatVector.zero(Lanes.FLOATS);
    int i = 0;
    for (; i <= n - LANES; i += LANES) {
      FloatVector v = load(from + 4L * i);
      v.intoArray(x, i);
      largest = largest.max(v.abs());
    }
    if (i < n) {
      VectorMask<Float> t = tail(i, n);
      FloatVector v = load(from + 4L * i, t);
      v.intoArray(x, i, t);
      largest = largest.max(v.abs());
    }
    return largest.reduceLanes(VectorOperators.MAX);
  }

  // ---- whole tensors

  void quantize(Tensor x, Quantized y) {
    NearestCode book = book(y.book());
    long in = x.address();
    long codes = y.codes().address();
    long absmax = y.absmax().address();
    long size = x.size();
    int block = y.block();
    parallel.run(
        y.blocks(),
        block,
        (part, from, to) -> {
          float[] piece = new float[PIECE];
          CodeVectors.Room room = new CodeVectors.Room();
          for (long b = from; b < to; b++) {
            long end = Math.min(size, (b + 1) * block);
            boolean whole = end == (b + 1) * block;
            float largest = 0;
            for (long at = b * block; at < end; at += PIECE) {
              int n = (int) Math.min(PIECE, end - at);
              largest = Math.max(largest, copyOfLargest(in + 4 * at, piece, n));
            }
            Lanes.set(absmax, b, Quantized.storedScale(largest, whole));
            for (long at = b * block; at < end; at += PIECE) {
              int n = (int) Math.min(PIECE, end - at);
              copyOfLargest(in + 4 * at, piece, n);
              encode(book, piece, n, largest, whole, codes + at, room);
            }
          }
        });
  }

  void dequantize(Quantized x, Tensor y) {
    NearestCode book = book(x.book());
    long codes = x.codes().address();
    long absmax = x.absmax().address();
    long out = y.address();
    long size = y.size();
    int block = x.block();
    parallel.run(
        x.blocks(),
        block,
        (part, from, to) -> {
          float[] piece = new float[PIECE];
          for (long b = from; b < to; b++) {
            long end = Math.min(size, (b + 1) * block);
            for (long at = b * block; at < end; at += PIECE) {
              int n = (int) Math.min(PIECE, end - at);
              decode(book, codes + at, Lanes.get(absmax, b), piece, n);
              for (int i = 0; i < n; i++) Lanes.set(out, at + i, piece[i]);
            }
          }
        });
  }
}
