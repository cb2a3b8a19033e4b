package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.storage.InputException;

/**
 * Temporal statistics pooling (TSTP): mean and deviation over frames of every channel and
 * frequency.
 *
 * <p>Input N x H x W x C, output N x 2D with D = C H: first the means, then sqrt(unbiased variance
 * + 1e-7); feature c H + h, WeSpeaker's order. Kept for backward: input and output. A single frame
 * has no unbiased variance, so it is refused.
 */
public final class StatisticsPooling implements Layer {
  /** Added to the variance before the root is taken. */
  public static final float FLOOR = 1e-7f;

  private final Backend backend;
  private final String name;
  private Tensor input;
  private Tensor output;

  /** A pooling whose tensors are labelled {@code name}. */
  public StatisticsPooling(Backend backend, String name) {
    this.backend = backend;
    this.name = name;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Shape s = x.shape();
    if (s.get(2) < 2) {
      throw new InputException(
          name
              + ": the utterances are too short: 1 frame is left of them, a deviation takes two;"
              + " give more frames");
    }
    Tensor out =
        backend.allocate(
            Category.ACTIVATION, name + ".out", s.get(0), Shape.axis(2L * s.get(1) * s.get(3)));
    backend.ops().pooling.statisticsPooling(x, FLOOR, out);
    if (mode.keeps()) {
      input = x.retain();
      output = out.retain();
    }
    return out;
  }

  @Override
  public Tensor backward(Tensor dout) {
    Tensor dx = backend.allocateLike(input, Category.ACTIVATION_GRADIENT, name + ".din");
    backend.ops().pooling.statisticsPoolingBackward(input, output, dout, dx);
    input.close();
    output.close();
    dout.close();
    return dx;
  }
}
