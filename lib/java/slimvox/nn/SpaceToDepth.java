package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Rearrangement;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;

/**
 * Down-sampling that loses nothing: each 2 x 2 square of pixels becomes one pixel with four times
 * the channels, y[n, h, w, (2 i + j) C + c] = x[n, 2 h + i, 2 w + j, c].
 *
 * <p>N x H x W x C to N x H/2 x W/2 x 4C, H and W even. It only moves values, so its inverse is
 * exact and its gradient is its inverse. In a {@link ReversibleSequence} it takes both streams.
 *
 * <p>Source: Jacobsen et al. 2018 (i-RevNet), arXiv 1802.07088; the order of channels is theirs.
 */
public final class SpaceToDepth implements Layer, Reversible {
  private final Backend backend;
  private final String name;

  /** A down-sampling whose tensors are labelled {@code name}. */
  public SpaceToDepth(Backend backend, String name) {
    this.backend = backend;
    this.name = name;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    return deepen(x);
  }

  @Override
  public Tensor backward(Tensor dy) {
    try (dy) {
      return widen(dy);
    }
  }

  @Override
  public void forward(Streams x, Mode mode) {
    x.replaceFirst(deepen(x.first()));
    x.replaceSecond(deepen(x.second()));
  }

  @Override
  public void backward(Streams y, Streams dy) {
    for (Streams s : new Streams[] {y, dy}) {
      s.replaceFirst(widen(s.first()));
      s.replaceSecond(widen(s.second()));
    }
  }

  private Tensor deepen(Tensor x) {
    if (x.shape().get(1) % 2 != 0 || x.shape().get(2) % 2 != 0) {
      throw new IllegalArgumentException(
          "%s: %d x %d pixels cannot be halved on both axes"
              .formatted(name, x.shape().get(1), x.shape().get(2)));
    }
    Tensor y = like(x, name + ".deep", Rearrangement.spaceToDepthShape(x.shape()));
    backend.ops().rearrangement.spaceToDepth(x, y);
    return y;
  }

  private Tensor widen(Tensor y) {
    int[] s = y.shape().toArray();
    Tensor x = like(y, name + ".wide", Shape.of(s[0], 2 * s[1], 2 * s[2], s[3] / 4));
    backend.ops().rearrangement.depthToSpace(y, x);
    return x;
  }

  private Tensor like(Tensor x, String label, Shape shape) {
    return backend.allocate(x.category(), label, x.type(), x.grid(), shape);
  }
}
