package slimvox.nn;

import java.util.random.RandomGenerator;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * y1 = x1 + F(x2), y2 = x2 + G(y1): whatever F and G are, x2 = y2 - G(y1) and x1 = y1 - F(x2).
 *
 * <p>Both sums are taken in place, so that a forward needs the two streams and what is inside F or
 * G at a time. Backward computes G(y1) and F(x2) a second time, with the statistics of the first,
 * and differentiates them: dx1 = dy1 + (dG/dy1)^T dy2, dx2 = dy2 + (dF/dx2)^T dx1.
 *
 * <p>In floating point the inverse is exact only up to rounding, about one unit in the last place
 * of the streams a coupling; the errors add up with depth.
 *
 * <p>Source: Gomez et al. 2017, arXiv 1707.04585, equations 6 to 8.
 */
public final class AdditiveCoupling implements Reversible {
  private final Layer f;
  private final Layer g;

  /** A coupling of two layers that keep the shape of a stream. */
  public AdditiveCoupling(Layer f, Layer g) {
    this.f = f;
    this.g = g;
  }

  @Override
  public void forward(Streams x, Mode mode) {
    add(f, x.second(), x.first(), mode);
    add(g, x.first(), x.second(), mode);
  }

  private static void add(Layer layer, Tensor x, Tensor sum, Mode mode) {
    try (Tensor y = layer.forward(x, mode)) {
      if (!y.shape().equals(sum.shape())) {
        throw new IllegalArgumentException(
            y + " cannot be added to the stream " + sum + ": a coupling keeps the shape");
      }
      sum.backend().ops().addScaled(1, y, sum);
    }
  }

  @Override
  public void backward(Streams y, Streams dy) {
    subtract(g, y.first(), y.second(), dy.second(), dy.first());
    subtract(f, y.second(), y.first(), dy.first(), dy.second());
  }

  /** sum -= layer(x); dx += gradient of layer at x along dsum, which stays. */
  private static void subtract(Layer layer, Tensor x, Tensor sum, Tensor dsum, Tensor dx) {
    Operations ops = x.backend().ops();
    try (Tensor y = layer.forward(x, Mode.RECOMPUTE)) {
      ops.addScaled(-1, y, sum);
    }
    Tensor up =
        x.backend().allocateLike(dsum, Category.ACTIVATION_GRADIENT, dsum.label() + ".copy");
    ops.copy(dsum, up);
    try (Tensor through = layer.backward(up)) {
      ops.addScaled(1, through, dx);
    }
  }

  @Override
  public void describe(State state) {
    f.describe(state);
    g.describe(state);
  }

  @Override
  public void initialize(RandomGenerator random) {
    f.initialize(random);
    g.initialize(random);
  }

  @Override
  public void close() {
    f.close();
    g.close();
  }
}
