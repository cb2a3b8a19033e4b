package slimvox.backend.cpu;

import static slimvox.backend.cpu.Lanes.ALL;
import static slimvox.backend.cpu.Lanes.LANES;
import static slimvox.backend.cpu.Lanes.load;
import static slimvox.backend.cpu.Lanes.tail;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
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

  private static final boolean GATHER = Boolean.getBoolean("gather");
  private static final boolean GATHERD = Boolean.getBoolean("gatherd");
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Byte> BYTES =
      VectorSpecies.of(
          byte.class,
          jdk.incubator.vector.VectorShape.forBitSize(Math.max(64, INTS.vectorBitSize() / 4)));

  private final Parallel parallel;
  private final Map<CodeBook, NearestCode> books = new ConcurrentHashMap<>();

  BlockwiseCodes(Parallel parallel) {
    this.parallel = parallel;
  }

  /** The book with its table, made when first asked for. */
  NearestCode book(CodeBook book) {
    return books.computeIfAbsent(book, NearestCode::new);
  }

  /** Room for the indices of one piece. */
  static int[] indices() {
    return new int[PIECE];
  }

  // ---- one piece

  /** x[i] = value of code i times scale. */
  static void decode(NearestCode book, long codes, float scale, float[] x, int[] index, int n) {
    float[] values = book.values;
    if (GATHERD) {
      int i = 0;
      for (; i <= n - LANES; i += LANES) {
        ByteVector b = ByteVector.fromMemorySegment(BYTES, ALL, codes + i, ByteOrder.nativeOrder());
        IntVector v = (IntVector) b.convertShape(VectorOperators.ZERO_EXTEND_B2I, INTS, 0);
        v.intoArray(index, i);
        FloatVector.fromArray(Lanes.FLOATS, values, 0, index, i).mul(scale).intoArray(x, i);
      }
      for (; i < n; i++) {
        x[i] = values[ALL.get(ValueLayout.JAVA_BYTE, codes + i) & 255] * scale;
      }
      return;
    }
    for (int i = 0; i < n; i++) {
      x[i] = values[ALL.get(ValueLayout.JAVA_BYTE, codes + i) & 255] * scale;
    }
  }

  /**
   * codes[i] = code of x[i] / absmax.
   *
   * @param whole false for a block that is shorter than the others, see {@link Quantized}
   */
  static void encode(
      NearestCode book, float[] x, int n, float absmax, boolean whole, long codes, int[] keys) {
    float scale = Math.max(absmax, Quantized.LEAST_SCALE);
    float factor = 1 / scale;
    int shift = book.shift;
    int mask = book.mask;
    int[] table = book.table;
    if (GATHER && whole) {
      int i = 0;
      for (; i <= n - LANES; i += LANES) {
        IntVector bits = load(x, i).mul(factor).reinterpretAsInts();
        IntVector key =
            bits.lanewise(
                VectorOperators.XOR, bits.lanewise(VectorOperators.ASHR, 31).or(0x80000000));
        key.lanewise(VectorOperators.LSHR, shift).intoArray(keys, i);
        IntVector t = IntVector.fromArray(INTS, table, 0, keys, i);
        IntVector c = t.add(key.and(mask)).lanewise(VectorOperators.LSHR, shift);
        ((ByteVector) c.convertShape(VectorOperators.I2B, BYTES, 0))
            .intoMemorySegment(ALL, codes + i, ByteOrder.nativeOrder());
      }
      for (; i < n; i++) {
        int key = NearestCode.key(x[i] * factor);
        int code = (table[key >>> shift] + (key & mask)) >>> shift;
        ALL.set(ValueLayout.JAVA_BYTE, codes + i, (byte) code);
      }
      return;
    }
    for (int i = 0; i < n; i++) {
      int key = NearestCode.key(whole ? x[i] * factor : x[i] / scale);
      int code = (table[key >>> shift] + (key & mask)) >>> shift;
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
          int[] keys = indices();
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
              encode(book, piece, n, largest, whole, codes + at, keys);
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
          int[] index = indices();
          for (long b = from; b < to; b++) {
            long end = Math.min(size, (b + 1) * block);
            for (long at = b * block; at < end; at += PIECE) {
              int n = (int) Math.min(PIECE, end - at);
              decode(book, codes + at, Lanes.get(absmax, b), piece, index, n);
              for (int i = 0; i < n; i++) Lanes.set(out, at + i, piece[i]);
            }
          }
        });
  }
}
