package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Elementwise;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/** A function of each element. Kept for backward: the output of ReLU, the input of GELU. */
public final class Nonlinearity implements Layer {
  /** Which function. */
  public enum Function {
    /** y = max(x, 0). */
    RELU,
    /**
     * y = x Phi(x), Phi the normal distribution, in the tanh form (Hendrycks and Gimpel 2016, arXiv
     * 1606.08415).
     */
    GELU
  }

  private final Backend backend;
  private final String name;
  private final Function function;
  private Tensor kept;

  /** A layer whose tensors are labelled {@code name}. */
  public Nonlinearity(Backend backend, String name, Function function) {
    this.backend = backend;
    this.name = name;
    this.function = function;
  }

  /** Which function it is. */
  public Function function() {
    return function;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Tensor y = backend.allocateLike(x, Category.ACTIVATION, name + ".out");
    Elementwise elementwise = backend.ops().elementwise;
    switch (function) {
      case RELU -> elementwise.relu(x, y);
      case GELU -> elementwise.gelu(x, y);
    }
    if (mode.keeps()) kept = (function == Function.RELU ? y : x).retain();
    return y;
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor dx = Layer.gradientOver(dy, name);
    Elementwise elementwise = backend.ops().elementwise;
    switch (function) {
      case RELU -> elementwise.reluBackward(kept, dy, dx);
      case GELU -> elementwise.geluBackward(kept, dy, dx);
    }
    kept.close();
    if (dx != dy) dy.close();
    return dx;
  }
}
