package slimvox.models;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.BinaryGradient;
import slimvox.models.Binarization.Activation;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.BinaryConv2d;
import slimvox.nn.BinaryScheme;
import slimvox.nn.Conv2d;
import slimvox.nn.Layer;
import slimvox.nn.Nonlinearity;
import slimvox.nn.PReLU;
import slimvox.nn.ResidualBlock;
import slimvox.nn.Sequential;

/**
 * ResNets with binary convolutions, as their {@link Binarization} says, or with another activation
 * than ReLU.
 *
 * <p>With binary weights only (W1A32) a block is that of {@link ResNet}, its convolutions replaced.
 * With binary activations a basic block becomes two units, each a binary convolution on signs, BN,
 * the shortcut around it, and the activation (Bi-Real Net, arXiv 1808.00278; with shifts and RPReLU
 * ReActNet, arXiv 2003.03488); the shortcut of a unit that changes shape is 1x1 + BN on float
 * activations. What feeds a block of signs has no ReLU, behind which all signs would be +1.
 *
 * <p>Parameters bear WeSpeaker's names, so that float checkpoints can be loaded. Beyond them there
 * are {@code CONV.shift} and, for activations other than ReLU, {@code act1.weight} of the stem and
 * {@code layerS.B.actN.weight}, {@code .shift} and {@code .bias}.
 */
final class BinaryResNet {
  private final ResNet shape;
  private final ModelSpec spec;
  private final Backend backend;
  private final Binarization binary;
  private final boolean gelu;

  BinaryResNet(ResNet shape, ModelSpec spec, Backend backend) {
    this.shape = shape;
    this.spec = spec;
    this.backend = backend;
    this.binary = spec.binarization();
    this.gelu = spec.activation() == Nonlinearity.Function.GELU;
  }

  Network network() {
    List<Layer> layers = new ArrayList<>();
    int width = spec.width();
    layers.add(new Conv2d(backend, "conv1", 1, width, 3, 1, 1, 1, false));
    boolean relu = !gelu && binary.endsWithReLU(false, "layer1.0");
    layers.add(new BatchNorm2d(backend, "bn1", width, relu));
    addActivation(layers, "act1", width, relu);
    List<ResNet.Place> places = shape.places(width);
    for (int i = 0; i < places.size(); i++) {
      ResNet.Place place = places.get(i);
      String next = i + 1 < places.size() ? places.get(i + 1).name() : null;
      layers.add(spec.kept(block(place, next)));
    }
    int channels = places.getLast().out();
    ResNet.addHead(layers, backend, spec, channels, ResNet.pooledBins(spec, ResNet.STRIDES));
    return new Network(spec, backend, new Sequential(layers), other -> shape.build(spec, other));
  }

  private void addActivation(List<Layer> layers, String name, int channels, boolean relu) {
    Activation activation = binary.activation();
    if (relu || activation == Activation.NONE) return;
    layers.add(
        gelu
            ? new Nonlinearity(backend, name, spec.activation())
            : new PReLU(backend, name, channels, activation == Activation.RPRELU));
  }

  private Layer block(ResNet.Place place, String next) {
    return binary.isOfSigns(place.name()) ? signBlock(place, next) : ordinaryBlock(place, next);
  }

  // ---- signs

  private Layer signBlock(ResNet.Place place, String next) {
    List<Layer> units = new ArrayList<>();
    addUnit(units, place, 1, place.in(), place.stride(), false);
    addUnit(units, place, 2, place.planes(), 1, binary.endsWithReLU(true, next));
    return new Sequential(units);
  }

  private void addUnit(
      List<Layer> layers, ResNet.Place place, int number, int in, int stride, boolean relu) {
    int out = place.planes();
    String name = place.name();
    Sequential body =
        new Sequential(convolution(name + ".conv" + number, in, out, 3, stride, false));
    BatchNorm2d norm = new BatchNorm2d(backend, name + ".bn" + number, out, relu);
    boolean reshapes = stride != 1 || in != out;
    layers.add(new ResidualBlock(body, norm, reshapes ? shortcut(name, in, out, stride) : null));
    addActivation(layers, name + ".act" + number, out, relu);
  }

  // ---- float activations

  private Layer ordinaryBlock(ResNet.Place place, String next) {
    String name = place.name();
    int in = place.in();
    int planes = place.planes();
    int out = place.out();
    List<Layer> body = new ArrayList<>();
    if (shape.bottleneck()) {
      addNormalized(body, place, 1, in, 1, 1);
      addNormalized(body, place, 2, planes, 3, place.stride());
      body.add(convolution(name + ".conv3", planes, out, 1, 1, false));
    } else {
      addNormalized(body, place, 1, in, 3, place.stride());
      body.add(convolution(name + ".conv2", planes, planes, 3, 1, false));
    }
    String last = shape.bottleneck() ? "3" : "2";
    boolean relu = !gelu && binary.endsWithReLU(false, next);
    BatchNorm2d norm = new BatchNorm2d(backend, name + ".bn" + last, out, relu);
    boolean reshapes = place.stride() != 1 || in != out;
    Layer block =
        new ResidualBlock(
            new Sequential(body), norm, reshapes ? shortcut(name, in, out, place.stride()) : null);
    List<Layer> layers = new ArrayList<>(List.of(block));
    addActivation(layers, name + ".act" + last, out, relu);
    return layers.size() == 1 ? block : new Sequential(layers);
  }

  /** Convolution, BN and an activation inside a block, where no sign follows. */
  private void addNormalized(
      List<Layer> body, ResNet.Place place, int number, int in, int kernel, int stride) {
    int planes = place.planes();
    boolean relu =
        !gelu && (binary.activation() == Activation.RELU || binary.activation() == Activation.NONE);
    String name = place.name();
    body.add(convolution(name + ".conv" + number, in, planes, kernel, stride, false));
    body.add(new BatchNorm2d(backend, name + ".bn" + number, planes, relu));
    addActivation(body, name + ".act" + number, planes, relu);
  }

  // ---- both

  private Sequential shortcut(String block, int in, int out, int stride) {
    return new Sequential(
        convolution(block + ".shortcut.0", in, out, 1, stride, true),
        new BatchNorm2d(backend, block + ".shortcut.1", out, false));
  }

  private Layer convolution(
      String name, int in, int out, int kernel, int stride, boolean shortcut) {
    if (!binary.takes(name)) return new Conv2d(backend, name, in, out, kernel, stride);
    BinaryScheme scheme = binary.scheme();
    BinaryGradient gradient = binary.gradient();
    if (!shortcut || !scheme.binaryActivations()) {
      boolean shifts = binary.shifts() && scheme.binaryActivations();
      return new BinaryConv2d(backend, name, in, out, kernel, stride, scheme, gradient, shifts);
    }
    // A shortcut carries float activations past the signs: at most its weights are binary.
    if (!scheme.binaryWeights()) return new Conv2d(backend, name, in, out, kernel, stride);
    return new BinaryConv2d(
        backend, name, in, out, kernel, stride, BinaryScheme.BWN, gradient, false);
  }
}
