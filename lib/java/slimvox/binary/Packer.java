package slimvox.binary;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.models.Binarization;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.BinaryScheme;
import slimvox.nn.Parameter;
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
    if (binary.scheme().isEmpty()) {
      throw new InputException(
          source
              + ": a float network has no bits to pack; train with a binary scheme"
              + " (model.binary.scheme: bwn, paper or w1a1)");
    }
    BinaryScheme scheme = binary.scheme().get();
    if (!Models.fitsSigns(spec.name())) {
      throw new InputException(
          source + ": " + spec.name() + " has no packed form; ResNet18 and ResNet34 have");
    }
    if (spec.pooling() == ModelSpec.Pooling.ASTP) {
      throw new InputException(
          source + ": attentive pooling has no packed form; train with pooling tstp or gsp");
    }
    List<String> names = blockNames(Models.convolutions(spec.name()));
    if (!scheme.binaryWeights()) {
      throw new InputException(
          "%s: layer %s should be binary and is not: scheme %s leaves weights real; go on with w1a1"
              .formatted(source, names.getFirst() + ".conv1", scheme.key()));
    }
    PackedConvolution stem =
        convolution(
            "conv1", "bn1", 1, activation("act1", binary.endsWithReLU(false, names.getFirst())));
    List<PackedBlock> blocks = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      blocks.add(block(names.get(i), i + 1 < names.size() ? names.get(i + 1) : null));
    }
    Tensor weight = parameter(PackedHead.NAME + ".weight").value();
    PackedHead packedHead =
        PackedHead.of(
            head,
            weight.shape().get(1),
            weight.shape().get(0),
            floats(weight),
            floats(parameter(PackedHead.NAME + ".bias").value()));
    return new PackedModel(
        spec.name(),
        spec.width(),
        spec.bins(),
        spec.pooling(),
        scheme.key(),
        stem,
        blocks,
        packedHead,
        new LinkedHashMap<>(origin));
  }

  private static List<String> blockNames(List<String> convolutions) {
    return convolutions.stream()
        .filter(c -> c.endsWith(".conv1"))
        .map(c -> c.substring(0, c.length() - ".conv1".length()))
        .toList();
  }

  private PackedBlock block(String name, String next) {
    boolean ofSigns = binary.isOfSigns(name);
    boolean reshapes = network.state().parameters().containsKey(name + ".shortcut.0.weight");
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
    Map<String, Parameter> all = network.state().parameters();
    if (!all.containsKey(name + ".weight")) {
      return relu ? ChannelActivation.RELU : ChannelActivation.NONE;
    }
    float[] slope = floats(all.get(name + ".weight").value());
    if (!all.containsKey(name + ".shift")) {
      return new ChannelActivation(ChannelActivation.Kind.PRELU, slope, null, null);
    }
    return new ChannelActivation(
        ChannelActivation.Kind.RPRELU,
        slope,
        floats(all.get(name + ".shift").value()),
        floats(all.get(name + ".bias").value()));
  }

  private PackedConvolution convolution(
      String name, String norm, int stride, ChannelActivation activation) {
    Tensor weight = parameter(name + ".weight").value();
    int out = weight.shape().get(0);
    int in = weight.shape().get(1);
    int kernel = weight.shape().get(2);
    boolean takesSigns = network.state().parameters().containsKey(name + ".shift");
    boolean shortcut = name.contains(".shortcut.");
    WeightForm form =
        !binary.takes(name)
            ? WeightForm.FLOAT32
            : binary.signs() && !shortcut ? WeightForm.W1A1 : WeightForm.W1A32;
    // Where signs are taken somewhere, everything rounds as in training.
    boolean exact = binary.signs() || form == WeightForm.FLOAT32;
    float[] values = floats(weight);
    float[] alpha = form.isBinary() ? scales(name, weight) : null;
    Norm n = norm(norm, out);
    if (!exact) n = n.folded(alpha);
    return new PackedConvolution(
        name,
        form,
        in,
        out,
        kernel,
        stride,
        form.isBinary() ? SignBits.of(values, out, in, kernel) : null,
        form.isBinary() ? null : values,
        exact ? alpha : null,
        n.mean,
        n.scale,
        n.shift,
        takesSigns ? floats(parameter(name + ".shift").value()) : null,
        activation);
  }

  /** alpha of each filter, to the bits that training computes. */
  private float[] scales(String name, Tensor weight) {
    int filters = weight.shape().get(0);
    var backend = network.backend();
    try (Tensor alpha = backend.allocate(Category.ACTIVATION, name + ".alpha", filters);
        Tensor signs = backend.allocateLike(weight, Category.ACTIVATION, name + ".signs")) {
      backend.ops().binarizeFilters(weight, false, alpha, signs);
      float[] scales = floats(alpha);
      for (int o = 0; o < filters; o++) {
        if (!(scales[o] > 0 && Float.isFinite(scales[o]))) {
          throw new InputException(
              "%s: layer %s should be binary and is not: the scale of filter %d is %s"
                  .formatted(source, name, o, scales[o]));
        }
      }
      return scales;
    }
  }

  /** A batch normalization: y = scale (s - mean) + shift; mean null where it is folded in. */
  private record Norm(float[] mean, float[] scale, float[] shift) {
    /** The same behind a convolution of signs times alpha, as one multiply-add. */
    Norm folded(float[] alpha) {
      float[] s = new float[scale.length];
      float[] b = new float[scale.length];
      for (int c = 0; c < s.length; c++) {
        s[c] = (float) ((double) scale[c] * alpha[c]);
        b[c] = (float) (shift[c] - (double) scale[c] * mean[c]);
      }
      return new Norm(null, s, b);
    }
  }

  private Norm norm(String name, int channels) {
    float[] gamma = floats(parameter(name + ".weight").value());
    float[] variance = floats(buffer(name + ".running_var"));
    float[] scale = new float[channels];
    for (int c = 0; c < channels; c++) {
      float inverse = (float) (1 / Math.sqrt((double) variance[c] + BatchNorm2d.EPSILON));
      scale[c] = gamma[c] * inverse;
    }
    return new Norm(
        floats(buffer(name + ".running_mean")), scale, floats(parameter(name + ".bias").value()));
  }

  private Parameter parameter(String name) {
    Parameter p = network.state().parameters().get(name);
    if (p == null) throw new IllegalStateException(network.name() + " has no parameter " + name);
    return p;
  }

  private Tensor buffer(String name) {
    Tensor t = network.state().buffers().get(name);
    if (t == null) throw new IllegalStateException(network.name() + " has no buffer " + name);
    return t;
  }

  private static float[] floats(Tensor x) {
    return x.backend().ops().floats(x);
  }
}
