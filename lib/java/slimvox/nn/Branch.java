package slimvox.nn;

import java.util.ArrayList;
import java.util.List;
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
    Tensor current = beforeLast(x, mode);
    int i = convolutions.size() - 1;
    Tensor y;
    try (Tensor p = normalized(i, current, mode)) {
      y = convolutions.get(i).forward(p, modeOfConvolution(i, mode));
    }
    return last == null ? y : last.consume(y, mode);
  }

  @Override
  public void addTo(Tensor sum, Tensor x, Mode mode) {
    if (sliced != null && !mode.keeps()) {
      sliced.addTo(sum, x, mode);
    } else if (last == null) {
      add(1, sum, x, mode);
    } else {
      Layer.super.addTo(sum, x, mode);
    }
  }

  /** sum += sign times the output, in the pass of the last convolution. */
  private void add(float sign, Tensor sum, Tensor x, Mode mode) {
    Tensor current = beforeLast(x, mode);
    int i = convolutions.size() - 1;
    try (Tensor p = normalized(i, current, mode)) {
      convolutions.get(i).addTo(sum, sign, p, modeOfConvolution(i, mode));
    }
  }

  /** What all convolutions but the last make of {@code x}. */
  private Tensor beforeLast(Tensor x, Mode mode) {
    Tensor current = x.retain();
    for (int i = 0; i < convolutions.size() - 1; i++) {
      try (Tensor p = normalized(i, current, mode)) {
        current = convolutions.get(i).forward(p, modeOfConvolution(i, mode));
      }
    }
    return current;
  }

  /** The input of convolution {@code i}; {@code c} is taken over. */
  private Tensor normalized(int i, Tensor c, Mode mode) {
    if (norms.get(i) == null) return c;
    if (!rebuild || !mode.keeps()) return norms.get(i).consume(c, mode);
    inputs[i] = c;
    return norms.get(i).forward(c, mode);
  }

  /** A convolution keeps its input, unless that is rebuilt. */
  private Mode modeOfConvolution(int i, Mode mode) {
    return rebuild && mode.keeps() && norms.get(i) != null ? Mode.EVALUATE : mode;
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

  @Override
  public Tensor replay(Tensor x, Tensor dy, Tensor sum) {
    if (sliced != null) return sliced.replay(x, dy, sum);
    if (last != null) return Layer.super.replay(x, dy, sum);
    add(-1, sum, x, Mode.RECOMPUTE);
    return backward(dy);
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
