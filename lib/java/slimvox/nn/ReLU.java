package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/** y = max(x, 0). Kept for backward: the output. */
public final class ReLU implements Layer {
  private final Backend backend;
  private final String name;
  private Tensor output;

  /** A ReLU whose tensors are labelled {@code name}. */
  public ReLU(Backend backend, String name) {
    this.backend = backend;
    this.name = name;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Tensor y = backend.allocateLike(x, Category.ACTIVATION, name + ".out");
    backend.ops().elementwise.relu(x, y);
    if (mode.keeps()) output = y.retain();
    return y;
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor dx = Layer.gradientOver(dy, name);
    backend.ops().elementwise.reluBackward(output, dy, dx);
    output.close();
    if (dx != dy) dy.close();
    return dx;
  }
}
