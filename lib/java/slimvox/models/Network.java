package slimvox.models;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import slimvox.backend.Backend;
import slimvox.backend.Convolution;
import slimvox.backend.DataType;
import slimvox.backend.Tensor;
import slimvox.nn.Layer;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.ReversibleSequence;
import slimvox.nn.Sequential;
import slimvox.nn.StateDict;
import slimvox.nn.Stateful;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/**
 * A speaker-embedding network: features N x bins x frames x 1 in, embeddings N x E out.
 *
 * <p>The classifier used in training is not part of it, see {@link slimvox.loss.AamSoftmax}.
 */
public final class Network implements Layer {
  private final ModelSpec spec;
  private final Backend backend;
  private final Sequential layers;
  private final StateDict state;
  private final Function<Backend, Network> builder;
  private DataType activations = DataType.FLOAT32;

  Network(ModelSpec spec, Backend backend, Sequential layers, Function<Backend, Network> builder) {
    this.spec = spec;
    this.builder = builder;
    this.backend = backend;
    this.layers = layers;
    this.state = StateDict.of(layers);
  }

  /**
   * A network of one's own, for {@link Models#register}.
   *
   * @param layers features N x bins x frames x 1 in, embeddings N x E out; what backward returns of
   *     the first, the gradient of the features or null, is dropped
   */
  public static Network of(ModelSpec spec, Backend backend, Layer... layers) {
    return new Network(spec, backend, new Sequential(layers), other -> Models.build(spec, other));
  }

  /** The registered name, for example {@code ResNet34}. */
  public String name() {
    return spec.name();
  }

  /** The same network on another backend, parameters not initialized. */
  public Network on(Backend other) {
    return builder.apply(other).withActivations(activations);
  }

  /**
   * From now on reversible blocks are not rebuilt but keep what backward needs, as ordinary ones
   * do: what the inverse's rounding is measured against.
   *
   * @return this network
   * @throws InputException if it has no reversible blocks
   */
  public Network storing() {
    if (!spec.hasReversibleBlocks()) {
      throw new InputException(
          spec.name() + " has no reversible blocks, of which states are stored");
    }
    for (Layer layer : layers.layers()) {
      if (layer instanceof ReversibleSequence blocks) blocks.store();
    }
    return this;
  }

  /**
   * From now on activations and their gradients are of this type; the features it gets, pooled
   * statistics and what follows them are float32.
   *
   * @return this network
   * @throws InputException if the backend has no such tensors
   */
  public Network withActivations(DataType type) {
    if (!backend.device().takes(type) || !backend.device().takes(spec.streams().type())) {
      throw new InputException(
          "%s has float32 activations and streams only; leave out run.precision and fixed16 or"
                  .formatted(backend.description())
              + " fixed8 streams, or use backend cpu");
    }
    activations = type;
    return this;
  }

  /** The type of activations, see {@link #withActivations(DataType)}. */
  public DataType activations() {
    return activations;
  }

  /** What computes, and in which type if not in float32, in one line. */
  public String computation() {
    String of = activations == DataType.FLOAT32 ? "" : ", activations of " + Key.of(activations);
    return backend.description() + of;
  }

  /** What it was built from. */
  public ModelSpec spec() {
    return spec;
  }

  /** Where its parameters are. */
  public Backend backend() {
    return backend;
  }

  /** Parameters, running statistics and counters under WeSpeaker's names. */
  public StateDict state() {
    return state;
  }

  /** Says that the parameters do not change until {@link #thaw}, see {@link Parameter#freeze}. */
  public void freeze() {
    parameters().forEach(Parameter::freeze);
  }

  /** Says that the parameters may change again. */
  public void thaw() {
    parameters().forEach(Parameter::thaw);
  }

  /** The convolution of each parameter in the latest evaluation since {@link #freeze}, or null. */
  public List<Convolution> convolutions() {
    List<Convolution> latest = new ArrayList<>();
    for (Parameter p : parameters()) latest.add(p.prepacked().latest());
    return latest;
  }

  /** Lays weights out for an evaluation by convolutions of a frozen network, also a dry one. */
  public void prepare(List<Convolution> convolutions) {
    Iterator<Parameter> each = parameters().iterator();
    for (Convolution g : convolutions) {
      Parameter parameter = each.next();
      if (g != null) parameter.prepacked().prepare(g);
    }
  }

  private Collection<Parameter> parameters() {
    return state.parameters().values();
  }

  @Override
  public Tensor forward(Tensor x, Mode mode) {
    if (x.type() == activations) return layers.forward(x, mode);
    try (Tensor rounded =
        backend.allocate(x.category(), x.label() + ".rounded", activations, x.shape())) {
      backend.ops().elementwise.convert(x, rounded);
      return layers.forward(rounded, mode);
    }
  }

  /** Returns null: features have no gradient. */
  @Override
  public Tensor backward(Tensor dy) {
    Tensor dx = layers.backward(dy);
    if (dx != null) dx.close(); // of a network of one's own
    return null;
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(layers);
  }

  /** Name, width, parameters and what computes. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s of width %d, %,d parameters (%s)",
        name(),
        spec.width(),
        state.parameterCount(),
        backend.name());
  }
}
