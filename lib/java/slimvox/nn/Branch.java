package slimvox.nn;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Tensor;

/**
 * Convolutions with batch normalization and ReLU between them: the body of a residual block, and F
 * and G of a reversible one.
 *
 * <p>Each convolution reads act(BN(c)) of the output c of the one before it; a normalization before
 * the first convolution (pre-activation) and one behind the last (post-activation) are optional.
 *
 * <p>Two ways to need less memory and one to need less time, with the same result to float
 * rounding:
 *
 * <ul>
 *   <li>{@code rebuild}: only what convolutions give is kept for backward, and act(BN(c)) is
 *       computed from it again when a convolution's gradient needs its input. Half the bytes.
 *   <li>{@code slice}: where the branch is computed again before backward ({@link
 *       #recomputeAndBackward}), so many inner channels at a time. Between the first and the last
 *       convolution channels do not mix (normalization, ReLU and a depthwise convolution work on
 *       each alone), so a slice of them can be computed, added to the output, differentiated and
 *       dropped before the next one. One pass does both, since no normalization follows the last
 *       convolution.
 *   <li>{@code keep}: where the branch is computed again before backward, what all convolutions but
 *       the last give is kept from forward; only the last one runs again. Worth it where these
 *       outputs are much narrower than the branch's input.
 * </ul>
 *
 * <p>All use the batch statistics of forward.
 *
 * <p>Where the device normalizes what a convolution reads ({@link
 * slimvox.backend.Convolutions.Kernels#normalizes}: a card, depthwise 3x3), act(BN(c)) before it is
 * no tensor: neither written nor read nor in the ledger. Only an ordinary training step keeps it,
 * as PyTorch's layers do.
 */
public final class Branch implements Layer {
  private final List<BatchNorm2d> norms;
  private final List<Conv2d> convolutions;
  private final BatchNorm2d last;
  private final Memory memory;
  private final SlicedBranch sliced;
  private final Tensor[] kept; // outputs of convolutions, from forward to recomputing
  private final Tensor[] inputs; // of the normalizations, where they are rebuilt

  /**
   * What of a branch is in memory.
   *
   * @param rebuild keep the outputs of convolutions only
   * @param slice inner channels at a time when the branch is computed again; 0: all
   * @param keep keep the outputs of all convolutions but the last for computing the branch again;
   *     not with slices
   */
  public record Memory(boolean rebuild, int slice, boolean keep) {
    public Memory {
      if (keep && slice > 0) throw new IllegalArgumentException("what is kept is not sliced");
    }
  }

  /** A branch without normalization at its end that keeps what backward needs. */
  public Branch(List<BatchNorm2d> norms, List<Conv2d> convolutions) {
    this(norms, convolutions, null, new Memory(false, 0, false));
  }

  /**
   * A branch.
   *
   * @param norms the normalization before each convolution; the first may be null
   * @param last the normalization at the end, or null
   * @throws IllegalArgumentException if the branch cannot be sliced, naming its first convolution
   */
  public Branch(
      List<BatchNorm2d> norms, List<Conv2d> convolutions, BatchNorm2d last, Memory memory) {
    this.norms = new ArrayList<>(norms); // List.copyOf refuses null
    this.convolutions = List.copyOf(convolutions);
    this.last = last;
    this.memory = memory;
    this.sliced =
        memory.slice == 0
            ? null
            : new SlicedBranch(this.norms, this.convolutions, last, memory.slice);
    this.kept = new Tensor[norms.size()];
    this.inputs = new Tensor[norms.size()];
    for (int i = 0; i < norms.size(); i++) {
      BatchNorm2d behind = i + 1 < norms.size() ? norms.get(i + 1) : last;
      if (behind != null) convolutions.get(i).followedBy(behind, false);
    }
  }

  /** The convolution at the end where {@link #forwardAdd} is its pass and it never reads x. */
  Conv2d lastConvolution() {
    boolean readsOther = convolutions.size() > 1 || norms.getFirst() != null;
    return last == null && sliced == null && readsOther ? convolutions.getLast() : null;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Tensor current = beforeLast(x, mode);
    int i = convolutions.size() - 1;
    Tensor y;
    try (Tensor p = normalized(i, current, mode)) {
      y = convolutions.get(i).forward(p, modeOfConvolution(i, mode));
    }
    return last == null ? y : last.forwardReusing(y, mode);
  }

  @Override
  public void forwardAdd(Tensor sum, Tensor x, Mode mode) {
    if (sliced != null && !mode.keeps()) {
      sliced.forwardAdd(sum, x, mode);
    } else if (last == null) {
      add(1, sum, x, mode);
    } else {
      Layer.super.forwardAdd(sum, x, mode);
    }
  }

  /** sum += sign times the output, in the pass of the last convolution. */
  private void add(float sign, Tensor sum, Tensor x, Mode mode) {
    Tensor current = beforeLast(x, mode);
    int i = convolutions.size() - 1;
    // Computed again, it is differentiated at once: what its last convolution reads is not rebuilt.
    boolean rebuilt = mode != Mode.RECOMPUTE;
    try (Tensor p = rebuilt ? normalized(i, current, mode) : kept(i, current, mode)) {
      Mode inside = rebuilt ? modeOfConvolution(i, mode) : mode;
      convolutions.get(i).forwardAdd(sum, sign, p, inside);
    }
  }

  /** What all convolutions but the last make of {@code x}. */
  private Tensor beforeLast(Tensor x, Mode mode) {
    Tensor current = x.retain();
    for (int i = 0; i < convolutions.size() - 1; i++) {
      if (mode == Mode.RECOMPUTE && kept[i] != null) {
        current = resume(i, current);
        continue;
      }
      current = convolved(i, current, mode);
      if (memory.keep && mode == Mode.TRAIN_WITHOUT_KEEPING) kept[i] = current.retain();
    }
    return current;
  }

  /** The output of convolution {@code i}; {@code c}, which it is made of, is taken over. */
  private Tensor convolved(int i, Tensor c, Mode mode) {
    Conv2d convolution = convolutions.get(i);
    if (!readsNormalized(i, c, mode)) {
      try (Tensor p = normalized(i, c, mode)) {
        return convolution.forward(p, modeOfConvolution(i, mode));
      }
    }
    try (c) {
      if (mode.keeps()) inputs[i] = c.retain();
      return norms.get(i).readBy(channels -> convolution.forward(c, channels), c, mode);
    }
  }

  /**
   * Whether convolution {@code i} normalizes what it reads, on a device that can. What PyTorch's
   * layers keep is kept all the same, unless the branch is recomputed or rebuilt.
   */
  private boolean readsNormalized(int i, Tensor c, Mode mode) {
    return norms.get(i) != null && (memory.rebuild || mode != Mode.TRAIN) && canNormalize(i, c);
  }

  /** Whether the device can do so, in forward and for the gradient of the weight. */
  private boolean canNormalize(int i, Tensor c) {
    return norms.get(i).hasReLU() && convolutions.get(i).normalizes(c);
  }

  /** The kept output of convolution {@code i}; {@code c}, which it was made of, is taken over. */
  private Tensor resume(int i, Tensor c) {
    Tensor y = kept[i];
    kept[i] = null;
    if (norms.get(i) != null) {
      norms.get(i).resume(c);
      inputs[i] = c; // what the convolution read is needed for its gradient only: rebuilt then
      return y;
    }
    try (c) {
      convolutions.get(i).resume(c);
    }
    return y;
  }

  /** The input of convolution {@code i}; {@code c} is taken over. */
  private Tensor normalized(int i, Tensor c, Mode mode) {
    if (!memory.rebuild || !mode.keeps() || norms.get(i) == null) return kept(i, c, mode);
    inputs[i] = c;
    return norms.get(i).forward(c, mode);
  }

  /** The same where backward does not rebuild it. */
  private Tensor kept(int i, Tensor c, Mode mode) {
    return norms.get(i) == null ? c : norms.get(i).forwardReusing(c, mode);
  }

  /** A convolution keeps its input, unless that is rebuilt. */
  private Mode modeOfConvolution(int i, Mode mode) {
    return memory.rebuild && mode.keeps() && norms.get(i) != null ? Mode.EVALUATE : mode;
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor current = last == null ? dy : last.backward(dy);
    for (int i = convolutions.size() - 1; i >= 0; i--) {
      BatchNorm2d norm = norms.get(i);
      Conv2d convolution = convolutions.get(i);
      if (inputs[i] == null) {
        current = convolution.backward(current);
      } else {
        backwardWeight(i, current);
        current = convolution.backwardData(current);
      }
      if (norm != null) current = norm.backward(current);
    }
    return current;
  }

  /** The gradient of a weight whose input is read as it was before normalization, or rebuilt. */
  private void backwardWeight(int i, Tensor dy) {
    BatchNorm2d norm = norms.get(i);
    Conv2d convolution = convolutions.get(i);
    try (Tensor c = inputs[i]) {
      inputs[i] = null;
      if (canNormalize(i, c)) {
        convolution.backwardWeight(c, norm.channels(), dy);
        return;
      }
      try (Tensor normalized = norm.rebuild(c, 0)) {
        convolution.backwardWeight(normalized, dy);
      }
    }
  }

  @Override
  public Tensor recomputeAndBackward(Tensor x, Tensor dy, Tensor sum) {
    if (sliced != null) return sliced.recomputeAndBackward(x, dy, sum);
    if (last != null) return Layer.super.recomputeAndBackward(x, dy, sum);
    add(-1, sum, x, Mode.RECOMPUTE);
    return backward(dy);
  }

  @Override
  public List<? extends Stateful> parts() {
    List<Stateful> parts = new ArrayList<>();
    for (int i = 0; i < convolutions.size(); i++) {
      parts.addAll(Stateful.present(norms.get(i), convolutions.get(i)));
    }
    if (last != null) parts.add(last);
    return parts;
  }
}
