package slimvox.nn;

import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/** A tensor that is learned, with its gradient while there is one. */
public final class Parameter implements Stateful {
  private final Backend backend;
  private final String name;
  private final Tensor value;
  private Tensor gradient;
  private Consumer<Parameter> completion;
  private PrepackedWeight prepacked;
  private BatchNorm2d norm; // that alone reads the convolution with this weight; or null
  private boolean addsResidual;

  /**
   * A parameter whose values are not set yet.
   *
   * @param name WeSpeaker's name, for example {@code layer1.0.conv1.weight}
   */
  public Parameter(Backend backend, String name, int... lengths) {
    this.backend = backend;
    this.name = name;
    this.value = backend.allocate(Category.PARAMETER, name, lengths);
  }

  /** WeSpeaker's name. */
  public String name() {
    return name;
  }

  /** Its values. */
  public Tensor value() {
    return value;
  }

  /** True from the first backward until {@link #dropGradient()}. */
  public boolean hasGradient() {
    return gradient != null;
  }

  /**
   * The gradient's buffer, allocated when first asked for. Ask {@link #hasGradient()} before: if it
   * was false the contents are undefined and must be written, else they must be added to.
   */
  public Tensor gradient() {
    if (gradient == null) {
      gradient = backend.allocateLike(value, Category.GRADIENT, name + ".grad");
    }
    return gradient;
  }

  /**
   * Says what is done as soon as a gradient is complete; null, the default: nothing.
   *
   * <p>The receiver may change the value and drop the gradient.
   */
  public void onGradientComplete(Consumer<Parameter> completion) {
    this.completion = completion;
  }

  /**
   * Called by a layer as the last act of its backward: the gradient of this step is complete, and
   * the value is not needed any more.
   */
  public void gradientComplete() {
    if (completion != null) completion.accept(this);
  }

  /** Returns the gradient's buffer, if there is one. */
  public void dropGradient() {
    if (gradient != null) gradient.close();
    gradient = null;
  }

  /** Forgets a gradient whose buffer went with an interrupted step. */
  public void forgetGradient() {
    gradient = null;
  }

  /**
   * Says that the value will not change until {@link #thaw}: a convolution may lay it out once. Its
   * bytes are then kept twice.
   */
  public void freeze() {
    if (prepacked == null) prepacked = new PrepackedWeight(backend, value, norm, addsResidual);
  }

  /** Says what alone reads the convolution with this weight: {@link #freeze} may fold it in. */
  void followedBy(BatchNorm2d norm, boolean addsResidual) {
    this.norm = norm;
    this.addsResidual = addsResidual;
  }

  /** Says that the value may change again. */
  public void thaw() {
    if (prepacked != null) prepacked.close();
    prepacked = null;
  }

  /** The value as a convolution reads it; null if it is not frozen. */
  public PrepackedWeight prepacked() {
    return prepacked;
  }

  /**
   * Draws what a layer starts with that says nothing of its own: a matrix or filter as PyTorch's
   * Linear and Conv2d ({@link Initial#uniform}), a vector 1, or 0 if its name ends with {@code
   * bias} or {@code shift}.
   */
  @Override
  public void initialize(RandomGenerator random) {
    if (value.shape().rank() > 1) {
      Initial.uniform(this, value.size() / value.shape().get(0), random);
    } else {
      boolean added = name.endsWith("bias") || name.endsWith("shift");
      backend.ops().elementwise.fill(value, added ? 0 : 1);
    }
  }

  @Override
  public void describe(StateDict state) {
    state.add(this);
  }

  @Override
  public void close() {
    thaw();
    dropGradient();
    value.close();
  }

  /** Name and shape. */
  @Override
  public String toString() {
    return value.toString();
  }
}
