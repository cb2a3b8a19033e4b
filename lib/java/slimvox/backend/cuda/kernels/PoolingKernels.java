package slimvox.backend.cuda.kernels;

import slimvox.backend.Pooling;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/pooling.cu. */
public final class PoolingKernels implements Pooling.Kernels {
  private final Launcher launcher;

  /** Launches through {@code launcher}. */
  public PoolingKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  @Override
  public void statisticsPooling(Tensor x, float floor, Tensor out) {
    Shape s = x.shape();
    launcher.launch(
        "statistics_pooling",
        ElementwiseKernels.ones((long) s.get(0) * s.get(1) * s.get(3)),
        x,
        floor,
        out,
        planes(s));
  }

  @Override
  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {
    Shape s = x.shape();
    launcher.launch(
        "statistics_pooling_backward",
        ElementwiseKernels.ones((long) s.get(0) * s.get(1) * s.get(3)),
        x,
        out,
        dout,
        dx,
        planes(s));
  }

  /** How many matrices of frames x channels, and the lengths behind the batch. */
  private static Object[] planes(Shape s) {
    return new Object[] {Math.multiplyExact(s.get(0), s.get(1)), s.get(1), s.get(2), s.get(3)};
  }

  @Override
  public void softmaxOverFrames(Tensor x, Tensor y) {
    Shape s = x.shape();
    launcher.launch("softmax_over_frames", columns(s), x, y, s);
  }

  @Override
  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    Shape s = y.shape();
    launcher.launch("softmax_over_frames_backward", columns(s), y, dy, dx, s);
  }

  @Override
  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    Shape s = x.shape();
    launcher.launch("weighted_statistics", columns(s), x, alpha, floor, out, s);
  }

  @Override
  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {
    Shape s = x.shape();
    launcher.launch(
        "weighted_statistics_backward", columns(s), x, alpha, out, floor, dout, dx, dalpha, s);
  }

  /** A thread for each column of each utterance. */
  private static Grid columns(Shape s) {
    return ElementwiseKernels.ones((long) s.get(0) * s.get(2));
  }
}
