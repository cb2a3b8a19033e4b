package slimvox.nn;

import java.util.List;
import slimvox.backend.Tensor;

/**
 * A layer that keeps only its input and computes itself again before backward.
 *
 * <p>What users of PyTorch know as {@code torch.utils.checkpoint}, but for one thing: recomputing
 * changes no state. Running statistics move once a step, in backward, and the batch statistics of
 * forward are used again. Kept for backward: the input, and 8 bytes a channel of each batch
 * normalization inside.
 *
 * <p>Source: Chen et al. 2016, arXiv 1604.06174.
 */
public final class ActivationCheckpoint implements Layer {
  private final Layer layer;
  private Tensor input;

  /** The same layer, computed twice. */
  public ActivationCheckpoint(Layer layer) {
    this.layer = layer;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    if (mode != Mode.TRAIN) return layer.forward(x, mode);
    Tensor y = layer.forward(x, Mode.TRAIN_WITHOUT_KEEPING);
    input = x.retain();
    return y;
  }

  @Override
  public Tensor forwardReusing(Tensor x, Mode mode) {
    return mode == Mode.EVALUATE
        ? layer.forwardReusing(x, mode)
        : Layer.super.forwardReusing(x, mode);
  }

  @Override
  public Tensor backward(Tensor dy) {
    if (input != null) {
      layer.forward(input, Mode.RECOMPUTE).close();
      input.close();
      input = null;
    }
    return layer.backward(dy);
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(layer);
  }
}
