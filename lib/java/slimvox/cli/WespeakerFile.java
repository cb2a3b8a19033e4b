package slimvox.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.models.ResNet;
import slimvox.models.Weights;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/**
 * A safetensors file with WeSpeaker's parameter names: says from names and shapes what ResNet it
 * holds.
 *
 * <p>Channels come from {@code conv1.weight} (C x 1 x 3 x 3), blocks from the names {@code
 * layerS.I}, bottlenecks from {@code conv3}, the embedding's size E and the frequencies left at the
 * pooling from {@code seg_1.weight} (E x 2 channels frequencies). Three halvings, each rounded up,
 * lead from the bins to these frequencies, so that up to eight numbers of bins fit one file.
 */
final class WespeakerFile {
  private final Safetensors file;

  private WespeakerFile(Safetensors file) {
    this.file = file;
  }

  /** Opens a file. */
  static WespeakerFile open(Path path) {
    return new WespeakerFile(Safetensors.read(path));
  }

  /**
   * Builds the network and fills it.
   *
   * @param given what the user says; its model may be null
   * @param featureBins bins of the features to come; 0 if not known: 80 then, where that fits
   * @throws InputException if the file is damaged, of another model, or for other features
   */
  Network network(ModelOptions given, int featureBins, Backend backend) {
    ModelSpec spec = spec(given, featureBins);
    return backend.owning(
        () -> {
          Network network =
              given.name != null || Models.names().contains(spec.name())
                  ? Models.build(spec, backend)
                  : new ResNet(blocks(), bottleneck()).build(spec, backend);
          Weights.load(file, "", network.state(), name -> name.startsWith("projection."));
          return network;
        });
  }

  private ModelSpec spec(ModelOptions given, int featureBins) {
    int width = (int) shape("conv1.weight", 4)[0];
    long[] last = shape("seg_1.weight", 2);
    int channels = 8 * width * (bottleneck() ? 4 : 1);
    long frequencies = last[1] / (2L * channels);
    if (frequencies < 1 || last[1] != frequencies * 2 * channels) {
      throw new InputException(
          "%s: seg_1.weight has %d inputs, which %d channels do not divide; not a WeSpeaker ResNet"
              .formatted(file.file(), last[1], 2 * channels));
    }
    boolean attentive = file.names().stream().anyMatch(name -> name.startsWith("pool."));
    ModelSpec found =
        new ModelSpec(
            given.name == null ? "ResNet" + blocks() : given.name,
            given.width == null ? width : given.width,
            bins(given, featureBins, (int) frequencies),
            given.embeddingSize == null ? (int) last[0] : given.embeddingSize,
            given.pooling != null
                ? given.pooling
                : attentive ? ModelSpec.Pooling.ASTP : ModelSpec.Pooling.TSTP);
    return given.name == null ? named(found) : found;
  }

  private int bins(ModelOptions given, int featureBins, int frequencies) {
    int bins = given.bins != null ? given.bins : featureBins;
    if (bins == 0) bins = frequencies == 10 ? 80 : 8 * frequencies;
    if ((bins + 7) / 8 != frequencies) {
      throw new InputException(
          "%s: the model was made for %d to %d bins, the features have %d"
              .formatted(file.file(), 8 * frequencies - 7, 8 * frequencies, bins));
    }
    return bins;
  }

  /** The same under the registered name, where a registered model has just these tensors. */
  private ModelSpec named(ModelSpec found) {
    Set<String> names = new HashSet<>(file.names());
    names.removeIf(name -> name.startsWith("projection."));
    try (Backend dry = new Backend(new DryDevice())) {
      for (String name : Models.names()) {
        ModelSpec candidate =
            new ModelSpec(
                name, found.width(), found.bins(), found.embeddingSize(), found.pooling());
        try (Network network = Models.build(candidate, dry)) {
          if (names.equals(new HashSet<>(network.state().names()))) return candidate;
        }
      }
    }
    return found;
  }

  private boolean bottleneck() {
    return file.has("layer1.0.conv3.weight");
  }

  private List<Integer> blocks() {
    List<Integer> blocks = new ArrayList<>();
    for (int stage = 1; stage <= 4; stage++) {
      int count = 0;
      while (file.has("layer" + stage + "." + count + ".conv1.weight")) count++;
      if (count == 0) {
        throw new InputException(
            "%s: no tensor layer%d.0.conv1.weight, so this is no WeSpeaker ResNet"
                .formatted(file.file(), stage));
      }
      blocks.add(count);
    }
    return blocks;
  }

  private long[] shape(String name, int dimensions) {
    if (!file.has(name)) {
      throw new InputException(
          file.file()
              + ": no tensor "
              + name
              + ", so this is neither a SlimVox checkpoint nor a WeSpeaker ResNet");
    }
    long[] shape = file.shape(name);
    if (shape.length != dimensions || shape[0] < 1 || shape[0] > 65536) {
      throw new InputException(file.file() + ": tensor " + name + " has an unexpected shape");
    }
    return shape;
  }
}
