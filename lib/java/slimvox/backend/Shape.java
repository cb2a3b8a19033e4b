package slimvox.backend;

import java.util.Arrays;

/**
 * The lengths of a tensor's axes, slowest first. Activations are N, H (frequency), W (frames), C.
 */
public final class Shape {
  private final int[] lengths;

  private Shape(int[] lengths) {
    this.lengths = lengths;
  }

  /**
   * A shape.
   *
   * @throws IllegalArgumentException if a length is not positive
   */
  public static Shape of(int... lengths) {
    for (int length : lengths) {
      if (length <= 0) {
        throw new IllegalArgumentException("impossible shape " + Arrays.toString(lengths));
      }
    }
    return new Shape(lengths.clone());
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
