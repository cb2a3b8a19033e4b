package slimvox.backend;

/** Batch normalization over the rows of x, for each of C channels. */
public final class Normalization {
  /**
   * What batch normalization knows of each of C channels: xhat = (x - mean) invStd, y = gamma xhat
   * + beta; C float32 numbers each.
   *
   * @param invStd 1 / sqrt(variance + epsilon)
   * @param beta null where it is not needed, see {@link
   *     Normalization.Kernels#batchNormalizeBackward}
   * @param running what backward moves towards mean and variance, or null
   */
  public record Channels(Tensor mean, Tensor invStd, Tensor gamma, Tensor beta, Running running) {
    /** Without running statistics. */
    public Channels(Tensor mean, Tensor invStd, Tensor gamma, Tensor beta) {
      this(mean, invStd, gamma, beta, null);
    }
  }

  /**
   * Running statistics of C channels, see {@link Kernels#updateRunningStatistics}.
   *
   * @param epsilon in the batch's invStd
   * @param momentum the batch's share, from 0 to 1
   */
  public record Running(Tensor mean, Tensor variance, float epsilon, float momentum) {}

  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /** Scratch bytes of {@link #batchStatistics}. */
    default long batchStatisticsWorkspace(long rows, int channels) {
      return 0;
    }

    /**
     * mean and invStd = 1 / sqrt(biased variance + epsilon) of each channel of x, computed stably
     * (a mean far from 0 does not spoil the variance).
     */
    default void batchStatistics(
        Tensor x, float epsilon, Tensor mean, Tensor invStd, Tensor workspace) {}

    /**
     * Moves the running statistics towards those of a batch of {@code rows} rows: running = (1 -
     * momentum) running + momentum batch, with the unbiased variance.
     */
    default void updateRunningStatistics(Tensor mean, Tensor invStd, long rows, Running running) {}

    /** invStd = 1 / sqrt(variance + epsilon). */
    default void invStdOf(Tensor variance, float epsilon, Tensor invStd) {}

    /**
     * y = act(gamma (x - mean) invStd + beta + residual), act = ReLU if asked; {@code residual} may
     * be null; y may be x.
     */
    default void batchNormalize(Tensor x, Channels c, Tensor residual, boolean relu, Tensor y) {}

    /** Scratch bytes of {@link #batchNormalizeBackward}. */
    default long batchNormalizeBackwardWorkspace(long rows, int channels) {
      return 0;
    }

    /**
     * Backward of {@link #batchNormalize} with batch statistics.
     *
     * <p>With g = dy where y > 0, xhat = (x - mean) invStd and R rows: dbeta = sum g, dgamma = sum
     * g xhat, dx = gamma invStd (g - dbeta / R - xhat dgamma / R); dresidual = g if it is not null.
     * dx may be dy if {@code dresidual} is null; dresidual may be dy. {@code accumulate} concerns
     * dgamma and dbeta only. The running statistics of {@code c} are moved as by {@link
     * #updateRunningStatistics}.
     *
     * @param y the output if a ReLU followed; null if none did, or if y is to be computed again
     * @param c its beta is not null if y is to be computed again, with the rounding of {@link
     *     #batchNormalize}; there was a ReLU then, and no residual
     */
    default void batchNormalizeBackward(
        Tensor x,
        Tensor y,
        Tensor dy,
        Channels c,
        Tensor dgamma,
        Tensor dbeta,
        boolean accumulate,
        Tensor dresidual,
        Tensor dx,
        Tensor workspace) {}
  }

  private final Kernels kernels;
  private final Check check;

  Normalization(Kernels kernels, Check check) {
    this.kernels = kernels;
    this.check = check;
  }

  /** See {@link Kernels#batchStatistics}. */
  public void batchStatistics(Tensor x, float epsilon, Tensor mean, Tensor invStd) {
    Check.channels(x, mean, invStd);
    check.with(
        mean,
        kernels.batchStatisticsWorkspace(x.shape().rows(), x.shape().get(-1)),
        w -> kernels.batchStatistics(x, epsilon, mean, invStd, w));
  }

  /** See {@link Kernels#updateRunningStatistics}. */
  public void updateRunningStatistics(Tensor mean, Tensor invStd, long rows, Running running) {
    Check.same(mean, invStd, running.mean(), running.variance());
    kernels.updateRunningStatistics(mean, invStd, rows, running);
  }

  /** See {@link Kernels#invStdOf}. */
  public void invStdOf(Tensor variance, float epsilon, Tensor invStd) {
    Check.same(variance, invStd);
    kernels.invStdOf(variance, epsilon, invStd);
  }

  /** See {@link Kernels#batchNormalize}. */
  public void batchNormalize(Tensor x, Channels c, Tensor residual, boolean relu, Tensor y) {
    Check.channels(x, c.mean(), c.invStd(), c.gamma(), c.beta());
    Check.alike(x, residual, y);
    kernels.batchNormalize(x, c, residual, relu, y);
    check.finite(y);
  }

  /** See {@link Kernels#batchNormalizeBackward}. */
  public void batchNormalizeBackward(
      Tensor x,
      Tensor y,
      Tensor dy,
      Channels c,
      Tensor dgamma,
      Tensor dbeta,
      boolean accumulate,
      Tensor dresidual,
      Tensor dx) {
    Check.channels(x, c.mean(), c.invStd(), c.gamma(), c.beta(), dgamma, dbeta);
    Check.alike(x, y, dy, dresidual, dx);
    Running running = c.running();
    if (running != null) Check.same(c.mean(), running.mean(), running.variance());
    boolean again = c.beta() != null;
    if (again && (y != null || dresidual != null)) throw Check.unfit("y beside beta", x, c.beta());
    if (dresidual != null && (dx == dy || dx == dresidual)) {
      throw Check.unfit("in place", dx, dresidual);
    }
    check.with(
        dx,
        kernels.batchNormalizeBackwardWorkspace(x.shape().rows(), x.shape().get(-1)),
        w ->
            kernels.batchNormalizeBackward(
                x, y, dy, c, dgamma, dbeta, accumulate, dresidual, dx, w));
  }
}
