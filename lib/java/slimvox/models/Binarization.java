package slimvox.models;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import slimvox.backend.BinaryGradient;
import slimvox.nn.BinaryScheme;

/**
 * Which convolutions of a ResNet are binary, and what goes with it.
 *
 * <p>The first convolution, pooling and the embedding's linear layer are always float.
 *
 * @param scheme what is binarized and when; empty for a float network
 * @param layers which convolutions are binary: names as {@code layer3}, {@code layer3.0} or {@code
 *     layer3.0.conv1}, each with all below it
 * @param shortcuts whether the 1x1 convolutions of shortcuts are binary too, where {@code layers}
 *     takes them in; their weights only, their input is never turned into signs
 * @param gradient how gradients reach the real weights
 * @param shifts whether input channels have learned shifts before their signs (ReActNet's RSign)
 * @param activation what stands where the float network has its ReLUs
 */
public record Binarization(
    Optional<BinaryScheme> scheme,
    List<String> layers,
    boolean shortcuts,
    BinaryGradient gradient,
    boolean shifts,
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
    NONE;

    /** The name in recipes. */
    public String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** All convolutions behind the first. */
  public static final List<String> ALL_LAYERS = List.of("layer1", "layer2", "layer3", "layer4");

  /** A float network with ReLUs. */
  public static final Binarization NONE =
      new Binarization(
          Optional.empty(), ALL_LAYERS, false, BinaryGradient.STE, false, Activation.RELU);

  public Binarization {
    layers = List.copyOf(layers);
    boolean signs = scheme.map(BinaryScheme::binaryActivations).orElse(false);
    if (signs && activation == Activation.RELU) {
      throw new IllegalArgumentException("behind a ReLU all signs are +1");
    }
    if (!signs && (shifts || activation == Activation.NONE)) {
      throw new IllegalArgumentException("only signs have shifts or can do without activation");
    }
  }

  /**
   * A scheme with what suits it: everything binary behind the first convolution; with float
   * activations ReLU, with signs shifts and RPReLU; the paper's variant with XNOR-Net's gradient,
   * the others with the plain straight-through one.
   */
  public static Binarization of(BinaryScheme scheme) {
    boolean signs = scheme.binaryActivations();
    return new Binarization(
        Optional.of(scheme),
        ALL_LAYERS,
        true,
        scheme == BinaryScheme.PAPER ? BinaryGradient.XNOR : BinaryGradient.STE,
        signs,
        signs ? Activation.RPRELU : Activation.RELU);
  }

  /** The same for other layers. */
  public Binarization withLayers(List<String> layers) {
    return new Binarization(scheme, layers, shortcuts, gradient, shifts, activation);
  }

  /** The same with another activation. */
  public Binarization with(Activation activation) {
    return new Binarization(scheme, layers, shortcuts, gradient, shifts, activation);
  }

  /** The same with another gradient. */
  public Binarization with(BinaryGradient gradient) {
    return new Binarization(scheme, layers, shortcuts, gradient, shifts, activation);
  }

  /** Whether some convolution sees signs only. */
  public boolean signs() {
    return scheme.map(BinaryScheme::binaryActivations).orElse(false);
  }

  /**
   * Whether a convolution is binary.
   *
   * @param convolution its name, for example {@code layer2.0.conv1} or {@code layer2.0.shortcut.0}
   */
  public boolean takes(String convolution) {
    if (scheme.isEmpty() || (isShortcut(convolution) && !shortcuts)) return false;
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
            layer ->
                convolutions.stream()
                    .filter(c -> shortcuts || !isShortcut(c))
                    .noneMatch(c -> isWithin(layer, c)))
        .findFirst();
  }

  private static boolean isShortcut(String convolution) {
    return convolution.contains(".shortcut.");
  }

  private static boolean isWithin(String layer, String convolution) {
    return convolution.equals(layer) || convolution.startsWith(layer + ".");
  }
}
