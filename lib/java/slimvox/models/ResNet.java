package slimvox.models;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.nn.AttentiveStatisticsPooling;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.Conv2d;
import slimvox.nn.GlobalStatisticsPooling;
import slimvox.nn.Layer;
import slimvox.nn.Linear;
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
 * @param blocks number of blocks of each stage
 * @param bottleneck bottleneck blocks, else basic blocks
 */
public record ResNet(List<Integer> blocks, boolean bottleneck) implements Architecture {
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
  public boolean hasBasicBlocks() {
    return !bottleneck;
  }

  @Override
  public Network build(ModelSpec spec, Backend backend) {
    if (!spec.binarization().equals(Binarization.NONE)) {
      return new BinaryResNet(this).build(spec, backend);
    }
    List<Layer> layers = new ArrayList<>();
    int width = spec.width();
    layers.add(new Conv2d(backend, "conv1", 1, width, 3, 1, 1, 1, false));
    layers.add(new BatchNorm2d(backend, "bn1", width, true));
    int channels = width;
    int bins = spec.bins();
    for (int stage = 0; stage < 4; stage++) {
      int planes = width << stage;
      for (int i = 0; i < blocks.get(stage); i++) {
        int stride = stage > 0 && i == 0 ? 2 : 1;
        String name = "layer" + (stage + 1) + "." + i;
        layers.add(block(backend, name, channels, planes, stride));
        channels = bottleneck ? 4 * planes : planes;
      }
      if (stage > 0) bins = (bins - 1) / 2 + 1;
    }
    int features = pooledFeatures(spec, channels, bins);
    layers.add(pooling(backend, spec, features));
    layers.add(new Linear(backend, "seg_1", 2 * features, spec.embeddingSize(), false));
    return new Network(spec, backend, new Sequential(layers), other -> build(spec, other));
  }

  private Layer block(Backend backend, String name, int in, int planes, int stride) {
    int out = bottleneck ? 4 * planes : planes;
    List<Layer> body = new ArrayList<>();
    if (bottleneck) {
      body.add(new Conv2d(backend, name + ".conv1", in, planes, 1, 1));
      body.add(new BatchNorm2d(backend, name + ".bn1", planes, true));
      body.add(new Conv2d(backend, name + ".conv2", planes, planes, 3, stride));
      body.add(new BatchNorm2d(backend, name + ".bn2", planes, true));
      body.add(new Conv2d(backend, name + ".conv3", planes, out, 1, 1));
    } else {
      body.add(new Conv2d(backend, name + ".conv1", in, planes, 3, stride));
      body.add(new BatchNorm2d(backend, name + ".bn1", planes, true));
      body.add(new Conv2d(backend, name + ".conv2", planes, planes, 3, 1));
    }
    BatchNorm2d last = new BatchNorm2d(backend, name + (bottleneck ? ".bn3" : ".bn2"), out, true);
    Sequential shortcut = null;
    if (stride != 1 || in != out) {
      shortcut =
          new Sequential(
              new Conv2d(backend, name + ".shortcut.0", in, out, 1, stride),
              new BatchNorm2d(backend, name + ".shortcut.1", out, false));
    }
    return new ResidualBlock(new Sequential(body), last, shortcut);
  }

  /** How many values pooling takes a mean and a deviation of. */
  static int pooledFeatures(ModelSpec spec, int channels, int bins) {
    return spec.pooling() == ModelSpec.Pooling.GSP ? channels : channels * bins;
  }

  static Layer pooling(Backend backend, ModelSpec spec, int features) {
    return switch (spec.pooling()) {
      case GSP -> new GlobalStatisticsPooling(backend, "pool");
      case TSTP -> new StatisticsPooling(backend, "pool");
      case ASTP -> new AttentiveStatisticsPooling(backend, "pool", features, 128);
    };
  }
}
