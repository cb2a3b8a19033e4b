package slimvox.backend.cuda.kernels;

/** The kernels that go over a network's parameters, whose launches can be joined. */
public final class ParameterKernels {
  private final ManyTensors many;
  private final ElementwiseKernels elementwise;
  private final OptimizerKernels optimizers;

  /** Launches through {@code launcher}. */
  public ParameterKernels(Launcher launcher, DeviceMemory memory, OwnMemory own) {
    many = new ManyTensors(launcher, own);
    elementwise = new ElementwiseKernels(launcher, memory, own, many);
    optimizers = new OptimizerKernels(launcher, own, many);
  }

  /** Those of single tensors, of which the test for finite numbers is joined. */
  public ElementwiseKernels elementwise() {
    return elementwise;
  }

  /** Those that move parameters. */
  public OptimizerKernels optimizers() {
    return optimizers;
  }

  /** See {@link slimvox.backend.Device#together}. */
  public void together(Runnable work) {
    many.together(work);
  }
}
