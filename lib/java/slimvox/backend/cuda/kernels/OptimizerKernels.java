package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.IdentityHashMap;
import java.util.Map;
import slimvox.backend.AdamStep;
import slimvox.backend.CodeBook;
import slimvox.backend.Optimizers;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;

/**
 * The launches of lib/cuda/optimizer.cu and quantized.cu; what depends on the step only is
 * calculated here.
 *
 * <p>Each code book is uploaded once, 1 KiB.
 */
public final class OptimizerKernels implements Optimizers.Kernels {
  private static final int THREADS = 256; // as in quantized.cu
  private static final int MOST_BLOCKS = 2048; // so that a book is read into few of them

  private final Launcher launcher;
  private final DeviceMemory memory;
  private final Map<CodeBook, Long> books = new IdentityHashMap<>();

  /** Launches through {@code launcher}. */
  public OptimizerKernels(Launcher launcher, DeviceMemory memory) {
    this.launcher = launcher;
    this.memory = memory;
  }

  @Override
  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    Grid grid = ElementwiseKernels.fours(parameter.size());
    if (momentumBuffer == null) {
      launcher.launch(
          "sgd",
          grid,
          gradient,
          parameter,
          step.weightDecay(),
          -step.learningRate(),
          parameter.size());
      return;
    }
    launcher.launch(
        "sgd_momentum",
        grid,
        gradient,
        parameter,
        momentumBuffer,
        step.weightDecay(),
        -step.learningRate(),
        step.momentum(),
        (float) (1.0 - step.dampening()),
        step.nesterov() ? 1f : 0f,
        step.nesterov() ? step.momentum() : 1f,
        step.first(),
        parameter.size());
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
  }

  @Override
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    AdamNumbers a = AdamNumbers.of(step);
    launcher.launch(
        "adam",
        ElementwiseKernels.fours(parameter.size()),
        gradient,
        parameter,
        mean,
        square,
        a.keep(),
        a.add(),
        a.fresh1(),
        a.beta2(),
        a.fresh2(),
        a.rate(),
        a.correction(),
        a.epsilon(),
        parameter.size());
  }

  private long book(Quantized x) {
    return books.computeIfAbsent(
        x.book(),
        book -> {
          long address = memory.allocate(4 * CodeBook.SIZE);
          memory.upload(MemorySegment.ofArray(book.values()), address);
          return address;
        });
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
    launcher.launch(
        "sgd_quantized",
        grid(momentum),
        gradient,
        parameter,
        book(momentum),
        momentum.codes(),
        momentum.absmax(),
        step.weightDecay(),
        -step.learningRate(),
        step.momentum(),
        (float) (1.0 - step.dampening()),
        step.nesterov() ? 1f : 0f,
        step.nesterov() ? step.momentum() : 1f,
        momentum.book().isNearestOnly() ? 0 : step.keep(),
        step.first(),
        parameter.size(),
        momentum.block(),
        momentum.blocks());
  }

  @Override
  public void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    AdamNumbers a = AdamNumbers.of(step);
    launcher.launch(
        "adam_quantized",
        grid(mean),
        gradient,
        parameter,
        book(mean),
        mean.codes(),
        mean.absmax(),
        book(square),
        square.codes(),
        square.absmax(),
        a.keep(),
        a.add(),
        a.fresh1(),
        a.beta2(),
        a.fresh2(),
        a.rate(),
        a.correction(),
        a.epsilon(),
        square.book().isNearestOnly() ? 0 : step.leastRoot(),
        mean.book().isNearestOnly() ? 0 : step.keep(),
        square.book().least(),
        parameter.size(),
        mean.block(),
        mean.blocks());
  }

  /** Returns the books. */
  public void close() {
    books.values().forEach(memory::free);
    books.clear();
  }
}
