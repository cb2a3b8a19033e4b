package slimvox.recipe;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import slimvox.backend.BinaryGradient;
import slimvox.models.Binarization;
import slimvox.models.Binarization.Activation;
import slimvox.nn.BinaryScheme;

/**
 * Section {@code model.binary} of a {@link Recipe}: which convolutions of a ResNet are binary.
 *
 * <p>All but the scheme are null by default, which means what suits the scheme. The first
 * convolution, pooling and the embedding's layer are always float.
 *
 * @param scheme {@code none}; binary weights and float activations: {@code bwn} (binary in forward
 *     and backward) or {@code paper} (real weights in the forward pass of training, as in arXiv
 *     2104.02306); {@code w1a1}, binary weights and signs as activations; {@code w32a1}, signs
 *     only, the first of two steps towards w1a1. Default none
 * @param layers what is binary, as in [layer3, layer4.0.conv1]. Default null: [layer1, layer2,
 *     layer3, layer4]
 * @param shortcuts whether the weights of 1x1 shortcuts are binary too. Default null: true
 * @param gradient how gradients reach the real weights: {@code ste}, {@code alpha}, {@code xnor} or
 *     {@code exact}, see {@link BinaryGradient}. Default null: xnor for paper, else ste
 * @param shifts whether signs have a learned threshold for each channel. Default null: true with
 *     signs
 * @param activation {@code relu}, {@code prelu}, {@code rprelu} or, with signs only, {@code none};
 *     prelu and rprelu also in a float network. Default null: rprelu with signs, else relu
 */
public record BinarySettings(
    String scheme,
    List<String> layers,
    Boolean shortcuts,
    String gradient,
    Boolean shifts,
    String activation) {

  /** A float network. */
  static final BinarySettings NONE = new BinarySettings("none", null, null, null, null, null);

  public BinarySettings {
    List<String> schemes =
        Stream.concat(
                Stream.of("none"), Arrays.stream(BinaryScheme.values()).map(BinaryScheme::key))
            .toList();
    InvalidSetting.oneOf("model.binary.scheme", scheme, schemes);
    if (gradient != null) {
      InvalidSetting.oneOf(
          "model.binary.gradient",
          gradient,
          Arrays.stream(BinaryGradient.values()).map(BinaryGradient::key).toList());
    }
    if (activation != null) {
      InvalidSetting.oneOf(
          "model.binary.activation",
          activation,
          Arrays.stream(Activation.values()).map(Activation::key).toList());
    }
    if (scheme.equals("none")) {
      withoutEffect("layers", layers, scheme);
      withoutEffect("shortcuts", shortcuts, scheme);
      withoutEffect("gradient", gradient, scheme);
    }
    boolean signs = scheme.equals("w1a1") || scheme.equals("w32a1");
    if (scheme.equals("w32a1")) {
      withoutEffect("shortcuts", shortcuts, scheme);
      withoutEffect("gradient", gradient, scheme);
    }
    if (!signs) {
      withoutEffect("shifts", shifts, scheme);
      if ("none".equals(activation)) {
        throw new InvalidSetting(
            "model.binary.activation", "none needs signs, scheme w1a1 or w32a1");
      }
    } else if ("relu".equals(activation)) {
      throw new InvalidSetting(
          "model.binary.activation",
          "relu leaves only +1 for the signs of scheme " + scheme + "; take rprelu, prelu or none");
    }
    if (layers != null) {
      if (layers.isEmpty()) {
        throw new InvalidSetting("model.binary.layers", "is empty; scheme none binarizes nothing");
      }
      for (String layer : layers) InvalidSetting.text("model.binary.layers", layer);
      layers = List.copyOf(layers);
    }
  }

  private static void withoutEffect(String key, Object value, String scheme) {
    if (value == null) return;
    throw new InvalidSetting("model.binary." + key, value + " has no effect with scheme " + scheme);
  }

  /** What the networks need. */
  Binarization binarization() {
    Binarization suits =
        scheme.equals("none")
            ? Binarization.NONE
            : Binarization.of(BinaryScheme.valueOf(constant(scheme)));
    return new Binarization(
        suits.scheme(),
        layers == null ? suits.layers() : layers,
        shortcuts == null ? suits.shortcuts() : shortcuts,
        gradient == null ? suits.gradient() : BinaryGradient.valueOf(constant(gradient)),
        shifts == null ? suits.shifts() : shifts,
        activation == null ? suits.activation() : Activation.valueOf(constant(activation)));
  }

  private static String constant(String key) {
    return key.toUpperCase(Locale.ROOT);
  }
}
