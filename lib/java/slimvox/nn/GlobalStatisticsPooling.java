package slimvox.nn;

import slimvox.backend.Backend;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;

/**
 * Global statistics pooling (GSP): mean and deviation of every channel over time and frequency
 * together.
 *
 * <p>Input N x H x W x C, output N x 2C: first the means over the H W positions, then sqrt(unbiased
 * variance + 1e-7). The linear layer behind it has H times fewer weights than behind {@link
 * StatisticsPooling}. Kept for backward: input and output.
 */
public final class GlobalStatisticsPooling implements Layer {
  private final StatisticsPooling overPositions;
  private Shape shape;

  /** A pooling whose tensors are labelled {@code name}. */
  public GlobalStatisticsPooling(Backend backend, String name) {
    this.overPositions = new StatisticsPooling(backend, name);
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Shape s = x.shape();
    if (mode.keeps()) shape = s;
    // All positions as the frames of one frequency.
    try (Tensor positions = x.view(s.get(0), 1, Shape.axis((long) s.get(1) * s.get(2)), s.get(3))) {
      return overPositions.forward(positions, mode);
    }
  }

  @Override
  public Tensor backward(Tensor dout) {
    Tensor dx = overPositions.backward(dout);
    Tensor seen = dx.view(shape.toArray());
    dx.close();
    return seen;
  }
}
