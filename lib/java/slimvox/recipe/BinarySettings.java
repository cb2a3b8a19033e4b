package slimvox.recipe;

import java.util.List;
import slimvox.backend.BinaryGradient;
import slimvox.models.Binarization;
import slimvox.models.Binarization.Activation;
import slimvox.nn.BinaryScheme;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Key;
import slimvox.settings.Setting;

/**
 * Section {@code model.binary} of a {@link Recipe}: which convolutions of a ResNet are binary.
 *
 * <p>All but the scheme are null by default, which means what suits the scheme. The first
 * convolution, pooling and the embedding's layer are always float.
 */
public record BinarySettings(
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

  public BinarySettings {
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

  /** What the networks need. */
  Binarization binarization() {
    Binarization suits = scheme == BinaryScheme.NONE ? Binarization.NONE : Binarization.of(scheme);
    return new Binarization(
        suits.scheme(),
        layers == null ? suits.layers() : layers,
        shortcuts == null ? suits.shortcuts() : shortcuts,
        gradient == null ? suits.gradient() : gradient,
        shifts == null ? suits.shifts() : shifts,
        activation == null ? suits.activation() : activation);
  }
}
