package slimvox.optim;

import java.util.Arrays;
import slimvox.backend.Backend;
import slimvox.backend.CodeBook;
import slimvox.backend.DataType;
import slimvox.backend.Quantized;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * One tensor of optimizer state as codes of 8 bits: uint8 {@code NAME.codes}, shaped like the
 * parameter, and float32 {@code NAME.absmax}, one for each block; see {@link Quantized}.
 *
 * <p>Source: Dettmers et al. 2022, arXiv 2110.02861, block-wise dynamic quantization.
 */
public final class BlockwiseState implements AutoCloseable {
  private final Backend backend;
  private final Quantized quantized;

  /**
   * State that is zero everywhere.
   *
   * @param name of the state, for example {@code conv1.weight.momentum}
   * @param block elements that share a scale
   */
  public BlockwiseState(Backend backend, String name, Shape shape, CodeBook book, int block) {
    this.backend = backend;
    Tensor codes =
        backend.allocate(Category.OPTIMIZER_STATE, name + ".codes", DataType.UINT8, shape);
    int blocks = Quantized.blocks(shape.size(), block);
    Tensor absmax = backend.allocate(Category.OPTIMIZER_STATE, name + ".absmax", blocks);
    quantized = new Quantized(codes, absmax, book, block);
    byte[] zeros = new byte[Math.toIntExact(shape.size())];
    Arrays.fill(zeros, (byte) book.nearest(0));
    backend.ops().upload(zeros, codes);
    backend.ops().elementwise.fill(absmax, 0);
  }

  /** Codes, scales and book. */
  public Quantized quantized() {
    return quantized;
  }

  /** Takes the values of {@code x}, which are float32 and shaped like the parameter. */
  public void quantize(Tensor x) {
    backend.ops().optimizers.quantize(x, quantized);
  }

  /** Writes the values into {@code x}. */
  public void dequantize(Tensor x) {
    backend.ops().optimizers.dequantize(quantized, x);
  }

  @Override
  public void close() {
    quantized.codes().close();
    quantized.absmax().close();
  }
}
