package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Rearrangement;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;

/**
 * Down-sampling that loses nothing: 2 x t pixels (i, j) become one with 2t times the channels, y[n,
 * h, w, (t i + j) C + c] = x[n, 2 h + i, t w + j, c]. With t = 2 both axes are squeezed, with t = 1
 * frequencies alone.
 *
 * <p>N x H x W x C to N x H/2 x W/t x 2tC, H even and W a multiple of t. It only moves values, so
 * its inverse is exact and its gradient is its inverse. In a {@link ReversibleSequence} it takes
 * both streams.
 *
 * <p>Source: Jacobsen et al. 2018 (i-RevNet), arXiv 1802.07088, for t = 2; the order of channels is
 * theirs, and that of t = 1 after frames were squeezed alone.
 */
public final class SpaceToDepth implements Layer, Reversible {
  private final Backend backend;
  private final String name;
  private final int frames;

  /**
   * A down-sampling whose tensors are labelled {@code name}.
   *
   * @param frames t: how many neighbouring frames become one, 1 or 2
   */
  public SpaceToDepth(Backend backend, String name, int frames) {
    this.backend = backend;
    this.name = name;
    this.frames = frames;
  }

  /** How many neighbouring frames become one. */
  public int frames() {
    return frames;
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
    Tensor y = like(x, name + ".deep", Rearrangement.spaceToDepthShape(x.shape(), frames));
    backend.ops().rearrangement.spaceToDepth(x, y);
    return y;
  }

  private Tensor widen(Tensor y) {
    int[] s = y.shape().toArray();
    Shape wide = Shape.of(s[0], 2 * s[1], frames * s[2], s[3] / (2 * frames));
    Tensor x = like(y, name + ".wide", wide);
    backend.ops().rearrangement.depthToSpace(y, x);
    return x;
  }

  private Tensor like(Tensor x, String label, Shape shape) {
    return backend.allocate(x.category(), label, x.type(), x.grid(), shape);
  }
}
