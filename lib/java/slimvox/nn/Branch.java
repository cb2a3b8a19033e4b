package slimvox.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import slimvox.backend.Tensor;

/**
 * Convolutions with batch normalization and ReLU between them: the body of a residual block, and F
 * and G of a reversible one.
 *
 * <p>Each convolution reads act(BN(c)) of the output c of the one before it; a normalization before
 * the first convolution (pre-activation) and one behind the last (post-activation) are optional.
 *
 * <p>Two ways to need less memory, with the same result to float rounding:
 *
 * <ul>
 *   <li>{@code rebuild}: only what convolutions give is kept for backward, and act(BN(c)) is
 *       computed from it again when a convolution's gradient needs its input. Half the bytes.
 *   <li>{@code slice}: where the branch is computed again before backward ({@link #replay}), so
 *       many inner channels at a time. Between the first and the last convolution channels do not
 *       mix (normalization, ReLU and a depthwise convolution work on each alone), so a slice of
 *       them can be computed, added to the output, differentiated and dropped before the next one.
 *       One pass does both, since no normalization follows the last convolution.
 * </ul>
 *
 * <p>Both use the batch statistics of forward.
 */
public final class Branch implements Layer {
  private final List<BatchNorm2d> norms;
  private final List<Conv2d> convolutions;
  private final BatchNorm2d last;
  private final boolean rebuild;
  private final SlicedBranch sliced;
  private final Tensor[] inputs; // of the normalizations, where they are rebuilt

  /**
   * A branch.
   *
   * @param norms the normalization before each convolution; the first may be null
   * @param last the normalization at the end, or null
   * @param rebuild keep the outputs of convolutions only
   * @param slice inner channels at a time when the branch is computed again; 0: all
   * @throws IllegalArgumentException if the branch cannot be sliced, naming its first convolution
   */
  public Branch(
      List<BatchNorm2d> norms,
      List<Conv2d> convolutions,
      BatchNorm2d last,
      boolean rebuild,
      int slice) {
    this.norms = new ArrayList<>(norms); // List.copyOf refuses null
    this.convolutions = List.copyOf(convolutions);
    this.last = last;
    this.rebuild = rebuild;
    this.sliced = slice == 0 ? null : new SlicedBranch(this.norms, this.convolutions, last, slice);
    this.inputs = new Tensor[norms.size()];
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    if (sliced != null && !mode.keeps()) return sliced.forward(x, mode);
    Mode within = rebuild && mode.keeps() ? Mode.EVALUATE : mode; // of convolutions: keep nothing
    Tensor current = x.retain();
    for (int i = 0; i < convolutions.size(); i++) {
      BatchNorm2d norm = norms.get(i);
      Tensor y;
      if (norm == null) {
        y = convolutions.get(i).forward(current, mode); // its input is not the branch's to rebuild
      } else {
        try (Tensor normalized = norm.forward(current, mode)) {
          y = convolutions.get(i).forward(normalized, within);
        }
        if (rebuild && mode.keeps()) inputs[i] = current.retain();
      }
      current.close();
      current = y;
    }
    if (last == null) return current;
    try (Tensor c = current) {
      return last.forward(c, mode);
    }
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor current = last == null ? dy : last.backward(dy);
    for (int i = convolutions.size() - 1; i >= 0; i--) {
      BatchNorm2d norm = norms.get(i);
      Conv2d convolution = convolutions.get(i);
      if (norm == null) {
        current = convolution.backward(current);
        continue;
      }
      if (rebuild) {
        try (Tensor normalized = norm.rebuild(inputs[i])) {
          inputs[i].close();
          convolution.backwardWeight(normalized, current);
        }
        current = convolution.backwardData(current);
      } else {
        current = convolution.backward(current);
      }
      current = norm.backward(current);
    }
    return current;
  }

  /**
   * Forward and backward at once, for a branch that ran in {@link Mode#TRAIN_WITHOUT_KEEPING}.
   *
   * @param x its input, borrowed
   * @param dy the output's gradient, taken over
   * @param output gets the output again, borrowed, before the gradient is complete
   * @return the input's gradient
   */
  @Override
  public Tensor replay(Tensor x, Tensor dy, Consumer<Tensor> output) {
    return sliced == null ? Layer.super.replay(x, dy, output) : sliced.replay(x, dy, output);
  }

  @Override
  public void describe(State state) {
    for (int i = 0; i < convolutions.size(); i++) {
      if (norms.get(i) != null) norms.get(i).describe(state);
      convolutions.get(i).describe(state);
    }
    if (last != null) last.describe(state);
  }

  @Override
  public void initialize(RandomGenerator random) {
    for (int i = 0; i < convolutions.size(); i++) {
      if (norms.get(i) != null) norms.get(i).initialize(random);
      convolutions.get(i).initialize(random);
    }
    if (last != null) last.initialize(random);
  }

  @Override
  public void close() {
    for (int i = 0; i < convolutions.size(); i++) {
      if (norms.get(i) != null) norms.get(i).close();
      convolutions.get(i).close();
    }
    if (last != null) last.close();
  }
}
