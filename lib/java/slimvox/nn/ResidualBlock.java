package slimvox.nn;

import java.util.List;
import slimvox.backend.Tensor;

/**
 * y = act(last(body(x)) + shortcut(x)), with ReLU for act the block of He et al. 2016 (arXiv
 * 1512.03385), or without a last normalization y = body(x) + shortcut(x), that of arXiv 1603.05027.
 *
 * <p>{@code last} is the batch normalization that ends the residual branch; it adds the shortcut
 * and applies its ReLU, if it has one, in the same pass. Without a shortcut layer x itself is
 * added.
 */
public final class ResidualBlock implements Layer {
  private final Layer body;
  private final BatchNorm2d last;
  private final Layer shortcut;
  private final Conv2d end; // that the last normalization reads; null where it is no branch's

  /**
   * A block.
   *
   * @param last a batch normalization with ReLU or without; null where the body normalizes before
   *     its convolutions
   * @param shortcut null for the identity
   */
  public ResidualBlock(Layer body, BatchNorm2d last, Layer shortcut) {
    this.body = body;
    this.last = last;
    this.shortcut = shortcut;
    end = last != null && body instanceof Branch branch ? branch.lastConvolution() : null;
    if (end != null) end.followedBy(last, true);
  }

  /** What the shortcut goes around, but for the last normalization. */
  public Layer body() {
    return body;
  }

  /** The normalization that ends the branch; null without. */
  public BatchNorm2d last() {
    return last;
  }

  /** What the input goes through before it is added; null: nothing. */
  public Layer shortcut() {
    return shortcut;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Tensor residual = body.forward(x, mode);
    try (Tensor skip = shortcut == null ? x.retain() : shortcut.forward(x, mode)) {
      if (last != null) return last.forwardReusing(residual, skip, mode);
      skip.backend().ops().elementwise.axpy(1, skip, residual);
      return residual;
    }
  }

  /** Frozen, the last convolution normalizes and adds to the shortcut, in the place of it. */
  @Override
  public Tensor forwardReusing(Tensor x, Mode mode) {
    if (end == null || !end.isFrozen(mode) || !x.isSoleOwner()) {
      return Layer.super.forwardReusing(x, mode);
    }
    Tensor sum = shortcut == null ? x.retain() : shortcut.forward(x, mode);
    try (x) {
      body.forwardAdd(sum, x, mode);
      return sum;
    }
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor dsum = dy.exclusive();
    Tensor dx = body.backward(last == null ? dsum.retain() : last.backwardThroughSum(dsum));
    try (Tensor skip = shortcut == null ? dsum : shortcut.backward(dsum)) {
      skip.backend().ops().elementwise.axpy(1, skip, dx);
    }
    return dx;
  }

  @Override
  public List<? extends Stateful> parts() {
    return Stateful.present(body, last, shortcut);
  }
}
