package slimvox.backend;

/** Statistics over frames. */
public final class Pooling {
  /** What a device computes, see {@link Device}; D = C H, feature c H + h. */
  public interface Kernels {
    /**
     * out = (mean, sqrt(unbiased variance + floor)) over frames: x N x H x W x C, out N x 2D. One
     * frame gives NaN deviations, as in PyTorch.
     */
    default void statisticsPooling(Tensor x, float floor, Tensor out) {}

    /** dx from dout; {@code out} is what the forward pass gave. */
    default void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {}

    /** y = softmax of x over the frames (axis 1 of N x W x D), each of D columns by itself. */
    default void softmaxOverFrames(Tensor x, Tensor y) {}

    /** dx = y (dy - sum over frames of y dy). */
    default void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {}

    /**
     * out N x 2D = (m, sqrt(max(sum alpha x^2 - m^2, floor))), m = sum alpha x, over the frames of
     * x and alpha, N x W x D.
     */
    default void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {}

    /** dx and dalpha from dout; where the floor was taken, the deviation has no gradient. */
    default void weightedStatisticsBackward(
        Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {}
  }

  private final Kernels kernels;
  private final Check check;

  Pooling(Kernels kernels, Check check) {
    this.kernels = kernels;
    this.check = check;
  }

  /** See {@link Kernels#statisticsPooling}. */
  public void statisticsPooling(Tensor x, float floor, Tensor out) {
    pooled(x, out);
    kernels.statisticsPooling(x, floor, out);
    check.finite(out);
  }

  /** See {@link Kernels#statisticsPoolingBackward}. */
  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {
    pooled(x, out);
    Check.same(out, dout);
    Check.alike(x, dx);
    kernels.statisticsPoolingBackward(x, out, dout, dx);
  }

  private static void pooled(Tensor x, Tensor out) {
    Shape s = x.shape();
    Check.real(x);
    Check.shape(Shape.of(s.get(0), Shape.axis(2L * s.get(1) * s.get(3))), out);
  }

  /** See {@link Kernels#softmaxOverFrames}. */
  public void softmaxOverFrames(Tensor x, Tensor y) {
    Check.same(x, y);
    kernels.softmaxOverFrames(x, y);
  }

  /** See {@link Kernels#softmaxOverFramesBackward}. */
  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    Check.same(y, dy, dx);
    kernels.softmaxOverFramesBackward(y, dy, dx);
  }

  /** See {@link Kernels#weightedStatistics}. */
  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    weighted(x, alpha, out);
    kernels.weightedStatistics(x, alpha, floor, out);
    check.finite(out);
  }

  /** See {@link Kernels#weightedStatisticsBackward}. */
  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {
    weighted(x, alpha, out);
    Check.same(x, dx, dalpha);
    Check.same(out, dout);
    kernels.weightedStatisticsBackward(x, alpha, out, floor, dout, dx, dalpha);
  }

  private static void weighted(Tensor x, Tensor alpha, Tensor out) {
    Check.same(x, alpha);
    Check.shape(Shape.of(x.shape().get(0), Shape.axis(2L * x.shape().get(2))), out);
  }
}
