package slimvox.backend;

/** Steps of optimizers, and the 8-bit codes of their state. */
public final class Optimizers {
  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /**
     * One step of SGD on parameter (and momentum buffer, null if momentum is 0), see {@link
     * SgdStep}.
     */
    default void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {}

    /** One step of Adam or AdamW on parameter and both moments, see {@link AdamStep}. */
    default void adam(
        AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {}

    /** Codes and scales of y from the float32 numbers x, see {@link Quantized}. */
    default void quantize(Tensor x, Quantized y) {}

    /** Scratch bytes of {@link #sgdQuantized} for a parameter of so many elements. */
    default long sgdQuantizedWorkspace(long size, int block) {
      return 0;
    }

    /**
     * {@link #sgd} with a quantized momentum buffer, in one pass: the parameter moves along the new
     * buffer before that is quantized again.
     */
    default void sgdQuantized(
        SgdStep step,
        Tensor gradient,
        Tensor parameter,
        Quantized momentumBuffer,
        Tensor workspace) {}

    /** Scratch bytes of {@link #adamQuantized} for a parameter of so many elements. */
    default long adamQuantizedWorkspace(long size, int block) {
      return 0;
    }

    /**
     * {@link #adam} with quantized moments, which have the same block size, in one pass: the
     * parameter moves along the new moments before they are quantized again.
     */
    default void adamQuantized(
        AdamStep step,
        Tensor gradient,
        Tensor parameter,
        Quantized mean,
        Quantized square,
        Tensor workspace) {}
  }

  private final Kernels kernels;
  private final Check check;

  Optimizers(Kernels kernels, Check check) {
    this.kernels = kernels;
    this.check = check;
  }

  /** See {@link Kernels#sgd}. */
  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    Check.same(gradient, parameter, momentumBuffer);
    kernels.sgd(step, gradient, parameter, momentumBuffer);
  }

  /** See {@link Kernels#adam}. */
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    Check.same(gradient, parameter, mean, square);
    kernels.adam(step, gradient, parameter, mean, square);
  }

  /** See {@link Kernels#quantize}. */
  public void quantize(Tensor x, Quantized y) {
    coded(x, y);
    kernels.quantize(x, y);
  }

  /** See {@link Kernels#sgdQuantized}. */
  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentumBuffer) {
    Check.same(gradient, parameter);
    coded(parameter, momentumBuffer);
    check.with(
        parameter,
        kernels.sgdQuantizedWorkspace(parameter.size(), momentumBuffer.block()),
        w -> kernels.sgdQuantized(step, gradient, parameter, momentumBuffer, w));
  }

  /** See {@link Kernels#adamQuantized}. */
  public void adamQuantized(
      AdamStep step, Tensor gradient, Tensor parameter, Quantized mean, Quantized square) {
    Check.same(gradient, parameter);
    coded(parameter, mean, square);
    Check.fit(mean.block() == square.block(), "adamQuantized", mean.absmax(), square.absmax());
    check.with(
        parameter,
        kernels.adamQuantizedWorkspace(parameter.size(), mean.block()),
        w -> kernels.adamQuantized(step, gradient, parameter, mean, square, w));
  }

  private static void coded(Tensor x, Quantized... codes) {
    Check.float32(x);
    for (Quantized q : codes) Check.expect(x.shape(), q.codes()); // whose types it has checked
  }
}
