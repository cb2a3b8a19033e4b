package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Fills features N x H x W x 1 up with zeros at the end of both axes, to multiples of two numbers.
 *
 * <p>For the input of a network only: backward gives no gradient. Where nothing is missing the
 * input itself goes on, without a copy.
 */
public final class ZeroPadding implements Layer {
  private final Backend backend;
  private final String name;
  private final int bins;
  private final int frames;

  /** Pads H to a multiple of {@code bins}, and W to one of {@code frames}. */
  public ZeroPadding(Backend backend, String name, int bins, int frames) {
    this.backend = backend;
    this.name = name;
    this.bins = bins;
    this.frames = frames;
  }

  /** What H becomes a multiple of. */
  public int bins() {
    return bins;
  }

  /** What W becomes a multiple of. */
  public int frames() {
    return frames;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    int[] s = x.shape().toArray();
    if (s[3] != 1) throw new IllegalArgumentException(name + ": features have one channel: " + x);
    int height = up(s[1], bins);
    int width = up(s[2], frames);
    if (height == s[1] && width == s[2]) return x.retain();
    Tensor y = like(x, name + ".out", s[0], height, width, 1);
    backend.ops().elementwise.fill(y, 0);
    try (Tensor wide = like(x, name + ".wide", s[0], s[1], width);
        Tensor rows = x.view(s[0], s[1], s[2]);
        Tensor all = y.view(s[0], Shape.axis((long) height * width));
        Tensor part = wide.view(s[0], Shape.axis((long) s[1] * width))) {
      backend.ops().elementwise.fill(wide, 0);
      backend.ops().rearrangement.writeChannels(rows, 0, wide); // the frames are the last axis here
      backend.ops().rearrangement.writeChannels(part, 0, all);
    }
    return y;
  }

  private Tensor like(Tensor x, String label, int... lengths) {
    return backend.allocate(Category.INPUT, label, x.type(), Shape.of(lengths));
  }

  private static int up(int n, int multiple) {
    return (n + multiple - 1) / multiple * multiple;
  }

  /** Returns null: features have no gradient. */
  @Override
  public Tensor backward(Tensor dy) {
    if (dy != null) dy.close();
    return null;
  }
}
