package slimvox.nn;

import slimvox.backend.Elementwise;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * A function with parameters: forward and backward side by side.
 *
 * <p>Who owns what is said in {@link Tensor}: forward borrows its input and returns an output that
 * the caller owns; backward takes the output's gradient over and returns the input's.
 *
 * <p>A layer keeps what backward needs from the last forward in {@link Mode#TRAIN} or {@link
 * Mode#RECOMPUTE}, for one backward.
 */
public interface Layer extends Stateful {
  /** The output for {@code x}. */
  Tensor forward(Tensor x, Mode mode);

  /**
   * Forward that takes {@code x} over: where it is needed no more, the output may take its place.
   */
  default Tensor forwardReusing(Tensor x, Mode mode) {
    try (x) {
      return forward(x, mode);
    }
  }

  /**
   * Adds to the parameters' gradients and returns the input's gradient, or {@code null} if the
   * layer was built without one. Who adds to a parameter's gradient calls {@link
   * Parameter#gradientComplete} at the very end, when the values are not needed any more.
   */
  Tensor backward(Tensor dy);

  /** Forward whose output is added to {@code sum} instead of being returned. */
  default void forwardAdd(Tensor sum, Tensor x, Mode mode) {
    try (Tensor y = forward(x, mode)) {
      add(1, y, sum);
    }
  }

  /**
   * Takes what {@link #forwardAdd} added in {@link Mode#TRAIN_WITHOUT_KEEPING} off again, and
   * differentiates it.
   *
   * @param x the input of that forward, borrowed
   * @param dy the output's gradient, taken over
   * @param sum the output is subtracted from it
   * @return the input's gradient
   */
  default Tensor recomputeAndBackward(Tensor x, Tensor dy, Tensor sum) {
    try (Tensor y = forward(x, Mode.RECOMPUTE)) {
      add(-1, y, sum);
    }
    return backward(dy);
  }

  /** sum += sign times y, which is rounded to whole steps first where the sum is of such. */
  static void add(float sign, Tensor y, Tensor sum) {
    Elementwise elementwise = sum.backend().ops().elementwise;
    if (sum.type().isFixed()) {
      elementwise.addRounded(sign, y, sum.grid().step(), sum, null);
    } else {
      elementwise.axpy(sign, y, sum);
    }
  }

  /**
   * Where the gradient of the input of {@code name} goes: over {@code dy} if nobody else has it.
   */
  static Tensor gradientOver(Tensor dy, String name) {
    return dy.isSoleOwner()
        ? dy
        : dy.backend().allocateLike(dy, Category.ACTIVATION_GRADIENT, name + ".din");
  }
}
