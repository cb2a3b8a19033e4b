package slimvox.backend.cpu.optim;

import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import slimvox.backend.Quantized;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;

/**
 * A tensor of optimizer state and the part of the workspace where one thread spreads it out: a
 * piece of float32 numbers.
 */
final class QuantizedState {
  /** Numbers that are spread out at a time, at most. */
  static final int PIECE = 2048;

  /** Bytes of workspace for one state of a thread. */
  static final long ROOM = 4L * PIECE;

  final NearestCode book;
  final long codes;

  /** The piece. */
  final long x;

  private final int block;
  private final long absmax;
  private float largest;

  /**
   * State for a thread.
   *
   * @param room number of the part of the workspace, {@link #ROOM} bytes each
   */
  QuantizedState(Quantized state, NearestCode book, Tensor workspace, int room) {
    this.book = book;
    codes = state.codes().address();
    x = workspace.address() + ROOM * room;
    block = state.block();
    absmax = state.absmax().address();
  }

  /** Spreads n numbers out, from number {@code at} of the tensor on. */
  void decode(long at, int n) {
    BlockwiseCodes.decode(book, codes + at, n, absmax + 4 * (at / block), block, x);
  }

  /** Fills the piece with zeros instead. */
  void zero(int n) {
    for (int i = 0; i < n; i++) Lanes.set(x, i, 0);
  }

  /** The bits of the sizes of numbers, which are in the order of the sizes. */
  static IntVector sizeBits(FloatVector numbers) {
    return numbers.reinterpretAsInts().and(0x7fffffff);
  }

  /** Takes the sizes of new numbers of the block that is worked on. */
  void largest(IntVector sizeBits) {
    float size = Float.intBitsToFloat(sizeBits.reduceLanes(VectorOperators.MAX));
    largest = book.book.scale(Math.max(largest, size));
  }

  /** What the numbers of a whole block are multiplied with to become shares of its largest. */
  float factor() {
    return BlockwiseCodes.factor(largest);
  }

  /** Stores the scale of a block; the next one may begin. */
  void keepScale(long number, boolean whole) {
    Lanes.set(absmax, number, Quantized.storedScale(largest, whole));
    largest = 0;
  }

  /**
   * Encodes n numbers, from number {@code from} of the piece on.
   *
   * @param at their place in the tensor
   * @param whole false for a last block that is shorter than the others
   */
  void encode(long at, int from, int n, boolean whole) {
    if (whole) {
      BlockwiseCodes.encode(book, x + 4L * from, n, factor(), codes + at);
    } else {
      BlockwiseCodes.encodeShort(book, x + 4L * from, n, largest, codes + at);
    }
  }

  /**
   * Lets go of n numbers that have been encoded, where their gradient is 0: see {@link
   * slimvox.backend.AdamStep}.
   *
   * @param gradient address of the gradient of the first
   * @param keep a code gives way if more than 1 / keep of a number would come back
   */
  void release(long gradient, long at, int from, int n, boolean whole, float keep) {
    float scale = Quantized.storedScale(largest, whole);
    if (scale <= Lanes.get(absmax, at / block) * keep) return; // all of the block shrinks
    for (int i = 0; i < n; i++) {
      if (Lanes.get(gradient, i) != 0) continue;
      float number = Lanes.get(x, from + i);
      int code = Lanes.ALL.get(ValueLayout.JAVA_BYTE, codes + at + i) & 255;
      if (Math.abs(book.values[code]) * scale * keep > Math.abs(number)) {
        BlockwiseCodes.set(codes + at + i, number > 0 ? code - 1 : code + 1);
      }
    }
  }
}
