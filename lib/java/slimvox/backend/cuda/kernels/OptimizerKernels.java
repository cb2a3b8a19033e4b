package slimvox.backend.cuda.kernels;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.AdamStep;
import slimvox.backend.Optimizers;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;

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
  OptimizerKernels(Launcher launcher, OwnMemory own, ManyTensors many) {
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
        numbers(step, step.first() ? 1 : 0),
        gradient.address(),
        parameter.address(),
        momentumBuffer == null ? 0 : momentumBuffer.address());
  }

  private static List<Object> numbers(SgdStep step, Object... more) {
    List<Object> all = new ArrayList<>();
    all.add(step.weightDecay());
    all.add(-step.learningRate());
    all.add(step.momentum());
    all.add((float) (1.0 - step.dampening()));
    all.add(step.nesterov() ? 1f : 0f);
    all.add(step.nesterov() ? step.momentum() : 1f);
    all.addAll(List.of(more));
    return all;
  }

  /** What a step of Adam multiplies with, the same for every element. */
  private record AdamNumbers(
      float keep,
      float add,
      float fresh1,
      float beta2,
      float fresh2,
      float rate,
      float correction,
      float epsilon) {
    static AdamNumbers of(AdamStep step) {
      double decay = step.weightDecay();
      return new AdamNumbers(
          (float) (step.decoupled() ? 1 - step.learningRate() * decay : 1),
          (float) (step.decoupled() ? 0 : decay),
          (float) (1 - step.beta1()),
          (float) step.beta2(),
          (float) (1 - step.beta2()),
          (float) (-step.learningRate() / (1 - Math.pow(step.beta1(), step.step()))),
          (float) (1 / Math.sqrt(1 - Math.pow(step.beta2(), step.step()))),
          (float) step.epsilon());
    }

    List<Object> list() {
      return List.of(keep, add, fresh1, beta2, fresh2, rate, correction, epsilon);
    }
  }

  @Override
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    many.launch(
        "adam",
        ElementwiseKernels.fours(parameter.size()),
        parameter.size(),
        AdamNumbers.of(step).list(),
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
  public void dequantize(Quantized x, Tensor y) {
    launcher.launch(
        "dequantize", grid(x), x.codes(), x.absmax(), book(x), y, y.size(), x.block(), x.blocks());
  }

  @Override
  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, Tensor workspace) {
    List<Object> numbers = new ArrayList<>(List.of(book(momentum)));
    float keep = momentum.book().isNearestOnly() ? 0 : step.keep();
    numbers.addAll(numbers(step, keep, step.first() ? 1 : 0, momentum.block()));
    many.launch(
        "sgd_quantized",
        grid(momentum),
        parameter.size(),
        numbers,
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
    List<Object> numbers = new ArrayList<>(List.of(book(mean), book(square)));
    numbers.addAll(AdamNumbers.of(step).list());
    numbers.add(square.book().isNearestOnly() ? 0 : step.leastRoot());
    numbers.add(mean.book().isNearestOnly() ? 0 : step.keep());
    numbers.add(square.book().least());
    numbers.add(mean.block());
    many.launch(
        "adam_quantized",
        grid(mean),
        parameter.size(),
        numbers,
        gradient.address(),
        parameter.address(),
        mean.codes().address(),
        mean.absmax().address(),
        square.codes().address(),
        square.absmax().address());
  }
}
