package slimvox.backend.cuda.kernels;

import java.util.List;
import slimvox.backend.AdamStep;
import slimvox.backend.Optimizers;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.kernels.OwnMemory.Kind;
import slimvox.backend.cuda.kernels.OwnMemory.Numbers;

/**
 * The launches of lib/cuda/optimizer.cu and quantized.cu; what depends on the step only is
 * calculated here.
 */
public final class OptimizerKernels implements Optimizers.Kernels {
  private static final int THREADS = 256; // as in quantized.cu
  private static final int MOST_BLOCKS = 2048; // so that a book is read into few of them

  private final Launcher launcher;
  private final OwnMemory own;
  private final ManyTensors many;

  /** Launches through {@code launcher}; {@code many} are the device's. */
  public OptimizerKernels(Launcher launcher, OwnMemory own, ManyTensors many) {
    this.launcher = launcher;
    this.own = own;
    this.many = many;
  }

  @Override
  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    many.launch(
        "sgd",
        ElementwiseKernels.fours(parameter.size()),
        parameter.size(),
        List.of(numbers(Kind.SGD, step, 0)),
        gradient.address(),
        parameter.address(),
        momentumBuffer == null ? 0 : momentumBuffer.address());
  }

  /** SgdNumbers of common.cuh. */
  private static Numbers numbers(Kind kind, SgdStep step, float keep) {
    return Numbers.of(
        kind,
        step.weightDecay(),
        -step.learningRate(),
        step.momentum(),
        (float) (1.0 - step.dampening()),
        step.nesterov() ? 1 : 0,
        step.nesterov() ? step.momentum() : 1,
        keep,
        step.first() ? 1 : 0);
  }

  /** AdamNumbers of common.cuh. */
  private static Numbers numbers(Kind kind, AdamStep step, float leastRoot) {
    double decay = step.weightDecay();
    return Numbers.of(
        kind,
        (float) (step.decoupled() ? 1 - step.learningRate() * decay : 1),
        (float) (step.decoupled() ? 0 : decay),
        (float) (1 - step.beta1()),
        (float) step.beta2(),
        (float) (1 - step.beta2()),
        (float) (-step.learningRate() / (1 - Math.pow(step.beta1(), step.step()))),
        (float) (1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step()))),
        (float) step.epsilon(),
        leastRoot);
  }

  @Override
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    many.launch(
        "adam",
        ElementwiseKernels.fours(parameter.size()),
        parameter.size(),
        List.of(numbers(Kind.ADAM, step, 0)),
        gradient.address(),
        parameter.address(),
        mean.address(),
        square.address());
  }

  private long book(Quantized x) {
    return own.book(x.book());
  }

  private static Grid grid(Quantized x) {
    return Grid.of(Math.min(MOST_BLOCKS, x.blocks()), THREADS);
  }

  @Override
  public void quantize(Tensor x, Quantized y) {
    launcher.launch(
        "quantize",
        grid(y),
        x,
        book(y),
        y.codes(),
        y.absmax(),
        y.book().least(),
        x.size(),
        y.block(),
        y.blocks());
  }

  @Override
  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, Tensor workspace) {
    float keep = momentum.book().isNearestOnly() ? 0 : step.keep();
    many.launch(
        "sgd_quantized",
        grid(momentum),
        parameter.size(),
        List.of(book(momentum), numbers(Kind.SGD_QUANTIZED, step, keep), momentum.block()),
        gradient.address(),
        parameter.address(),
        momentum.codes().address(),
        momentum.absmax().address());
  }

  @Override
  public void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    float leastRoot = square.book().isNearestOnly() ? 0 : step.leastRoot();
    many.launch(
        "adam_quantized",
        grid(mean),
        parameter.size(),
        List.of(
            book(mean),
            book(square),
            numbers(Kind.ADAM_QUANTIZED, step, leastRoot),
            mean.book().isNearestOnly() ? 0f : step.keep(),
            square.book().least(),
            mean.block()),
        gradient.address(),
        parameter.address(),
        mean.codes().address(),
        mean.absmax().address(),
        square.codes().address(),
        square.absmax().address());
  }
}
