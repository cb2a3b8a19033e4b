package slimvox.nn;

import java.util.List;
import java.util.random.RandomGenerator;
import slimvox.backend.Backend;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * y = x W^T + b over the last axis: input ... x I, weight O x I, output ... x O. Kept for backward:
 * the input.
 *
 * <p>With {@code kernelAxis} the weight's shape is O x I x 1, PyTorch's for a one-tap Conv1d.
 */
public final class Linear implements Layer {
  private final Backend backend;
  private final Operations ops;
  private final String name;
  private final Parameter weight;
  private final Parameter bias;
  private final Tensor matrix;
  private Tensor input;

  /** A layer from {@code in} to {@code out} values, with PyTorch's shape of the weight. */
  public Linear(Backend backend, String name, int in, int out) {
    this(backend, name, in, out, false);
  }

  /**
   * A layer from {@code in} to {@code out} values.
   *
   * @param kernelAxis give the weight a last axis of length 1
   */
  public Linear(Backend backend, String name, int in, int out, boolean kernelAxis) {
    this.backend = backend;
    this.ops = backend.ops();
    this.name = name;
    this.weight =
        kernelAxis
            ? new Parameter(backend, name + ".weight", out, in, 1)
            : new Parameter(backend, name + ".weight", out, in);
    this.bias = new Parameter(backend, name + ".bias", out);
    this.matrix = weight.value().view(out, in);
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    int[] lengths = x.shape().toArray();
    lengths[lengths.length - 1] = matrix.shape().get(0);
    Tensor y = backend.allocate(Category.ACTIVATION, name + ".out", lengths);
    ops.matrices.matmul(false, true, x, matrix, y, false);
    ops.matrices.addToRows(bias.value(), y);
    if (mode.keeps()) input = x.retain();
    return y;
  }

  @Override
  public Tensor backward(Tensor dy) {
    boolean accumulate = weight.hasGradient();
    Shape m = matrix.shape();
    try (Tensor dweight = weight.gradient().view(m.get(0), m.get(1))) {
      ops.matrices.matmul(true, false, dy, input, dweight, accumulate);
    }
    ops.matrices.columnSums(dy, bias.gradient(), accumulate);
    Tensor dx = backend.allocateLike(input, Category.ACTIVATION_GRADIENT, name + ".din");
    input.close();
    ops.matrices.matmul(false, false, dy, matrix, dx, false);
    dy.close();
    weight.gradientComplete();
    bias.gradientComplete();
    return dx;
  }

  @Override
  public void initialize(RandomGenerator random) {
    Initial.uniform(weight, matrix.shape().get(1), random);
    Initial.uniform(bias, matrix.shape().get(1), random);
  }

  @Override
  public void close() {
    matrix.close();
    Layer.super.close();
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(weight, bias);
  }
}
