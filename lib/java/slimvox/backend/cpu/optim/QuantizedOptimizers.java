package slimvox.backend.cpu.optim;

import slimvox.backend.AdamStep;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.Parallel;

/**
 * One step of an optimizer whose state is {@link Quantized}: the rules of {@link Optimizers} in the
 * same order of operations.
 *
 * <p>Block by block: spread the codes out into float32 in the first cache, update state and
 * parameter there, quantize the new state. A parameter's state never exists as float32 in memory:
 * SGD reads g p and 1 byte of b, writes p and b (14 bytes in all), Adam 16.
 *
 * <p>Each thread spreads codes out in its own part of the workspace.
 */
public final class QuantizedOptimizers {
  private final Parallel parallel;
  private final BlockwiseCodes blockwise;

  public QuantizedOptimizers(Parallel parallel, BlockwiseCodes blockwise) {
    this.parallel = parallel;
    this.blockwise = blockwise;
  }

  /** Bytes of workspace for so many tensors of state. */
  public long workspace(int states, long size, int block) {
    return QuantizedState.ROOM * states * parallel.parts(Quantized.blocks(size, block), block);
  }

  // ---- SGD

  public void sgd(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentum, Tensor workspace) {
    NearestCode book = blockwise.book(momentum.book());
    parallel.run(
        momentum.blocks(),
        momentum.block(),
        (part, from, to) -> {
          QuantizedState b = new QuantizedState(momentum, book, workspace, part);
          new QuantizedSgd(step, gradient, parameter, momentum, b).run(from, to);
        });
  }

  // ---- Adam

  public void adam(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    NearestCode meanBook = blockwise.book(mean.book());
    NearestCode squareBook = blockwise.book(square.book());
    parallel.run(
        mean.blocks(),
        mean.block(),
        (part, from, to) -> {
          QuantizedState m = new QuantizedState(mean, meanBook, workspace, 2 * part);
          QuantizedState v = new QuantizedState(square, squareBook, workspace, 2 * part + 1);
          new QuantizedAdam(step, gradient, parameter, mean, m, v).run(from, to);
        });
  }
}
