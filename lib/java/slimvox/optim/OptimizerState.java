package slimvox.optim;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.CodeBook;
import slimvox.backend.DataType;
import slimvox.backend.Operations;
import slimvox.backend.Quantized;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.nn.Parameter;

/**
 * One number of state for each element of a parameter, as float32 or, if its {@link
 * OptimizerStateFormat} says so, as codes of 8 bits: uint8 {@code NAME.codes}, shaped like the
 * parameter, and float32 {@code NAME.absmax}, one for each block; see {@link Quantized}. Zero at
 * first.
 *
 * <p>Source: Dettmers et al. 2022, arXiv 2110.02861, block-wise dynamic quantization.
 */
public final class OptimizerState implements AutoCloseable {
  private final String name;
  private final boolean signed;
  private final Tensor full; // null if quantized
  private final Quantized quantized; // else null

  /**
   * State of a parameter.
   *
   * @param kind the last part of its name, for example {@code momentum}
   * @param signed whether it can be negative
   */
  public OptimizerState(
      Backend backend, Parameter p, String kind, OptimizerStateFormat format, boolean signed) {
    this.signed = signed;
    name = p.name() + "." + kind;
    long size = p.value().size();
    if (format.quantizes(size)) {
      full = null;
      quantized = zeros(backend, p.value().shape(), format.book(signed), format.blockOf(size));
    } else {
      quantized = null;
      full = backend.allocateLike(p.value(), Category.OPTIMIZER_STATE, name);
      backend.ops().elementwise.fill(full, 0);
    }
  }

  private Quantized zeros(Backend backend, Shape shape, CodeBook book, int block) {
    Category category = Category.OPTIMIZER_STATE;
    Tensor codes = backend.allocate(category, name + ".codes", DataType.UINT8, shape);
    int blocks = Quantized.blocks(shape.size(), block);
    Tensor absmax = backend.allocate(category, name + ".absmax", blocks);
    byte[] zeros = new byte[Math.toIntExact(shape.size())];
    Arrays.fill(zeros, (byte) book.nearest(0));
    backend.ops().upload(zeros, codes);
    backend.ops().elementwise.fill(absmax, 0);
    return new Quantized(codes, absmax, book, block);
  }

  /** For example {@code conv1.weight.momentum}. */
  public String name() {
    return name;
  }

  /** True if it is held in codes of 8 bits. */
  public boolean isQuantized() {
    return quantized != null;
  }

  /** False for state that is never negative. */
  public boolean isSigned() {
    return signed;
  }

  /** Shape of the parameter. */
  public Shape shape() {
    return isQuantized() ? quantized.codes().shape() : full.shape();
  }

  /** The numbers, or what the codes stand for. */
  public float[] values() {
    if (!isQuantized()) return full.backend().ops().floats(full);
    Quantized q = quantized;
    Operations ops = q.codes().backend().ops();
    return q.book().values(ops.bytes(q.codes()), ops.floats(q.absmax()), q.block());
  }

  /** Takes other numbers, which are quantized if the format says so. */
  public void set(float[] values) {
    if (!isQuantized()) {
      full.backend().ops().upload(values, full);
      return;
    }
    Backend backend = quantized.codes().backend();
    int[] lengths = shape().toArray();
    try (Tensor x = backend.allocate(Category.WORKSPACE, name + ".values", lengths)) {
      backend.ops().upload(values, x);
      backend.ops().optimizers.quantize(x, quantized);
    }
  }

  /** What the numbers held now would lose in another format; nothing is changed. */
  public QuantizationError error(OptimizerStateFormat format) {
    float[] exact = values();
    int n = exact.length;
    float[] back =
        format.quantizes(n)
            ? QuantizationError.roundTrip(exact, format.book(signed), format.blockOf(n))
            : exact;
    return QuantizationError.of(name, exact, back);
  }

  /** Codes and scales; only if {@link #isQuantized}. */
  Quantized quantized() {
    return quantized;
  }

  /** The numbers; only if not {@link #isQuantized}. */
  Tensor full() {
    return full;
  }

  /** Codes and scales, or the numbers, by name. */
  public Map<String, Tensor> tensors() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    if (isQuantized()) {
      tensors.put(quantized.codes().label(), quantized.codes());
      tensors.put(quantized.absmax().label(), quantized.absmax());
    } else {
      tensors.put(name, full);
    }
    return tensors;
  }

  @Override
  public void close() {
    tensors().values().forEach(Tensor::close);
  }
}
