package slimvox.binary;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.backend.Tensor;
import slimvox.backend.packed.ChannelActivation;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.PackedConvolution;
import slimvox.backend.packed.PackedHead;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;
import slimvox.memory.Category;
import slimvox.models.Binarization;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.BinaryScheme;
import slimvox.nn.Parameter;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/**
 * Makes a {@link PackedModel} of a trained network: signs and scales of the filters, batch
 * normalization folded in.
 *
 * <p>Nothing is left real by accident: a network without binary weights, and a filter that has no
 * scale because its weights are all 0 or not finite, are errors that name it.
 */
public final class Packer {

  private final Network network;
  private final String source;
  private final Binarization binary;

  private Packer(Network network, String source) {
    this.network = network;
    this.source = source;
    this.binary = network.spec().binarization();
  }

  /**
   * Packs a network.
   *
   * @param source what to call it in messages, for example the checkpoint's path
   * @param head form of the embedding layer: FLOAT32, INT8 or W1A32
   * @throws InputException if it is not one that can be packed
   */
  public static PackedModel pack(
      Network network, String source, WeightForm head, Map<String, String> origin) {
    return new Packer(network, source).pack(head, origin);
  }

  private PackedModel pack(WeightForm head, Map<String, String> origin) {
    ModelSpec spec = network.spec();
    if (binary.scheme() == BinaryScheme.NONE) {
      throw InputException.at(
          source,
          "a float network has no bits to pack; train with a binary scheme"
              + " (model.binary.scheme: bwn, paper or w1a1)");
    }
    BinaryScheme scheme = binary.scheme();
    if (!Models.fitsSigns(spec.name())) {
      throw InputException.at(
          source, "%s has no packed form; ResNet18 and ResNet34 have", spec.name());
    }
    if (spec.pooling() == ModelSpec.Pooling.ASTP) {
      throw InputException.at(
          source, "attentive pooling has no packed form; train with pooling tstp or gsp");
    }
    List<String> names = blockNames(Models.convolutions(spec.name()));
    if (!scheme.binaryWeights()) {
      throw InputException.at(
          source,
          "layer %s.conv1 should be binary and is not: scheme %s leaves weights real; go on with"
              + " w1a1",
          names.getFirst(),
          Key.of(scheme));
    }
    PackedConvolution stem =
        convolution(
            "conv1", "bn1", 1, activation("act1", binary.endsWithReLU(false, names.getFirst())));
    List<PackedBlock> blocks = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      blocks.add(block(names.get(i), i + 1 < names.size() ? names.get(i + 1) : null));
    }
    String last = PackedHead.NAME;
    float[] weights = floats(last + ".weight");
    int out = spec.embeddingSize();
    return new PackedModel(
        ModelSpec.of(
            spec.name(),
            "width=" + spec.width(),
            "bins=" + spec.bins(),
            "embeddingSize=" + out,
            "pooling=" + Key.of(spec.pooling())),
        Key.of(scheme),
        stem,
        blocks,
        PackedHead.of(head, weights.length / out, out, weights, floats(last + ".bias")),
        origin);
  }

  private static List<String> blockNames(List<String> convolutions) {
    return convolutions.stream()
        .filter(c -> c.endsWith(".conv1"))
        .map(c -> c.substring(0, c.length() - ".conv1".length()))
        .toList();
  }

  private PackedBlock block(String name, String next) {
    boolean ofSigns = binary.isOfSigns(name);
    boolean reshapes = tensor(name + ".shortcut.0.weight") != null;
    ChannelActivation inner = activation(name + ".act1", !ofSigns);
    ChannelActivation last = activation(name + ".act2", binary.endsWithReLU(ofSigns, next));
    return new PackedBlock(
        name,
        ofSigns,
        convolution(name + ".conv1", name + ".bn1", reshapes ? 2 : 1, inner),
        convolution(name + ".conv2", name + ".bn2", 1, last),
        reshapes
            ? convolution(name + ".shortcut.0", name + ".shortcut.1", 2, ChannelActivation.NONE)
            : null);
  }

  private ChannelActivation activation(String name, boolean relu) {
    float[] slope = optional(name + ".weight");
    if (slope == null) return relu ? ChannelActivation.RELU : ChannelActivation.NONE;
    float[] before = optional(name + ".shift");
    return before == null
        ? new ChannelActivation(ChannelActivation.Kind.PRELU, slope, null, null)
        : new ChannelActivation(
            ChannelActivation.Kind.RPRELU, slope, before, floats(name + ".bias"));
  }

  private PackedConvolution convolution(
      String name, String norm, int stride, ChannelActivation activation) {
    Tensor weight = tensor(name + ".weight");
    int out = weight.shape().get(0);
    int in = weight.shape().get(1);
    int kernel = weight.shape().get(2);
    boolean shortcut = name.contains(".shortcut.");
    WeightForm form =
        !binary.takes(name)
            ? WeightForm.FLOAT32
            : binary.signs() && !shortcut ? WeightForm.W1A1 : WeightForm.W1A32;
    float[] values = floats(name + ".weight");
    float[] alpha = form.isBinary() ? scales(name, weight) : null;
    // Batch normalization: y = scale (s - mean) + shift.
    float[] mean = floats(norm + ".running_mean");
    float[] scale = floats(norm + ".weight");
    float[] shift = floats(norm + ".bias");
    float[] variance = floats(norm + ".running_var");
    for (int c = 0; c < out; c++) {
      scale[c] *= (float) (1 / Math.sqrt((double) variance[c] + BatchNorm2d.EPSILON));
    }
    // Where signs are taken somewhere, everything rounds as in training; else it is folded behind a
    // convolution of signs times alpha, as one multiply-add.
    if (form.isBinary() && !binary.signs()) {
      for (int c = 0; c < out; c++) {
        shift[c] = (float) (shift[c] - (double) scale[c] * mean[c]);
        scale[c] = (float) ((double) scale[c] * alpha[c]);
      }
      alpha = null;
      mean = null;
    }
    return new PackedConvolution(
        new LayerShape(name, form, in, out, kernel, stride),
        form.isBinary() ? SignBits.of(values, out, in, kernel) : null,
        form.isBinary() ? null : values,
        alpha,
        mean,
        scale,
        shift,
        optional(name + ".shift"),
        activation);
  }

  /** alpha of each filter, to the bits that training computes. */
  private float[] scales(String name, Tensor weight) {
    int filters = weight.shape().get(0);
    var backend = network.backend();
    try (Tensor alpha = backend.allocate(Category.ACTIVATION, name + ".alpha", filters);
        Tensor signs = backend.allocateLike(weight, Category.ACTIVATION, name + ".signs")) {
      backend.ops().binary.binarizeFilters(weight, false, alpha, signs);
      float[] scales = backend.ops().floats(alpha);
      for (int o = 0; o < filters; o++) {
        if (!(scales[o] > 0 && Float.isFinite(scales[o]))) {
          throw InputException.at(
              source,
              "layer %s should be binary and is not: the scale of filter %d is %s",
              name,
              o,
              scales[o]);
        }
      }
      return scales;
    }
  }

  /** A parameter or a buffer; null if the network has none of that name. */
  private Tensor tensor(String name) {
    Parameter p = network.state().parameters().get(name);
    return p != null ? p.value() : network.state().buffers().get(name);
  }

  private float[] optional(String name) {
    Tensor x = tensor(name);
    return x == null ? null : x.backend().ops().floats(x);
  }

  private float[] floats(String name) {
    float[] values = optional(name);
    if (values == null) throw new IllegalStateException(network.name() + " has no tensor " + name);
    return values;
  }
}
