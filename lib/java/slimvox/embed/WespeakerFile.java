package slimvox.embed;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.models.Architecture;
import slimvox.models.DfResNet;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.models.ResNet;
import slimvox.models.Weights;
import slimvox.settings.Key;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/**
 * A file with WeSpeaker's parameter names, safetensors or PyTorch's {@code .pt}: says from names
 * and shapes what ResNet or DF-ResNet it holds.
 *
 * <p>Channels come from {@code conv1.weight} (C x 1 x 3 x 3), blocks from the names {@code
 * layerS.I}, bottlenecks from {@code conv3}, the embedding's size E and the frequencies left at the
 * pooling from {@code seg_1.weight} (E x 2 channels frequencies). Three halvings, each rounded up,
 * lead from the bins to these frequencies, so that up to eight numbers of bins fit one file. A
 * DF-ResNet has {@code downsample_layers.0.0.weight} and {@code stages.S.I} instead. Gemini's halve
 * a fourth time; where bins do not tell, it is one of these, which are WeSpeaker's own.
 *
 * <p>All names may have a prefix ({@code module.} of PyTorch's DataParallel). The classifier and
 * what belongs to training alone are not looked at; counters of batches may be real numbers, as in
 * averaged models, or missing.
 */
public final class WespeakerFile {
  private static final Pattern OF_TRAINING =
      Pattern.compile(
          "(module\\.)?(projection|optimizer|(\\w+_)?scheduler)\\..*|epoch|(global_)?steps?");
  private static final String RESNET = "conv1.weight";
  private static final String DF_RESNET = "downsample_layers.0.0.weight";
  private static final String COUNTER = ".num_batches_tracked";
  private static final int MOST_FREQUENCIES = 4096;
  private static final int MOST_CHANNELS = 4096;

  /** Networks whose names start alike, and how many bins become one frequency. */
  private enum Family {
    RESNET("ResNet", 8),
    ORIGINAL("DF-ResNet", 8),
    GEMINI("Gemini-DF-ResNet", 16);

    private final String start;
    private final int binsPerFrequency;

    Family(String start, int binsPerFrequency) {
      this.start = start;
      this.binsPerFrequency = binsPerFrequency;
    }

    private int frequencies(int bins) {
      return (bins - 1) / binsPerFrequency + 1;
    }
  }

  private final Safetensors file;
  private final String prefix;

  private WespeakerFile(Safetensors file) {
    this.file = file;
    String last = "seg_1.weight";
    prefix =
        file.names().stream()
            .filter(name -> name.endsWith(last))
            .map(name -> name.substring(0, name.length() - last.length()))
            .filter(start -> file.has(start + RESNET) || file.has(start + DF_RESNET))
            .findFirst()
            .orElse("");
  }

  /** Opens a file. */
  public static WespeakerFile open(Path path) {
    return new WespeakerFile(Safetensors.read(path));
  }

  /**
   * Builds the network and fills it.
   *
   * @param given what the user says: values by their keys below {@code model} in recipes
   * @param featureBins bins of the features to come; 0 if not known: 80 then, where that fits
   * @throws InputException if the file is damaged, of another model, or for other features
   */
  public Network network(Map<String, Object> given, int featureBins, Backend backend) {
    ModelSpec spec = spec(given, featureBins);
    for (String name : file.names()) {
      if (!name.startsWith(prefix) && !isOfTraining(name)) {
        throw bad(
            "tensor %s is unknown to a WeSpeaker network named %s...; take it out", name, prefix);
      }
    }
    try (Backend dry = new Backend(new DryDevice())) {
      network(spec, given, dry).close(); // before memory is taken that a wrong file asks for
    }
    return network(spec, given, backend);
  }

  private Network network(ModelSpec spec, Map<String, Object> given, Backend backend) {
    return backend.owning(
        () -> {
          Network network =
              given.containsKey("name") || Models.names().contains(spec.name())
                  ? Models.build(spec, backend)
                  : architecture(spec.name()).build(spec, backend);
          Weights.load(
              file,
              prefix,
              network.state(),
              name -> name.endsWith(COUNTER),
              WespeakerFile::isOfTraining);
          return network;
        });
  }

  private static boolean isOfTraining(String name) {
    return OF_TRAINING.matcher(name).matches();
  }

  private ModelSpec spec(Map<String, Object> given, int featureBins) {
    int width = (int) shape(isDepthFirst() ? DF_RESNET : RESNET, 4)[0];
    long[] last = shape("seg_1.weight", 2);
    int channels = 8 * width * (bottleneck() ? 4 : 1);
    long frequencies = last[1] / (2L * channels);
    if (frequencies < 1
        || frequencies > MOST_FREQUENCIES
        || last[1] != frequencies * 2 * channels) {
      throw bad(
          "seg_1.weight has %d inputs, which %d channels do not divide; not a WeSpeaker ResNet",
          last[1], 2 * channels);
    }
    boolean attentive = file.names().stream().anyMatch(name -> name.startsWith(prefix + "pool."));
    if (width > MOST_CHANNELS) {
      throw bad("tensor %s has an unexpected shape", isDepthFirst() ? DF_RESNET : RESNET);
    }
    int bins = (int) given.getOrDefault("bins", featureBins);
    String name = (String) given.get("name");
    Family family = family(name, bins, (int) frequencies);
    ModelSpec found =
        ModelSpec.of(
                name != null ? name : family.start + blocks(),
                "width=" + width,
                "embeddingSize=" + last[0],
                "pooling=" + (attentive ? "astp" : "tstp"))
            .with(Key.settings(given))
            .with("bins=" + bins(family, bins, (int) frequencies));
    return name != null ? found : named(found, family);
  }

  /**
   * What a file holds, where its tensors fit two, by the bins; 0 if these are not known: 80 then.
   */
  private Family family(String name, int bins, int frequencies) {
    if (!isDepthFirst()) return Family.RESNET;
    if (name != null) return name.startsWith(Family.GEMINI.start) ? Family.GEMINI : Family.ORIGINAL;
    int likely = bins == 0 ? 80 : bins;
    boolean original =
        Family.ORIGINAL.frequencies(likely) == frequencies
            && Family.GEMINI.frequencies(likely) != frequencies;
    return original ? Family.ORIGINAL : Family.GEMINI;
  }

  private int bins(Family family, int known, int frequencies) {
    int bins = known == 0 ? family.binsPerFrequency * frequencies : known;
    if (family.frequencies(bins) == frequencies) return bins;
    int most = family.binsPerFrequency * frequencies;
    throw bad(
        "the model was made for %d to %d bins, the features have %d",
        most - family.binsPerFrequency + 1, most, bins);
  }

  /** The same under the registered name, where a registered model has just these tensors. */
  private ModelSpec named(ModelSpec found, Family family) {
    Set<String> names = new HashSet<>();
    for (String name : file.names()) {
      if (name.startsWith(prefix)) names.add(name.substring(prefix.length()));
    }
    names.removeIf(name -> isOfTraining(name) || name.endsWith(COUNTER));
    try (Backend dry = new Backend(new DryDevice())) {
      for (String name : Models.names()) {
        if (!Models.familyName(name).equals(family.start)) continue;
        ModelSpec candidate = found.with("name=" + name);
        try (Network network = Models.build(candidate, dry)) {
          Set<String> own = new HashSet<>(network.state().names());
          own.removeIf(n -> n.endsWith(COUNTER));
          if (names.equals(own)) return candidate;
        }
      }
    }
    return found;
  }

  private boolean isDepthFirst() {
    return file.has(prefix + DF_RESNET);
  }

  private Architecture architecture(String name) {
    Integer[] blocks = blocks().toArray(Integer[]::new);
    if (!isDepthFirst()) return new ResNet(List.of(blocks), bottleneck());
    boolean gemini = name.startsWith(Family.GEMINI.start);
    return gemini ? DfResNet.gemini(blocks) : DfResNet.original(blocks);
  }

  private boolean bottleneck() {
    return file.has(prefix + "layer1.0.conv3.weight");
  }

  private List<Integer> blocks() {
    List<Integer> blocks = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      String stage = isDepthFirst() ? "stages." + i : "layer" + (i + 1);
      int count = 0;
      while (file.has(prefix + stage + "." + count + ".conv1.weight")) count++;
      if (count == 0) {
        throw bad("no tensor %s.0.conv1.weight, so this is no WeSpeaker ResNet", stage);
      }
      blocks.add(count);
    }
    return blocks;
  }

  private long[] shape(String name, int dimensions) {
    if (!file.has(prefix + name)) {
      throw bad(
          "no tensor %s, so this is neither a SlimVox checkpoint nor a WeSpeaker ResNet", name);
    }
    long[] shape = file.shape(prefix + name);
    if (shape.length != dimensions || shape[0] < 1 || shape[0] > 65536) {
      throw bad("tensor %s has an unexpected shape", name);
    }
    return shape;
  }

  private InputException bad(String format, Object... values) {
    return InputException.at(file.file(), format, values);
  }
}
