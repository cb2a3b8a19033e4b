package slimvox.backend;

import java.util.List;
import slimvox.memory.Category;

/** Operations that take each element by itself. */
public final class Elementwise {
  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /** x = value, whatever its type. */
    default void fill(Tensor x, float value) {}

    /** y = x, of any type. */
    default void copy(Tensor x, Tensor y) {}

    /**
     * y = x, of any types: rounded to bfloat16 as {@link DataType#bfloat16} does, to a fixed type
     * to the nearest step, ties to even. What a fixed type cannot hold becomes its largest number,
     * and the {@link Tensor.Grid} is told.
     */
    default void convert(Tensor x, Tensor y) {}

    /** y = y + alpha x. */
    default void axpy(float alpha, Tensor x, Tensor y) {}

    /**
     * y += alpha step r (told to y's {@link Tensor.Grid} as by {@link #convert}), r = x / step
     * rounded to the nearest whole number, ties to even; step is a power of two, alpha 1 or -1.
     *
     * @param largest one float32 number that becomes the larger of itself and the largest |y|; null
     *     if nobody asks for it
     */
    default void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {}

    /** y = max(x, 0); in place allowed. */
    default void relu(Tensor x, Tensor y) {}

    /** dx = dy where y > 0, else 0; in place on dy allowed. */
    default void reluBackward(Tensor y, Tensor dy, Tensor dx) {}

    /** y = tanh(x); in place allowed. */
    default void tanh(Tensor x, Tensor y) {}

    /** dx = dy (1 - y^2); in place on dy allowed. */
    default void tanhBackward(Tensor y, Tensor dy, Tensor dx) {}

    /**
     * y = x / 2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3): GELU in its tanh form (Hendrycks
     * and Gimpel 2016, arXiv 1606.08415), PyTorch's {@code approximate="tanh"}; in place allowed.
     */
    default void gelu(Tensor x, Tensor y) {}

    /** dx = dy times the derivative of {@link #gelu} at x; in place on dy allowed. */
    default void geluBackward(Tensor x, Tensor dy, Tensor dx) {}

    /** The place of the first of these tensors with an element that is not finite; -1 if none. */
    default int firstNotFinite(List<Tensor> tensors) {
      return -1;
    }

    /**
     * flag = 1 if x has an element that is not finite, else as it was; one int32 number. Nothing is
     * waited for.
     */
    default void markNotFinite(Tensor x, Tensor flag) {}
  }

  private final Kernels kernels;
  private final Backend backend;

  Elementwise(Kernels kernels, Backend backend) {
    this.kernels = kernels;
    this.backend = backend;
  }

  /** See {@link Kernels#fill}. */
  public void fill(Tensor x, float value) {
    kernels.fill(x, value);
  }

  /** See {@link Kernels#copy}. */
  public void copy(Tensor x, Tensor y) {
    Check.length(y, x.type(), x.size());
    Check.expect(x.shape(), y);
    kernels.copy(x, y);
  }

  /** See {@link Kernels#convert}. */
  public void convert(Tensor x, Tensor y) {
    Check.alike(x, y);
    kernels.convert(x, y);
  }

  /** See {@link Kernels#axpy}. */
  public void axpy(float alpha, Tensor x, Tensor y) {
    Check.alike(x, y);
    kernels.axpy(alpha, x, y);
  }

  /** See {@link Kernels#addRounded}. */
  public void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    Check.alike(x, y);
    if (largest != null) Check.length(largest, DataType.FLOAT32, 1);
    kernels.addRounded(alpha, x, step, y, largest);
  }

  /** The same, waited for; returns the largest |y|. */
  public float addRounded(float alpha, Tensor x, float step, Tensor y) {
    try (Tensor largest = backend.allocate(Category.WORKSPACE, "largest", 1)) {
      fill(largest, 0);
      addRounded(alpha, x, step, y, largest);
      return backend.ops().floats(largest)[0];
    }
  }

  /** See {@link Kernels#relu}. */
  public void relu(Tensor x, Tensor y) {
    Check.alike(x, y);
    kernels.relu(x, y);
  }

  /** See {@link Kernels#reluBackward}. */
  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    Check.alike(y, dy, dx);
    kernels.reluBackward(y, dy, dx);
  }

  /** See {@link Kernels#tanh}. */
  public void tanh(Tensor x, Tensor y) {
    Check.alike(x, y);
    kernels.tanh(x, y);
  }

  /** See {@link Kernels#tanhBackward}. */
  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    Check.alike(y, dy, dx);
    kernels.tanhBackward(y, dy, dx);
  }

  /** See {@link Kernels#gelu}. */
  public void gelu(Tensor x, Tensor y) {
    Check.alike(x, y);
    kernels.gelu(x, y);
  }

  /** See {@link Kernels#geluBackward}. */
  public void geluBackward(Tensor x, Tensor dy, Tensor dx) {
    Check.alike(x, dy, dx);
    kernels.geluBackward(x, dy, dx);
  }

  /** True if every element is finite. */
  public boolean isFinite(Tensor x) {
    return firstNotFinite(List.of(x)) < 0;
  }

  /** See {@link Kernels#firstNotFinite}. */
  public int firstNotFinite(List<Tensor> tensors) {
    tensors.forEach(Check::real);
    return kernels.firstNotFinite(tensors);
  }

  /** See {@link Kernels#markNotFinite}. */
  public void markNotFinite(Tensor x, Tensor flag) {
    Check.real(x);
    Check.length(flag, DataType.INT32, 1);
    kernels.markNotFinite(x, flag);
  }
}
