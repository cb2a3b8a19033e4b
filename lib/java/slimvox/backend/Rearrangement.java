package slimvox.backend;

/** Operations that only move values. */
public final class Rearrangement {
  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /** part = the channels of x from {@code first} on, as many as part has. */
    default void sliceChannels(Tensor x, int first, Tensor part) {}

    /** The channels of y from {@code first} on = part. */
    default void writeChannels(Tensor part, int first, Tensor y) {}

    /**
     * y[n, h, w, (t i + j) C + c] = x[n, 2 h + i, t w + j, c]: N x H x W x C to N x H/2 x W/t x
     * 2tC; t is 2, or 1 if frequencies alone are squeezed.
     */
    default void spaceToDepth(Tensor x, Tensor y) {}

    /** x from y: the inverse of {@link #spaceToDepth}. */
    default void depthToSpace(Tensor y, Tensor x) {}

    /**
     * y N x W x D from x N x H x W x C: D = C H, feature c H + h as in WeSpeaker's flattened B x C
     * x F x T.
     */
    default void framesFirst(Tensor x, Tensor y) {}

    /** dx N x H x W x C (+)= dy N x W x D: the inverse of {@link #framesFirst}. */
    default void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {}
  }

  private final Kernels kernels;

  Rearrangement(Kernels kernels) {
    this.kernels = kernels;
  }

  /** See {@link Kernels#sliceChannels}. */
  public void sliceChannels(Tensor x, int first, Tensor part) {
    part(x, first, part);
    kernels.sliceChannels(x, first, part);
  }

  /** See {@link Kernels#writeChannels}. */
  public void writeChannels(Tensor part, int first, Tensor y) {
    part(y, first, part);
    kernels.writeChannels(part, first, y);
  }

  private static void part(Tensor whole, int first, Tensor part) {
    Check.real(whole);
    Check.length(part, whole.type(), part.size());
    if (part.shape().rows() != whole.shape().rows()
        || first < 0
        || first + part.shape().get(-1) > whole.shape().get(-1)) {
      throw Check.unfit("channels from " + first + " on", whole, part);
    }
  }

  /** See {@link Kernels#spaceToDepth}. */
  public void spaceToDepth(Tensor x, Tensor y) {
    deep(x, y);
    kernels.spaceToDepth(x, y);
  }

  /** See {@link Kernels#depthToSpace}. */
  public void depthToSpace(Tensor y, Tensor x) {
    deep(x, y);
    kernels.depthToSpace(y, x);
  }

  private static void deep(Tensor x, Tensor y) {
    Check.real(x);
    Check.length(y, x.type(), x.size());
    int frames = x.shape().get(2) == y.shape().get(2) ? 1 : 2;
    Check.expect(spaceToDepthShape(x.shape(), frames), y);
  }

  /**
   * N x H/2 x W/t x 2tC, the shape of {@link #spaceToDepth} for an input N x H x W x C.
   *
   * @param frames t: how many become one, 1 or 2
   * @throws IllegalArgumentException if H is odd, or W no multiple of t
   */
  public static Shape spaceToDepthShape(Shape x, int frames) {
    if (x.get(1) % 2 != 0 || x.get(2) % frames != 0) {
      throw new IllegalArgumentException(
          "space to depth needs even numbers of frequency rows%s, not %s"
              .formatted(frames == 1 ? "" : " and frames", x));
    }
    return Shape.of(x.get(0), x.get(1) / 2, x.get(2) / frames, Shape.axis(2L * frames * x.get(3)));
  }

  /** See {@link Kernels#framesFirst}. */
  public void framesFirst(Tensor x, Tensor y) {
    Check.shape(framesFirstShape(x.shape()), y);
    Check.real(x);
    kernels.framesFirst(x, y);
  }

  /** See {@link Kernels#framesFirstBackward}. */
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    Check.shape(framesFirstShape(dx.shape()), dy);
    Check.real(dx);
    kernels.framesFirstBackward(dy, dx, accumulate);
  }

  /** N x W x (C H), the shape of {@link #framesFirst} for an input N x H x W x C. */
  public static Shape framesFirstShape(Shape x) {
    return Shape.of(x.get(0), x.get(2), Shape.axis((long) x.get(1) * x.get(3)));
  }
}
