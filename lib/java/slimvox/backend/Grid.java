package slimvox.backend;

/**
 * What the numbers of a reversible stream are multiples of, and the type of what is computed from
 * it: a stream may be held more exactly, or in fewer bytes, than what a layer makes of it.
 */
public final class Grid {
  private final DataType computed;
  private float step = 1;
  private float largest;

  /** A grid of step 1. */
  public Grid(DataType computed) {
    this.computed = computed;
  }

  /** A grid of the same step for another type of what is computed. */
  public Grid computing(DataType type) {
    Grid grid = new Grid(type);
    grid.step = step;
    return grid;
  }

  /** The type of tensors that are like one of this grid. */
  public DataType computed() {
    return computed;
  }

  /** The distance of two numbers, a power of two; for {@link DataType#isFixed fixed} types only. */
  public float step() {
    return step;
  }

  /** Another step: only while no tensor of this grid holds anything. */
  public void setStep(float step) {
    this.step = step;
  }

  /**
   * The largest magnitude that a sum had since {@link #forgetLargest}; NaN if one was no number.
   */
  public float largest() {
    return largest;
  }

  /** A device that has added to a tensor of this grid says the largest magnitude of the sums. */
  public void met(float magnitude) {
    largest = Math.max(largest, magnitude);
  }

  /** Starts to look for the largest magnitude. */
  public void forgetLargest() {
    largest = 0;
  }
}
