package slimvox.backend;

import java.util.Arrays;
import slimvox.storage.InputException;

/**
 * The lengths of a tensor's axes, slowest first. Activations are N, H (frequency), W (frames), C.
 */
public final class Shape {
  private static final long MOST = 1L << 53; // so that bytes, and sums of them, can be counted

  private final int[] lengths;

  private Shape(int[] lengths) {
    this.lengths = lengths;
  }

  /**
   * A shape.
   *
   * @throws IllegalArgumentException if a length is not positive
   * @throws InputException if there are more elements than 2^53
   */
  public static Shape of(int... lengths) {
    long size = 1;
    for (int length : lengths) {
      if (length <= 0) {
        throw new IllegalArgumentException("impossible shape " + Arrays.toString(lengths));
      }
      if (size > MOST / length) throw tooLarge("a tensor of " + Arrays.toString(lengths));
      size *= length;
    }
    return new Shape(lengths.clone());
  }

  /**
   * The length of an axis that is a product, such as of channels and frequency rows.
   *
   * @throws InputException if it is more than an int
   */
  public static int axis(long length) {
    if (length > Integer.MAX_VALUE) throw tooLarge("an axis of length " + length);
    return (int) length;
  }

  private static InputException tooLarge(String what) {
    return new InputException(what + " is too large; use a smaller batch, fewer frames or bins");
  }

  /** Number of axes. */
  public int rank() {
    return lengths.length;
  }

  /** Length of one axis; a negative axis counts from the end. */
  public int get(int axis) {
    return lengths[axis < 0 ? lengths.length + axis : axis];
  }

  /** Number of elements. */
  public long size() {
    long size = 1;
    for (int length : lengths) size *= length;
    return size;
  }

  /** Number of elements in front of the last axis: the rows of the tensor seen as a matrix. */
  public long rows() {
    return size() / get(-1);
  }

  /** The lengths, as a copy. */
  public int[] toArray() {
    return lengths.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape s && Arrays.equals(lengths, s.lengths);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(lengths);
  }

  @Override
  public String toString() {
    return Arrays.toString(lengths);
  }
}
