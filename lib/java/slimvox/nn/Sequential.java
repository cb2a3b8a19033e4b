package slimvox.nn;

import java.util.List;
import java.util.stream.Collectors;
import slimvox.backend.Tensor;

/** Layers one after the other. */
public final class Sequential implements Layer {
  private final List<Layer> layers;

  /** Layers in order, at least one. */
  public Sequential(List<? extends Layer> layers) {
    this.layers = List.copyOf(layers);
    for (int i = 1; i < layers.size(); i++) {
      if (layers.get(i - 1) instanceof Conv2d c && layers.get(i) instanceof BatchNorm2d norm) {
        c.followedBy(norm, false);
      }
    }
  }

  /** Layers in order, at least one. */
  public Sequential(Layer... layers) {
    this(List.of(layers));
  }

  /** The layers in order. */
  public List<Layer> layers() {
    return layers;
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    Tensor current = x.retain();
    for (Layer layer : layers) current = layer.forwardReusing(current, mode);
    return current;
  }

  @Override
  public Tensor backward(Tensor dy) {
    Tensor current = dy;
    for (Layer layer : layers.reversed()) current = layer.backward(current);
    return current;
  }

  @Override
  public List<? extends Stateful> parts() {
    return layers;
  }

  /** The kinds of its layers. */
  @Override
  public String toString() {
    return layers.stream()
        .map(layer -> layer.getClass().getSimpleName())
        .collect(Collectors.joining(", ", layers.size() + " layers: ", ""));
  }
}
