package slimvox.optim;

import java.util.LinkedHashMap;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.Operations;
import slimvox.backend.Quantized;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.nn.Parameter;

/**
 * One number of state for each element of a parameter, as float32 or, if its {@link StateFormat}
 * says so, as codes of 8 bits. Zero at first.
 */
public final class StateTensor implements AutoCloseable {
  private final String name;
  private final boolean signed;
  private final Tensor full; // null if quantized
  private final BlockwiseState blockwise; // else null

  /**
   * State of a parameter.
   *
   * @param kind the last part of its name, for example {@code momentum}
   * @param signed whether it can be negative
   */
  StateTensor(Backend backend, Parameter p, String kind, StateFormat format, boolean signed) {
    this.signed = signed;
    name = p.name() + "." + kind;
    long size = p.value().size();
    if (format.quantizes(size)) {
      full = null;
      blockwise =
          new BlockwiseState(
              backend, name, p.value().shape(), format.book(signed), format.blockOf(size));
    } else {
      blockwise = null;
      full = backend.allocateLike(p.value(), Category.OPTIMIZER_STATE, name);
      backend.ops().elementwise.fill(full, 0);
    }
  }

  /** For example {@code conv1.weight.momentum}. */
  public String name() {
    return name;
  }

  /** True if it is held in codes of 8 bits. */
  public boolean isQuantized() {
    return blockwise != null;
  }

  /** False for state that is never negative. */
  public boolean isSigned() {
    return signed;
  }

  /** Shape of the parameter. */
  public Shape shape() {
    return isQuantized() ? quantized().codes().shape() : full.shape();
  }

  /** The numbers, or what the codes stand for. */
  public float[] values() {
    if (!isQuantized()) return full.backend().ops().floats(full);
    Quantized q = quantized();
    Operations ops = q.codes().backend().ops();
    return q.book().values(ops.bytes(q.codes()), ops.floats(q.absmax()), q.block());
  }

  /** Takes other numbers, which are quantized if the format says so. */
  public void set(float[] values) {
    if (!isQuantized()) {
      full.backend().ops().upload(values, full);
      return;
    }
    Backend backend = quantized().codes().backend();
    int[] lengths = shape().toArray();
    try (Tensor x = backend.allocate(Category.WORKSPACE, name + ".values", lengths)) {
      backend.ops().upload(values, x);
      blockwise.quantize(x);
    }
  }

  /** What the numbers held now would lose in another format; nothing is changed. */
  public QuantizationError error(StateFormat format) {
    float[] exact = values();
    boolean same = !format.quantizes(exact.length);
    float[] back =
        same
            ? exact
            : QuantizationError.roundTrip(exact, format.book(signed), format.blockOf(exact.length));
    return QuantizationError.of(name, exact, back);
  }

  /** Codes and scales; only if {@link #isQuantized}. */
  Quantized quantized() {
    return blockwise.quantized();
  }

  /** The numbers; only if not {@link #isQuantized}. */
  Tensor full() {
    return full;
  }

  /** Codes and scales, or the numbers, by name. */
  public Map<String, Tensor> tensors() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    if (isQuantized()) {
      Quantized q = quantized();
      tensors.put(q.codes().label(), q.codes());
      tensors.put(q.absmax().label(), q.absmax());
    } else {
      tensors.put(name, full);
    }
    return tensors;
  }

  @Override
  public void close() {
    if (isQuantized()) {
      blockwise.close();
    } else {
      full.close();
    }
  }
}
