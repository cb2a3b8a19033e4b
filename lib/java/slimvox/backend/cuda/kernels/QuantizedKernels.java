package slimvox.backend.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.IdentityHashMap;
import java.util.Map;
import slimvox.backend.AdamStep;
import slimvox.backend.CodeBook;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;

/**
 * The launches of lib/cuda/quantized.cu.
 *
 * <p>Each code book is uploaded once, 1 KiB.
 */
public final class QuantizedKernels {
  private static final int THREADS = 256; // as in the source
  private static final int MOST_BLOCKS = 2048; // so that a book is read into few of them

  private final Launcher launcher;
  private final DeviceMemory memory;
  private final Map<CodeBook, Long> books = new IdentityHashMap<>();

  public QuantizedKernels(Launcher launcher, DeviceMemory memory) {
    this.launcher = launcher;
    this.memory = memory;
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

  public void quantize(Tensor x, Quantized y) {
    launcher.launch(
        "quantize",
        grid(y),
        0,
        x.address(),
        book(y),
        y.codes().address(),
        y.absmax().address(),
        y.book().least(),
        x.size(),
        y.block(),
        y.blocks());
  }

  public void dequantize(Quantized x, Tensor y) {
    launcher.launch(
        "dequantize",
        grid(x),
        0,
        x.codes().address(),
        x.absmax().address(),
        book(x),
        y.address(),
        y.size(),
        x.block(),
        x.blocks());
  }

  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum) {
    launcher.launch(
        "sgd_quantized",
        grid(momentum),
        0,
        gradient.address(),
        parameter.address(),
        book(momentum),
        momentum.codes().address(),
        momentum.absmax().address(),
        step.weightDecay(),
        -step.learningRate(),
        step.momentum(),
        (float) (1.0 - step.dampening()),
        step.nesterov() ? 1f : 0f,
        step.nesterov() ? step.momentum() : 1f,
        momentum.book().isNearestOnly() ? 0 : step.keep(),
        step.first() ? 1 : 0,
        parameter.size(),
        momentum.block(),
        momentum.blocks());
  }

  public void adam(
      AdamStep step, Tensor gradient, Tensor parameter, Quantized mean, Quantized square) {
    OptimizerKernels.AdamNumbers a = OptimizerKernels.AdamNumbers.of(step);
    launcher.launch(
        "adam_quantized",
        grid(mean),
        0,
        gradient.address(),
        parameter.address(),
        book(mean),
        mean.codes().address(),
        mean.absmax().address(),
        book(square),
        square.codes().address(),
        square.absmax().address(),
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
