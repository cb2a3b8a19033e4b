package slimvox.models;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.Branch;
import slimvox.nn.Conv2d;
import slimvox.nn.Layer;
import slimvox.nn.ResidualBlock;
import slimvox.nn.Sequential;

/**
 * Depth-first ResNets: many thin blocks (Liu, Chen and Qian 2023, IEEE/ACM TASLP 31:1825-1838).
 *
 * <p>Stem: 3x3 convolution 1 -> width, BN, ReLU. Before each of the four stages (width, 2, 4 and 8
 * times width channels) a 3x3 convolution with the stage's stride, and BN. A block is an inverted
 * bottleneck: 1x1 to four times the channels, BN, ReLU, depthwise 3x3, BN, ReLU, 1x1 back, BN, plus
 * the block's input, ReLU. Then pooling over frames and one linear layer. Parameters bear the names
 * of WeSpeaker's Gemini DF-ResNet. With {@link ModelSpec#preActivation} BN and ReLU stand before
 * each convolution of a block instead of behind it, nothing follows the sum, and BN and ReLU follow
 * the last block.
 *
 * <p>The paper's strides are not known exactly: 1, 2, 2, 2 on both axes is the natural reading, and
 * gives the published size of the largest (12.3 M, 11.1 G multiply-adds) but 0.2 M parameters more
 * than published for the smallest.
 *
 * @param blocks number of blocks of each stage
 * @param frequencyStrides stride over frequency before each stage
 * @param timeStrides stride over frames before each stage
 */
public record DfResNet(
    List<Integer> blocks, List<Integer> frequencyStrides, List<Integer> timeStrides)
    implements Architecture {
  private static final List<Integer> ORIGINAL = List.of(1, 2, 2, 2);

  /** The original's strides: 1, 2, 2, 2 on both axes. */
  public static DfResNet original(Integer... blocks) {
    return new DfResNet(List.of(blocks), ORIGINAL, ORIGINAL);
  }

  /** WeSpeaker's Gemini variant: 2, 2, 2, 2 over frequency and 1, 2, 1, 1 over frames. */
  public static DfResNet gemini(Integer... blocks) {
    return new DfResNet(List.of(blocks), List.of(2, 2, 2, 2), List.of(1, 2, 1, 1));
  }

  @Override
  public Network build(ModelSpec spec, Backend backend) {
    if (spec.hasReversibleBlocks()) {
      return RevNet.build(vanilla(), spec, backend);
    }
    List<Layer> layers = stem(spec, backend);
    for (int stage = 0; stage < 4; stage++) {
      layers.add(down(spec, backend, stage));
      for (int i = 0; i < blocks.get(stage); i++) layers.add(block(spec, backend, stage, i));
    }
    if (spec.preActivation()) {
      layers.add(new BatchNorm2d(backend, "bn_last", 8 * spec.width(), true));
    }
    ResNet.addHead(
        layers, backend, spec, 8 * spec.width(), ResNet.pooledBins(spec, frequencyStrides));
    return new Network(spec, backend, new Sequential(layers), other -> build(spec, other));
  }

  private static List<Layer> stem(ModelSpec spec, Backend backend) {
    List<Layer> layers = new ArrayList<>();
    layers.add(new Conv2d(backend, "downsample_layers.0.0", 1, spec.width(), 3, 1, 1, 1, false));
    layers.add(new BatchNorm2d(backend, "downsample_layers.0.1", spec.width(), true));
    return layers;
  }

  private Layer down(ModelSpec spec, Backend backend, int stage) {
    String name = "downsample_layers." + (stage + 1);
    int planes = spec.width() << stage;
    int in = stage == 0 ? planes : planes / 2;
    int strideHeight = frequencyStrides.get(stage);
    int strideWidth = timeStrides.get(stage);
    Layer convolution =
        new Conv2d(backend, name + ".0", in, planes, 3, strideHeight, strideWidth, 1, true);
    return spec.kept(
        new Sequential(convolution, new BatchNorm2d(backend, name + ".1", planes, false)));
  }

  private static Layer block(ModelSpec spec, Backend backend, int stage, int i) {
    String name = "stages." + stage + "." + i;
    int planes = spec.width() << stage;
    int inner = 4 * planes;
    boolean pre = spec.preActivation();
    List<BatchNorm2d> norms = new ArrayList<>();
    norms.add(pre ? new BatchNorm2d(backend, name + ".bn1", planes, true) : null);
    norms.add(new BatchNorm2d(backend, name + (pre ? ".bn2" : ".bn1"), inner, true));
    norms.add(new BatchNorm2d(backend, name + (pre ? ".bn3" : ".bn2"), inner, true));
    List<Conv2d> convolutions =
        List.of(
            new Conv2d(backend, name + ".conv1", planes, inner, 1, 1),
            new Conv2d(backend, name + ".conv2", inner, inner, 3, 1, 1, inner, true),
            new Conv2d(backend, name + ".conv3", inner, planes, 1, 1));
    Branch body =
        new Branch(norms, convolutions, null, new Branch.Memory(spec.rebuild(), 0, false));
    BatchNorm2d last = pre ? null : new BatchNorm2d(backend, name + ".bn3", planes, true);
    return spec.kept(new ResidualBlock(body, last, null));
  }

  /** What reversible networks are built from. */
  private RevNet.Vanilla vanilla() {
    return new RevNet.Vanilla(
        RevNet.Family.INVERTED,
        blocks,
        frequencyStrides,
        timeStrides,
        List.of(0, 0, 0, 0),
        stage -> "stages." + stage + ".",
        DfResNet::stem,
        (spec, backend, stage) -> List.of(down(spec, backend, stage)));
  }
}
