package slimvox.backend.cuda.kernels;

import slimvox.backend.Normalization;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/batchnorm.cu; formulas and the two stages of sums are said there. */
public final class BatchNormKernels implements Normalization.Kernels {
  private static final int ROWS_PER_THREAD = 8;
  private static final Running NONE = new Running(null, null, 0, 0);

  private final Launcher launcher;
  private final OwnMemory own;

  /** Launches through {@code launcher}. */
  public BatchNormKernels(Launcher launcher, OwnMemory own) {
    this.launcher = launcher;
    this.own = own;
  }

  /** Two float32 for each chunk and channel. */
  @Override
  public long batchStatisticsWorkspace(long rows, int channels) {
    return 2 * ColumnSums.workspace(rows, channels);
  }

  /** The same, and three coefficients for each channel. */
  @Override
  public long batchNormalizeBackwardWorkspace(long rows, int channels) {
    return batchStatisticsWorkspace(rows, channels) + 12L * channels;
  }

  @Override
  public void batchStatistics(
      Tensor x, float epsilon, Tensor mean, Tensor invStd, Tensor workspace) {
    long rows = x.shape().rows();
    int channels = x.shape().get(-1);
    launcher.launch(
        "bn_statistics",
        ColumnSums.grid(rows, channels),
        x,
        rows,
        channels,
        ColumnSums.rowsPerChunk(rows),
        workspace,
        own.counters(channels),
        epsilon,
        mean,
        invStd);
  }

  @Override
  public void updateRunningStatistics(Tensor mean, Tensor invStd, long rows, Running running) {
    int channels = Math.toIntExact(mean.size());
    launcher.launch(
        "bn_update_running",
        ElementwiseKernels.ones(channels),
        mean,
        invStd,
        running.epsilon(),
        rows,
        running.momentum(),
        running.mean(),
        running.variance(),
        channels);
  }

  @Override
  public void invStdOf(Tensor variance, float epsilon, Tensor invStd) {
    int channels = Math.toIntExact(variance.size());
    launcher.launch(
        "bn_inverse_deviation",
        ElementwiseKernels.ones(channels),
        variance,
        epsilon,
        invStd,
        channels);
  }

  @Override
  public void batchNormalize(Tensor x, Channels c, Tensor residual, boolean relu, Tensor y) {
    long rows = x.shape().rows();
    int channels = x.shape().get(-1);
    RowGrid g = overRows(rows, channels);
    launcher.launch(
        vectors(channels) ? "bn_normalize4" : "bn_normalize",
        g.grid(),
        x,
        c,
        residual,
        relu,
        y,
        rows,
        channels,
        g.rowsPerBlock());
  }

  /** Rows of whole float4 are read so. */
  private static boolean vectors(int channels) {
    return channels % 4 == 0;
  }

  private static RowGrid overRows(long rows, int channels) {
    return RowGrid.of(rows, vectors(channels) ? channels / 4 : channels, ROWS_PER_THREAD);
  }

  @Override
  public void batchNormalizeBackward(
      Tensor x,
      Tensor y,
      Tensor dy,
      Channels c,
      Tensor dgamma,
      Tensor dbeta,
      boolean accumulate,
      Tensor dresidual,
      Tensor dx,
      Tensor workspace) {
    long rows = x.shape().rows();
    int channels = x.shape().get(-1);
    Running running = c.running() == null ? NONE : c.running();
    long coefficients = workspace.address() + batchStatisticsWorkspace(rows, channels);
    launcher.launch(
        "bn_backward_sums",
        ColumnSums.grid(rows, channels),
        x,
        y,
        dy,
        c,
        dresidual,
        rows,
        channels,
        ColumnSums.rowsPerChunk(rows),
        workspace,
        own.counters(channels),
        accumulate,
        dgamma,
        dbeta,
        coefficients,
        running.epsilon(),
        running.momentum(),
        running.mean(),
        running.variance());
    // Where g was written, it is read instead of y and dy.
    RowGrid g = overRows(rows, channels);
    launcher.launch(
        vectors(channels) ? "bn_backward4" : "bn_backward",
        g.grid(),
        x,
        dresidual == null ? y : null,
        dresidual == null ? dy : dresidual,
        c.mean(),
        c.beta(),
        coefficients,
        dx,
        rows,
        channels,
        g.rowsPerBlock());
  }
}
