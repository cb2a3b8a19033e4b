package slimvox.models;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.Conv2d;
import slimvox.nn.Layer;
import slimvox.nn.Linear;
import slimvox.nn.ResidualBlock;
import slimvox.nn.Sequential;

/**
 * Depth-first ResNets: many thin blocks (Liu, Chen and Qian 2023, IEEE/ACM TASLP 31:1825-1838).
 *
 * <p>Stem: 3x3 convolution 1 -> width, BN, ReLU. Before each of the four stages (width, 2, 4 and 8
 * times width channels) a 3x3 convolution with the stage's stride, and BN. A block is an inverted
 * bottleneck: 1x1 to four times the channels, BN, ReLU, depthwise 3x3, BN, ReLU, 1x1 back, BN, plus
 * the block's input, ReLU. Then pooling over frames and one linear layer. Parameters bear the names
 * of WeSpeaker's Gemini DF-ResNet.
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
    List<Layer> layers = new ArrayList<>();
    int channels = spec.width();
    layers.add(new Conv2d(backend, "downsample_layers.0.0", 1, channels, 3, 1, 1, 1, false));
    layers.add(new BatchNorm2d(backend, "downsample_layers.0.1", channels, true));
    int bins = spec.bins();
    for (int stage = 0; stage < 4; stage++) {
      int planes = spec.width() << stage;
      int stride = frequencyStrides.get(stage);
      String down = "downsample_layers." + (stage + 1);
      layers.add(
          new Conv2d(
              backend, down + ".0", channels, planes, 3, stride, timeStrides.get(stage), 1, true));
      layers.add(new BatchNorm2d(backend, down + ".1", planes, false));
      for (int i = 0; i < blocks.get(stage); i++) {
        layers.add(block(backend, "stages." + stage + "." + i, planes));
      }
      channels = planes;
      bins = (bins - 1) / stride + 1;
    }
    int features = ResNet.pooledFeatures(spec, channels, bins);
    layers.add(ResNet.pooling(backend, spec, features));
    layers.add(new Linear(backend, "seg_1", 2 * features, spec.embeddingSize(), false));
    return new Network(spec, backend, new Sequential(layers), other -> build(spec, other));
  }

  private static Layer block(Backend backend, String name, int planes) {
    int inner = 4 * planes;
    Sequential body =
        new Sequential(
            new Conv2d(backend, name + ".conv1", planes, inner, 1, 1),
            new BatchNorm2d(backend, name + ".bn1", inner, true),
            new Conv2d(backend, name + ".conv2", inner, inner, 3, 1, 1, inner, true),
            new BatchNorm2d(backend, name + ".bn2", inner, true),
            new Conv2d(backend, name + ".conv3", inner, planes, 1, 1));
    return new ResidualBlock(body, new BatchNorm2d(backend, name + ".bn3", planes, true), null);
  }
}
