package slimvox.backend.cpu.optim;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import slimvox.backend.Quantized;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;

/**
 * What one thread does in a step of an optimizer whose state is {@link Quantized}: the blocks of a
 * parameter in turn.
 *
 * <p>The codes of a piece are spread out. Then block by block the new state is put in their place,
 * the parameter moved and the state encoded. Pieces are short, so that the processor's accesses to
 * memory are spread over its arithmetic: with pieces of 2048 numbers a step of Adam took half as
 * long again. A block longer than {@link QuantizedState#PIECE} is gone through twice, because
 * nothing can be encoded before its largest number is known.
 */
abstract class QuantizedRule {
  private static final int RUN = 512; // numbers to spread out at once, if blocks are shorter

  private final long size;
  private final int block;
  private final long gradient;
  private final float keep;
  private final QuantizedState[] states;
  private boolean zeros; // whether a gradient of the numbers to encode is 0

  /**
   * A step.
   *
   * @param keep of the first state where the gradient is 0, see {@link QuantizedState#release}
   */
  QuantizedRule(Quantized quantized, Tensor gradient, float keep, QuantizedState... states) {
    size = quantized.codes().size();
    block = quantized.block();
    this.gradient = gradient.address();
    this.keep = quantized.book().isNearestOnly() ? 0 : keep;
    this.states = states;
  }

  /** Takes the least of the sizes of the gradients of the numbers that are to be encoded. */
  final void leastGradient(IntVector sizeBits) {
    zeros = sizeBits.eq(0).anyTrue();
  }

  private void encodeAndRelease(long at, int from, int n, boolean whole) {
    encode(at, from, n, whole);
    if (zeros && keep > 0) states[0].release(gradient + 4 * at, at, from, n, whole, keep);
  }

  static FloatVector all(float value) {
    return FloatVector.broadcast(Lanes.FLOATS, value);
  }

  /** Spreads out the n numbers of state from {@code at} on. */
  void decode(long at, int n) {
    for (QuantizedState s : states) s.decode(at, n);
  }

  /**
   * Puts the new state of the n elements from {@code at} on in place of the numbers that were
   * spread out, from number {@code from} of the piece on; all are of one block.
   *
   * @param last whether {@link #encode} follows; the parameter may be moved here or there
   */
  abstract void renew(long at, int from, int n, boolean last);

  /**
   * Encodes the new state of n elements of one block.
   *
   * @param whole false for a last block that is shorter than the others
   */
  abstract void encode(long at, int from, int n, boolean whole);

  /** Works on the blocks {@code first} to {@code end}, exclusive. */
  final void run(long first, long end) {
    int most = Math.max(1, RUN / block);
    for (long b = first; b < end; b += most) {
      if (block <= QuantizedState.PIECE) {
        shortBlocks(b, Math.min(end, b + most));
      } else {
        longBlock(b);
      }
    }
  }

  private void shortBlocks(long first, long end) {
    long start = first * block;
    int n = (int) (Math.min(size, end * block) - start);
    decode(start, n);
    for (int i = 0; i < n; i += block) {
      int length = Math.min(block, n - i);
      renew(start + i, i, length, true);
      encodeAndRelease(start + i, i, length, length == block);
      for (QuantizedState s : states) s.keepScale(first + i / block, length == block);
    }
  }

  private void longBlock(long number) {
    long start = number * block;
    long end = Math.min(size, start + block);
    boolean whole = end == start + block;
    for (long at = start; at < end; at += QuantizedState.PIECE) {
      int n = (int) Math.min(QuantizedState.PIECE, end - at);
      decode(at, n);
      renew(at, 0, n, false);
    }
    for (long at = start; at < end; at += QuantizedState.PIECE) {
      int n = (int) Math.min(QuantizedState.PIECE, end - at);
      decode(at, n);
      renew(at, 0, n, true);
      encodeAndRelease(at, 0, n, whole);
    }
    for (QuantizedState s : states) s.keepScale(number, whole);
  }
}
