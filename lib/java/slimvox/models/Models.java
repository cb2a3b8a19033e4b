package slimvox.models;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import slimvox.backend.Backend;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.models.ModelSpec.Reversibility;
import slimvox.nn.Mode;
import slimvox.nn.Nonlinearity;
import slimvox.nn.Parameter;
import slimvox.settings.Registry;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;

/** The networks by name. */
public final class Models {
  private static final Map<String, Architecture> ARCHITECTURES = new LinkedHashMap<>();

  static {
    ARCHITECTURES.put("ResNet18", new ResNet(List.of(2, 2, 2, 2), false));
    ARCHITECTURES.put("ResNet34", new ResNet(List.of(3, 4, 6, 3), false));
    ARCHITECTURES.put("ResNet50", new ResNet(List.of(3, 4, 6, 3), true));
    ARCHITECTURES.put("ResNet101", new ResNet(List.of(3, 4, 23, 3), true));
    ARCHITECTURES.put("ResNet152", new ResNet(List.of(3, 8, 36, 3), true));
    ARCHITECTURES.put("ResNet221", new ResNet(List.of(6, 16, 48, 3), true));
    ARCHITECTURES.put("ResNet293", new ResNet(List.of(10, 20, 64, 3), true));
    ARCHITECTURES.put("DF-ResNet56", DfResNet.original(3, 3, 9, 3));
    ARCHITECTURES.put("DF-ResNet110", DfResNet.original(3, 3, 27, 3));
    ARCHITECTURES.put("DF-ResNet179", DfResNet.original(3, 8, 45, 3));
    ARCHITECTURES.put("DF-ResNet233", DfResNet.original(3, 8, 63, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet60", DfResNet.gemini(3, 3, 9, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet114", DfResNet.gemini(3, 3, 27, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet183", DfResNet.gemini(3, 8, 45, 3));
    ARCHITECTURES.put("Gemini-DF-ResNet237", DfResNet.gemini(3, 8, 63, 3));
  }

  private static final Registry<Architecture> OWN =
      new Registry<>(
          "model.name", "Models.register", ARCHITECTURES.keySet().toArray(String[]::new));

  private Models() {}

  /**
   * Makes a network of one's own known by name: to recipes ({@code model.name}), the dry run and
   * the trainer of this process.
   *
   * <p>Such as {@code Models.register("mine", (spec, backend) -> Network.of(spec, backend,
   * layers))}; the layers take their sizes from the {@link ModelSpec}.
   *
   * @throws InputException if a network of that name ships
   */
  public static void register(String name, Architecture architecture) {
    OWN.register(name, architecture);
  }

  /** Refuses a name that is no network's. */
  public static void requireKnown(String name) {
    OWN.require(name);
  }

  /** The names of the convolutions that can be made binary; an unknown network is refused. */
  public static List<String> convolutions(String name) {
    return architecture(name).convolutions();
  }

  /** Whether activations of a network can be signs; see {@link Binarization}. */
  public static boolean fitsSigns(String name) {
    return architecture(name).hasBasicBlocks();
  }

  /** The networks that differ from one in depth alone, itself among them, the shallowest first. */
  public static List<String> family(String name) {
    String family = familyName(name);
    return names().stream().filter(n -> familyName(n).equals(family)).toList();
  }

  /** What the names of a family start with, for example {@code DF-ResNet}. */
  public static String familyName(String name) {
    return name.replaceFirst("[0-9]+$", "");
  }

  /** The names that {@link #build} knows. */
  public static List<String> names() {
    return OWN.names(); // in order of size
  }

  /**
   * Builds a network; parameters are not initialized. If that fails, for example for want of
   * memory, nothing of it is left in the ledger.
   *
   * @throws InputException if the name is unknown
   */
  public static Network build(ModelSpec spec, Backend backend) {
    Architecture architecture = architecture(spec.name());
    refuse(binarizationFault(spec));
    refuse(savingFault(spec));
    refuse(activationFault(spec));
    if (spec.preActivation() && (spec.hasReversibleBlocks() || hasOtherBlocks(spec))) {
      refuse(
          spec.name()
              + ": preActivation is for networks without reversible or binary blocks, with relu;"
              + " set preActivation to false");
    }
    return backend.owning(() -> architecture.build(spec, backend));
  }

  /**
   * Everything that saves memory in such a network without changing its result but for rounding:
   * normalizations are rebuilt, and reversible blocks computed in slices. These have as many inner
   * channels as asked for; else 8, 16 or 32 of the first stage (as many bytes in the others), or
   * the blocks are left whole, whichever a dry run says needs least; of equals the widest. Measured
   * are the tensors of forward and backward of 64 utterances of 200 frames in float32, without a
   * device's scratch: the same network for every machine and batch.
   */
  public static ModelSpec lean(ModelSpec spec) {
    ModelSpec rebuilt = spec.with("rebuild=true");
    boolean slices =
        spec.hasReversibleBlocks()
            && spec.order() == ModelSpec.Order.PRE
            && architecture(spec.name()).slices();
    if (spec.slice() > 0 || !slices) return rebuilt;
    return Stream.of(0, 32, 16, 8)
        .map(channels -> rebuilt.with("slice=" + channels))
        .min(Comparator.comparingLong(Models::peak))
        .orElseThrow();
  }

  /** The most bytes in use in forward and backward; each gradient is let go when it is complete. */
  private static long peak(ModelSpec spec) {
    try (Backend dry = new Backend(new DryDevice());
        Network network = build(spec, dry);
        Tensor x = dry.allocate(Category.INPUT, "features", 64, spec.bins(), 200, 1)) {
      for (Parameter p : network.state().parameters().values()) {
        p.onGradientComplete(Parameter::dropGradient);
      }
      try (Tensor y = network.forward(x, Mode.TRAIN)) {
        network.backward(dry.allocateLike(y, Category.ACTIVATION_GRADIENT, "gradient"));
      }
      return dry.ledger().report().totalPeak();
    }
  }

  /** The shapes of the parameters of a network by name, in its order; nothing is computed. */
  public static Map<String, Shape> parameterShapes(ModelSpec spec) {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    try (Backend dry = new Backend(new DryDevice());
        Network network = build(spec, dry)) {
      network.state().parameters().forEach((name, p) -> shapes.put(name, p.value().shape()));
    }
    return shapes;
  }

  /**
   * Multiply-adds of a forward pass of one utterance: convolutions, padding counted as work, and
   * the embedding's matrix product.
   *
   * @throws InputException if there is no such network
   */
  public static long multiplyAdds(ModelSpec spec, int frames) {
    DryDevice device = new DryDevice();
    try (Backend dry = new Backend(device);
        Network network = build(spec, dry);
        Tensor x = dry.allocate(Category.INPUT, "features", 1, spec.bins(), frames, 1)) {
      network.forward(x, Mode.EVALUATE).close();
      return device.multiplyAdds();
    }
  }

  private static Architecture architecture(String name) {
    Architecture shipped = ARCHITECTURES.get(name);
    return shipped != null ? shipped : OWN.get(name);
  }

  private static void refuse(String fault) {
    if (fault != null) throw new InputException(fault);
  }

  /** Why a network cannot save memory as asked for, whatever its blocks; null if it can. */
  public static String savingFault(ModelSpec spec) {
    if (!spec.hasReversibleBlocks()
        && (spec.slice() > 0
            || spec.streams() != ModelSpec.StreamArithmetic.FLOAT
            || spec.keep() > 0)) {
      return spec.name()
          + ": slice, streams and keep concern reversible blocks, which this network has not;"
          + " set reversible to partial or full";
    }
    if (spec.reversible() == Reversibility.FULL
        && spec.recompute() == ModelSpec.Recompute.CHECKPOINT) {
      return spec.name()
          + ": recompute: checkpoint concerns ordinary blocks, of which a fully reversible"
          + " network has none; set recompute to none";
    }
    return null;
  }

  /** Whether the blocks of a network are those of {@link BinaryResNet}. */
  private static boolean hasOtherBlocks(ModelSpec spec) {
    return spec.activation() != Nonlinearity.Function.RELU
        || !spec.binarization().equals(Binarization.NONE);
  }

  /** Why a network cannot have the activation that was asked for; null if it can. */
  private static String activationFault(ModelSpec spec) {
    boolean ordinary = !convolutions(spec.name()).isEmpty() && !spec.hasReversibleBlocks();
    if (spec.activation() == Nonlinearity.Function.RELU
        || (ordinary && !spec.rebuild() && spec.binarization().equals(Binarization.NONE))) {
      return null;
    }
    return spec.name()
        + ": activation gelu is for ResNets without reversible or binary blocks and without"
        + " rebuild; set activation to relu";
  }

  /** Why a network cannot be binarized as asked for; null if it can. */
  public static String binarizationFault(ModelSpec spec) {
    Binarization binary = spec.binarization();
    if (binary.equals(Binarization.NONE)) return null;
    List<String> convolutions = convolutions(spec.name());
    if (convolutions.isEmpty()) {
      return spec.name() + " has no binary form; the ResNets have";
    }
    if (binary.signs() && !fitsSigns(spec.name())) {
      return spec.name() + " has bottlenecks, which signs do not fit in; ResNet18 and ResNet34 do";
    }
    if (spec.hasReversibleBlocks()) {
      return "reversible blocks have no binary form; set reversible to none";
    }
    if (spec.slice() > 0 || spec.rebuild()) {
      return "slice and rebuild have no binary form; recompute: checkpoint has";
    }
    return binary
        .unknownLayer(convolutions)
        .map(
            layer ->
                "%s is no convolution or group of convolutions of %s that can be binary%s; the nearest is %s"
                    .formatted(
                        layer,
                        spec.name(),
                        binary.shortcuts() ? "" : " without shortcuts",
                        String.join(", ", NearestNames.of(layer, groups(binary, convolutions), 1))))
        .orElse(null);
  }

  /** Convolutions, blocks and stages. */
  private static Set<String> groups(Binarization binary, List<String> convolutions) {
    Set<String> groups = new TreeSet<>();
    for (String name : convolutions) {
      if (!binary.mayTake(name)) continue;
      for (String n = name; !n.isEmpty(); n = n.substring(0, Math.max(0, n.lastIndexOf('.')))) {
        groups.add(n);
      }
    }
    return groups;
  }
}
