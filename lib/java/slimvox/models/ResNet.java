package slimvox.models;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.Shape;
import slimvox.nn.AttentiveStatisticsPooling;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.Branch;
import slimvox.nn.Conv2d;
import slimvox.nn.GlobalStatisticsPooling;
import slimvox.nn.Layer;
import slimvox.nn.Linear;
import slimvox.nn.Nonlinearity;
import slimvox.nn.ResidualBlock;
import slimvox.nn.Sequential;
import slimvox.nn.StatisticsPooling;

/**
 * WeSpeaker's ResNets (He et al. 2016, arXiv 1512.03385, without max pooling).
 *
 * <p>Stem: 3x3 convolution 1 -> width, BN, ReLU. Four stages of width, 2, 4 and 8 times width
 * channels; the first block of stages 2 to 4 has stride 2 on both axes. A basic block is 3x3, BN,
 * ReLU, 3x3, BN; a bottleneck 1x1, BN, ReLU, 3x3 (stride), BN, ReLU, 1x1 to four times the
 * channels, BN; then the shortcut is added and ReLU applied. Where shape changes the shortcut is
 * 1x1 + BN. Then pooling over frames and one linear layer. Parameters bear WeSpeaker's names.
 *
 * <p>With {@link ModelSpec#preActivation} blocks that keep their shape are those of He et al. 2016
 * (arXiv 1603.05027): BN, ReLU and convolution, two or three times, added to the block's input
 * without a ReLU. BN and ReLU follow the last block.
 *
 * @param blocks number of blocks of each stage
 * @param bottleneck bottleneck blocks, else basic blocks
 */
public record ResNet(List<Integer> blocks, boolean bottleneck) implements Architecture {
  static final List<Integer> STRIDES = List.of(1, 2, 2, 2); // before the stages

  /** Where a block stands: its name, channels coming in, inside and going out, its stride. */
  record Place(String name, int in, int planes, int out, int stride) {}

  /** The blocks in order. */
  List<Place> places(int width) {
    List<Place> places = new ArrayList<>();
    int channels = width;
    for (int stage = 0; stage < 4; stage++) {
      int planes = width << stage;
      int out = bottleneck ? 4 * planes : planes;
      for (int i = 0; i < blocks.get(stage); i++) {
        int stride = stage > 0 && i == 0 ? 2 : 1;
        places.add(new Place("layer" + (stage + 1) + "." + i, channels, planes, out, stride));
        channels = out;
      }
    }
    return places;
  }

  @Override
  public List<String> convolutions() {
    List<String> names = new ArrayList<>();
    for (Place place : places(1)) {
      for (int i = 1; i <= (bottleneck ? 3 : 2); i++) names.add(place.name() + ".conv" + i);
      if (place.stride() != 1 || place.in() != place.out()) {
        names.add(place.name() + ".shortcut.0");
      }
    }
    return names;
  }

  @Override
  public boolean slices() {
    return !bottleneck;
  }

  @Override
  public boolean hasBasicBlocks() {
    return !bottleneck;
  }

  @Override
  public Network build(ModelSpec spec, Backend backend) {
    if (!spec.binarization().equals(Binarization.NONE)
        || spec.activation() != Nonlinearity.Function.RELU) {
      return new BinaryResNet(this, spec, backend).network();
    }
    if (spec.hasReversibleBlocks()) {
      return RevNet.build(vanilla(), spec, backend);
    }
    List<Layer> layers = stem(spec, backend);
    for (Place place : places(spec.width())) layers.add(block(spec, backend, place));
    int channels = spec.width() * (bottleneck ? 32 : 8);
    if (spec.preActivation()) layers.add(new BatchNorm2d(backend, "bn_last", channels, true));
    addHead(layers, backend, spec, channels, pooledBins(spec, STRIDES));
    return new Network(spec, backend, new Sequential(layers), other -> build(spec, other));
  }

  private static List<Layer> stem(ModelSpec spec, Backend backend) {
    List<Layer> layers = new ArrayList<>();
    layers.add(new Conv2d(backend, "conv1", 1, spec.width(), 3, 1, 1, 1, false));
    layers.add(new BatchNorm2d(backend, "bn1", spec.width(), true));
    return layers;
  }

  /** Frequency rows that reach the pooling. */
  static int pooledBins(ModelSpec spec, List<Integer> frequencyStrides) {
    int bins = spec.bins();
    for (int stride : frequencyStrides) bins = (bins - 1) / stride + 1;
    return bins;
  }

  private Layer block(ModelSpec spec, Backend backend, Place place) {
    String name = place.name();
    int in = place.in();
    int planes = place.planes();
    int out = place.out();
    int stride = place.stride();
    boolean reshapes = stride != 1 || in != out;
    boolean pre = spec.preActivation() && !reshapes;
    List<BatchNorm2d> norms = new ArrayList<>();
    List<Conv2d> convolutions = new ArrayList<>();
    int bn = pre ? 2 : 1; // the number of the normalization after the first convolution
    norms.add(pre ? new BatchNorm2d(backend, name + ".bn1", in, true) : null);
    norms.add(new BatchNorm2d(backend, name + ".bn" + bn, planes, true));
    if (bottleneck) {
      convolutions.add(new Conv2d(backend, name + ".conv1", in, planes, 1, 1));
      convolutions.add(new Conv2d(backend, name + ".conv2", planes, planes, 3, stride));
      convolutions.add(new Conv2d(backend, name + ".conv3", planes, out, 1, 1));
      norms.add(new BatchNorm2d(backend, name + ".bn" + (bn + 1), planes, true));
    } else {
      convolutions.add(new Conv2d(backend, name + ".conv1", in, planes, 3, stride));
      convolutions.add(new Conv2d(backend, name + ".conv2", planes, planes, 3, 1));
    }
    Branch body =
        new Branch(norms, convolutions, null, new Branch.Memory(spec.rebuild(), 0, false));
    BatchNorm2d last =
        pre ? null : new BatchNorm2d(backend, name + (bottleneck ? ".bn3" : ".bn2"), out, true);
    Sequential shortcut = null;
    if (reshapes) {
      shortcut =
          new Sequential(
              new Conv2d(backend, name + ".shortcut.0", in, out, 1, stride),
              new BatchNorm2d(backend, name + ".shortcut.1", out, false));
    }
    return spec.kept(new ResidualBlock(body, last, shortcut));
  }

  /** What reversible networks are built from. */
  private RevNet.Vanilla vanilla() {
    int first = bottleneck ? 1 : 0;
    return new RevNet.Vanilla(
        bottleneck ? RevNet.Family.BOTTLENECK : RevNet.Family.BASIC,
        blocks,
        STRIDES,
        STRIDES,
        List.of(first, 1, 1, 1),
        stage -> "layer" + (stage + 1) + ".",
        ResNet::stem,
        this::transition);
  }

  private List<Layer> transition(ModelSpec spec, Backend backend, int stage) {
    if (stage == 0 && !bottleneck) return List.of();
    String name = "layer" + (stage + 1) + ".0";
    return places(spec.width()).stream()
        .filter(place -> place.name().equals(name))
        .map(place -> block(spec, backend, place))
        .toList();
  }

  /** Adds pooling of so many channels and frequency rows, and the linear layer that embeds it. */
  static void addHead(List<Layer> layers, Backend backend, ModelSpec spec, int channels, int bins) {
    boolean global = spec.pooling() == ModelSpec.Pooling.GSP;
    int features = global ? channels : Shape.axis(2L * channels * bins) / 2; // twice as many come
    layers.add(
        switch (spec.pooling()) {
          case GSP -> new GlobalStatisticsPooling(backend, "pool");
          case TSTP -> new StatisticsPooling(backend, "pool");
          case ASTP -> new AttentiveStatisticsPooling(backend, "pool", features, 128);
        });
    layers.add(new Linear(backend, "seg_1", 2 * features, spec.embeddingSize(), false));
  }
}
