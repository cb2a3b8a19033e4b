package slimvox.nn;

import slimvox.backend.Elementwise;
import slimvox.backend.Tensor;
import slimvox.storage.InputException;

/**
 * Fixed point in float32: streams are multiples of 2^-14 between -1024 and 1024.
 *
 * <p>Such numbers have at most 24 significant bits, so float32 holds them as they are, in the same
 * four bytes, and sums and differences of them are exact as long as they stay in the range. What F
 * and G give is rounded to the grid before it is added; so what was added can be subtracted again
 * to the bit, and a rebuilt stream is the stream that was there.
 */
public final class FixedPoint {
  private static final int FRACTION_BITS = 14;

  /** The distance of two numbers of the grid, 2^-14. */
  public static final float STEP = 1f / (1 << FRACTION_BITS);

  /** The largest magnitude, 2^24 steps. */
  public static final float LIMIT = (1 << 24) * STEP;

  private final String name;
  private Tensor gathered; // null: each sum is waited for

  /** A grid for the streams of the sequence {@code name}. */
  public FixedPoint(String name) {
    this.name = name;
  }

  /**
   * From now on sums are not waited for, and none is refused.
   *
   * @param largest one float32 number that becomes the larger of itself and the largest magnitude
   *     of a sum; null: wait again
   */
  public void gatherLargest(Tensor largest) {
    gathered = largest;
  }

  /**
   * sum += round(y).
   *
   * @throws InputException if the sum leaves the range, where it would no longer be exact
   */
  void add(Tensor y, Tensor sum) {
    Elementwise ops = sum.backend().ops().elementwise;
    if (gathered != null) {
      ops.addRounded(1, y, STEP, sum, gathered);
      return;
    }
    float largest = ops.addRounded(1, y, STEP, sum);
    if (!(largest > LIMIT)) return; // what is not a number is found and named by the step
    throw left(name, largest);
  }

  /** The fault that a stream has left the range at {@code place}. */
  public static InputException left(String place, float largest) {
    return InputException.of(
        "%s: a stream reached %g, fixed point ends at %g; use streams: float or a smaller rate",
        place, largest, LIMIT);
  }

  /** Rounds a stream. */
  void round(Tensor x) {
    String label = x.label() + ".unrounded";
    try (Tensor copy = x.backend().allocate(x.category(), label, x.type(), x.shape())) {
      x.backend().ops().elementwise.copy(x, copy);
      x.backend().ops().elementwise.fill(x, 0);
      add(copy, x);
    }
  }
}
