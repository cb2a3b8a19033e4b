package slimvox.models;

import java.util.List;
import java.util.Optional;
import slimvox.backend.BinaryGradient;
import slimvox.nn.BinaryScheme;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Key;
import slimvox.settings.Setting;

/**
 * Which convolutions of a ResNet are binary, and what goes with it: section {@code model.binary} of
 * recipes.
 *
 * <p>All but the scheme are null by default, which means what suits the scheme; {@link
 * ModelSpec#binarization} has it. The first convolution, pooling and the embedding's linear layer
 * are always float.
 */
public record Binarization(
    @Setting(
            value =
                "none; binary weights and float activations: bwn (binary in forward and backward)"
                    + " or paper (real weights in the forward pass of training, as in arXiv"
                    + " 2104.02306); w1a1, binary weights and signs as activations; w32a1, signs"
                    + " only, the first of two steps towards w1a1.",
            byDefault = "none")
        BinaryScheme scheme,
    @Setting(
            value =
                "What is binary, as in [layer3, layer4.0.conv1]. null: [layer1, layer2, layer3,"
                    + " layer4].",
            onlyWith = "scheme!=none")
        List<String> layers,
    @Setting(
            value = "Whether the weights of 1x1 shortcuts are binary too. null: true.",
            onlyWith = "scheme!=none|w32a1")
        Boolean shortcuts,
    @Setting(
            value = "How gradients reach the real weights. null: xnor for paper, else ste.",
            onlyWith = "scheme!=none|w32a1")
        BinaryGradient gradient,
    @Setting(
            value =
                "Whether signs have a learned threshold for each channel. null: true with signs.",
            onlyWith = "scheme=w1a1|w32a1")
        Boolean shifts,
    @Setting(
            "relu, prelu, rprelu or, with signs only, none; prelu and rprelu also in a float"
                + " network. null: rprelu with signs, else relu.")
        Activation activation) {

  /** What stands where the float network has its ReLUs. */
  public enum Activation {
    /** max(x, 0); of no use before signs, which would all be +1. */
    RELU,
    /** A learned slope below 0 for each channel. */
    PRELU,
    /** PReLU between learned shifts (ReActNet). */
    RPRELU,
    /** Nothing: the sign of the next layer is the only non-linearity (Bi-Real Net). */
    NONE
  }

  /** All convolutions behind the first. */
  public static final List<String> ALL_LAYERS = List.of("layer1", "layer2", "layer3", "layer4");

  /** A float network with ReLUs. */
  static final Binarization NONE =
      new Binarization(BinaryScheme.NONE, null, null, null, null, null).resolved();

  public Binarization {
    boolean signs = scheme.binaryActivations();
    if (!signs && activation == Activation.NONE) {
      throw new InvalidSetting("model.binary.activation", "none needs signs, scheme w1a1 or w32a1");
    }
    if (signs && activation == Activation.RELU) {
      throw new InvalidSetting(
          "model.binary.activation",
          "relu leaves only +1 for the signs of scheme "
              + Key.of(scheme)
              + "; take rprelu, prelu or none");
    }
    if (layers != null) {
      if (layers.isEmpty()) {
        throw new InvalidSetting("model.binary.layers", "is empty; scheme none binarizes nothing");
      }
      layers = List.copyOf(layers);
    }
  }

  /**
   * The same with what suits the scheme in the place of nulls: everything binary behind the first
   * convolution; with float activations ReLU, with signs shifts and RPReLU; the paper's variant
   * with XNOR-Net's gradient, the others with the plain straight-through one.
   */
  Binarization resolved() {
    return new Binarization(
        scheme,
        layers == null ? ALL_LAYERS : layers,
        shortcuts == null ? scheme != BinaryScheme.NONE : shortcuts,
        gradient != null
            ? gradient
            : scheme == BinaryScheme.PAPER ? BinaryGradient.XNOR : BinaryGradient.STE,
        shifts == null ? signs() : shifts,
        activation != null ? activation : signs() ? Activation.RPRELU : Activation.RELU);
  }

  /** Whether some convolution sees signs only. */
  public boolean signs() {
    return scheme.binaryActivations();
  }

  /** Whether a convolution of this name, for example {@code layer2.0.shortcut.0}, is binary. */
  public boolean takes(String convolution) {
    if (scheme == BinaryScheme.NONE || !mayTake(convolution)) return false;
    return layers.stream().anyMatch(layer -> isWithin(layer, convolution));
  }

  /**
   * Whether a basic block, for example {@code layer2.0}, has a shortcut around each convolution.
   */
  public boolean isOfSigns(String block) {
    return signs() && (takes(block + ".conv1") || takes(block + ".conv2"));
  }

  /**
   * Whether a block ends with a ReLU.
   *
   * @param ofSigns whether the block is one of signs
   * @param next the block behind it; null for the end of the network
   */
  public boolean endsWithReLU(boolean ofSigns, String next) {
    return switch (activation) {
      case RELU -> true;
      case PRELU, RPRELU -> false;
      case NONE -> next == null ? !ofSigns : !isOfSigns(next);
    };
  }

  /**
   * The first of {@link #layers} that takes in none of a network's convolutions; empty if all do.
   *
   * @param convolutions all names, see {@link Models#convolutions}
   */
  public Optional<String> unknownLayer(List<String> convolutions) {
    return layers.stream()
        .filter(
            layer -> convolutions.stream().filter(this::mayTake).noneMatch(c -> isWithin(layer, c)))
        .findFirst();
  }

  /** Whether a convolution could be binary, were it in {@link #layers}. */
  boolean mayTake(String convolution) {
    return shortcuts || !convolution.contains(".shortcut.");
  }

  private static boolean isWithin(String layer, String convolution) {
    return convolution.equals(layer) || convolution.startsWith(layer + ".");
  }
}
