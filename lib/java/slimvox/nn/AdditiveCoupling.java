package slimvox.nn;

import java.util.List;
import slimvox.backend.Tensor;

/**
 * y1 = x1 + F(x2), y2 = x2 + G(y1): whatever F and G are, x2 = y2 - G(y1) and x1 = y1 - F(x2).
 *
 * <p>Both sums are taken in place, so that a forward needs the two streams and what is inside F or
 * G at a time. Backward computes G(y1) and F(x2) a second time, with the statistics of the first,
 * and differentiates them: dx1 = dy1 + (dG/dy1)^T dy2, dx2 = dy2 + (dF/dx2)^T dx1.
 *
 * <p>In floating point the inverse is exact only up to rounding, about one unit in the last place
 * of the streams a coupling; the errors add up with depth. With a {@link FixedPoint} it is exact to
 * the bit.
 *
 * <p>Source: Gomez et al. 2017, arXiv 1707.04585, equations 6 to 8.
 */
public final class AdditiveCoupling implements Reversible {
  private final Layer f;
  private final Layer g; // may be null
  private final FixedPoint grid; // null: float32
  private boolean stored; // in the last forward

  /** A coupling of two layers that keep the shape of a stream. */
  public AdditiveCoupling(Layer f, Layer g) {
    this(f, g, null);
  }

  /**
   * A coupling of two layers that keep the shape of a stream.
   *
   * @param g null: y2 = x2
   * @param grid what F and G are rounded to before they are added, or null
   */
  public AdditiveCoupling(Layer f, Layer g, FixedPoint grid) {
    this.f = f;
    this.g = g;
    this.grid = grid;
  }

  /** What is added to the first stream. */
  public Layer f() {
    return f;
  }

  /** What is added to the second stream; null: nothing. */
  public Layer g() {
    return g;
  }

  @Override
  public void forward(Streams x, Mode mode) {
    stored = mode.keeps();
    add(f, x.second(), x.ownFirst(), mode);
    if (g != null) add(g, x.first(), x.ownSecond(), mode);
  }

  private void add(Layer layer, Tensor x, Tensor sum, Mode mode) {
    if (grid == null) {
      layer.forwardAdd(sum, x, mode);
      return;
    }
    try (Tensor y = zeros(sum)) {
      layer.forwardAdd(y, x, mode);
      grid.add(y, sum);
    }
  }

  private static Tensor zeros(Tensor like) {
    Tensor y = like.backend().allocateLike(like, like.category(), like.label() + ".change");
    like.backend().ops().elementwise.fill(y, 0);
    return y;
  }

  @Override
  public void backward(Streams y, Streams dy) {
    if (g != null) subtract(g, y.first(), y.second(), dy.second(), dy.first());
    subtract(f, y.second(), y.first(), dy.first(), dy.second());
  }

  /** sum -= layer(x); dx += gradient of layer at x along dsum, which stays. */
  private void subtract(Layer layer, Tensor x, Tensor sum, Tensor dsum, Tensor dx) {
    try (Tensor through = recomputeAndBackward(layer, x, sum, dsum.retain())) {
      dx.backend().ops().elementwise.axpy(1, through, dx);
    }
  }

  private Tensor recomputeAndBackward(Layer layer, Tensor x, Tensor sum, Tensor dsum) {
    if (stored) return layer.backward(dsum);
    if (grid == null) return layer.recomputeAndBackward(x, dsum, sum);
    try (Tensor y = zeros(sum)) {
      Tensor through = layer.recomputeAndBackward(x, dsum, y);
      grid.add(y, sum);
      return through;
    }
  }

  @Override
  public List<? extends Stateful> parts() {
    return Stateful.present(f, g);
  }

  @Override
  public void describe(StateDict state) {
    if (grid != null) state.add(grid);
    Reversible.super.describe(state);
  }
}
