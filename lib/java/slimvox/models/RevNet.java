package slimvox.models;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntFunction;
import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.models.ModelSpec.Order;
import slimvox.models.ModelSpec.Reversibility;
import slimvox.models.ModelSpec.Units;
import slimvox.nn.ActivationCheckpoint;
import slimvox.nn.AdditiveCoupling;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.Branch;
import slimvox.nn.Conv2d;
import slimvox.nn.FixedPoint;
import slimvox.nn.Layer;
import slimvox.nn.Reversible;
import slimvox.nn.ReversibleSequence;
import slimvox.nn.Sequential;
import slimvox.nn.SpaceToDepth;
import slimvox.nn.ZeroPadding;
import slimvox.storage.InputException;

/**
 * Reversible ResNets and DF-ResNets (Liu and Qian 2024, arXiv 2412.01195; Gomez et al. 2017, arXiv
 * 1707.04585).
 *
 * <p>A vanilla block of d channels becomes functions F and G on two streams of s channels with e
 * inner channels: basic 3x3 s to e, 3x3 e to s; bottleneck 1x1 s to e, 3x3 e to e, 1x1 e to s;
 * inverted 1x1 s to e, 3x3 depthwise, 1x1 e to s; with batch normalization and ReLU between them.
 * The state has c channels, both streams together. A block becomes k functions (2, 4 and 1 for
 * {@link Units} A, B and C), and e keeps the weights, and so the multiply-adds, at the block's (a
 * whole type II network has up to 12 % fewer, as nothing convolves where it samples down):
 *
 * <pre>
 *              weights of a function   e for a block of weights w
 * basic        18 s e                  w = 18 d^2      e = d^2 / (k s)
 * bottleneck   2 s e + 9 e^2           w = 17 d^2      the positive root of k (2 s e + 9 e^2) = w
 * inverted     2 s e + 9 e             w = 8 d^2       e = 4 d^2 / (k s)   (without the depthwise)
 * </pre>
 *
 * <p><b>Type I</b>, partially reversible: blocks that keep their shape are reversible, in one
 * sequence a stage; a block that changes stride or width, or a down-sampling convolution, is the
 * vanilla network's, and kept. A and B: c is the block's width, s = c / 2. C: s is the block's
 * width; both streams start as copies of the stage's input and are added at its end. So between the
 * stages all is as wide as in the vanilla network.
 *
 * <p><b>Type II</b>, fully reversible: one sequence from the stem to the pooling, in which down-
 * sampling is space to depth: s is multiplied by the pixels that become one, four where the vanilla
 * network has a stride of 2 on both axes, two where it has one over frequency alone (Gemini). A 1x1
 * convolution, BN and ReLU lead to as many channels as the vanilla network pools. Bins and frames
 * are first filled up with zeros at the end to multiples of all strides together, 8 x 8 (Gemini: 16
 * x 2); so a column of the last state stands for as many frames as in the vanilla network, where
 * the convolutions' padding is zero too.
 *
 * <p>Inner widths are multiples of an eighth of the stem's width. That of the last stage, where
 * most parameters are, brings the number of parameters to the vanilla network's: it is a multiple
 * of a quarter of the stem's width (8 of 32, which processors like) if one comes within 2.5 %, else
 * of an eighth, a sixteenth or a thirty-second. The stem is computed again in backward rather than
 * kept.
 *
 * <p>What the convolutions inside F and G give shrinks from stage to stage in type II, where e
 * stays while the pixels become fewer; {@link ModelSpec#keep} of it is kept, from the last stage
 * on.
 */
final class RevNet {
  /** The kind of a vanilla network's blocks. */
  enum Family {
    BASIC,
    BOTTLENECK,
    INVERTED
  }

  /** The ordinary layers at the start of a stage of type I. */
  interface Transition {
    List<Layer> of(ModelSpec spec, Backend backend, int stage);
  }

  /**
   * What a reversible network takes over from the vanilla one.
   *
   * @param blocks number of blocks of each stage
   * @param frequencyStrides stride over frequency before each stage
   * @param timeStrides stride over frames before each stage
   * @param inTransition how many of each stage's blocks its transition contains
   * @param prefix of the parameters of a stage, for example {@code layer1.}
   * @param stem the layers before the first stage
   */
  record Vanilla(
      Family family,
      List<Integer> blocks,
      List<Integer> frequencyStrides,
      List<Integer> timeStrides,
      List<Integer> inTransition,
      IntFunction<String> prefix,
      BiFunction<ModelSpec, Backend, List<Layer>> stem,
      Transition transition) {
    private int frequencyStride(int stage) {
      return frequencyStrides.get(stage);
    }

    private int timeStride(int stage) {
      return timeStrides.get(stage);
    }
  }

  private final Vanilla vanilla;
  private final ModelSpec spec;

  private RevNet(Vanilla vanilla, ModelSpec spec) {
    this.vanilla = vanilla;
    this.spec = spec;
    if (spec.reversible() == Reversibility.FULL) requireSqueezes();
    int state = spec.reversible() == Reversibility.FULL ? spec.width() : outer(0);
    if (spec.units() != Units.C && state % 2 != 0) {
      throw new InputException(
          "%s: %s0: %d channels cannot be cut into two streams; choose an even width or units c"
              .formatted(spec.name(), vanilla.prefix().apply(0), state));
    }
  }

  private void requireSqueezes() {
    for (int stage = 0; stage < 4; stage++) {
      int frequency = vanilla.frequencyStride(stage);
      int time = vanilla.timeStride(stage);
      if (frequency == 1 && time == 1 || frequency == 2 && (time == 1 || time == 2)) continue;
      throw InputException.of(
          "%s: type II needs strides of 1 x 1, 2 x 1 or 2 x 2 (frequency x frames), stage %d has"
              + " %d x %d; choose type I (partial) or another model",
          spec.name(), stage, frequency, time);
    }
  }

  /** Builds the network that {@code spec.reversible()} asks for. */
  static Network build(Vanilla vanilla, ModelSpec spec, Backend backend) {
    RevNet net = new RevNet(vanilla, spec);
    int inner = net.balancedInner();
    return new Network(
        spec, backend, net.layers(backend, inner), other -> build(vanilla, spec, other));
  }

  // ---- widths

  private int outer(int stage) {
    int planes = spec.width() << stage;
    return vanilla.family() == Family.BOTTLENECK ? 4 * planes : planes;
  }

  private int stream(int stage) {
    int whole =
        spec.reversible() == Reversibility.FULL ? spec.width() * joined(stage) : outer(stage);
    return spec.units() == Units.C ? whole : whole / 2;
  }

  /** How many pixels of the stem are one of a stage. */
  private int joined(int stage) {
    int pixels = 1;
    for (int i = 0; i <= stage; i++) pixels *= vanilla.frequencyStride(i) * vanilla.timeStride(i);
    return pixels;
  }

  private int functionsPerBlock() {
    return switch (spec.units()) {
      case A -> 2;
      case B -> 4;
      case C -> 1;
    };
  }

  private int inner(int stage) {
    double d = spec.width() << stage;
    double k = functionsPerBlock();
    double s = stream(stage);
    double e =
        switch (vanilla.family()) {
          case BASIC -> d * d / (k * s);
          case INVERTED -> 4 * d * d / (k * s);
          case BOTTLENECK -> (Math.sqrt(s * s + 9 * 17 * d * d / k) - s) / 9;
        };
    return Math.max(step(), (int) Math.round(e / step()) * step());
  }

  private int inner(int stage, int lastInner) {
    return stage == 3 ? lastInner : inner(stage);
  }

  private int step() {
    return Math.max(1, spec.width() / 8);
  }

  private int functions(int stage) {
    int ordinary = spec.reversible() == Reversibility.FULL ? 0 : vanilla.inTransition().get(stage);
    return functionsPerBlock() * (vanilla.blocks().get(stage) - ordinary);
  }

  /** The inner width of the last stage that comes nearest to the vanilla parameter count. */
  private int balancedInner() {
    long wanted = parameters(b -> Models.build(spec.vanilla(), b));
    int best = inner(3);
    if (functions(3) == 0) return best;
    int fixed = best;
    long base = parameters(b -> new Network(spec, b, layers(b, fixed), null));
    long others = base - functions(3) * functionParameters(stream(3), fixed);
    long difference = Long.MAX_VALUE;
    for (int part = 4; part <= 32 && difference > wanted / 40; part *= 2) {
      int multiple = Math.max(1, spec.width() / part);
      for (int e = multiple; e <= 4 * fixed; e += multiple) {
        long d = Math.abs(others + functions(3) * functionParameters(stream(3), e) - wanted);
        if (d < difference) {
          difference = d;
          best = e;
        }
      }
    }
    return best;
  }

  private static long parameters(Function<Backend, Network> build) {
    try (Backend dry = new Backend(new DryDevice());
        Network network = build.apply(dry)) {
      return network.state().parameterCount();
    }
  }

  /** Weights of the convolutions, and two values a channel of the normalizations. */
  private long functionParameters(long s, long e) {
    return switch (vanilla.family()) {
      case BASIC -> 18 * s * e + 2 * (s + e);
      case BOTTLENECK -> 2 * s * e + 9 * e * e + 2 * (s + 2 * e);
      case INVERTED -> 2 * s * e + 9 * e + 2 * (s + 2 * e);
    };
  }

  /**
   * How many functions of each stage keep what their inner convolutions give: those that need least
   * for it first.
   */
  private int[] keeping(int lastInner) {
    int[] functions = new int[4];
    int last = joined(3);
    long left = (long) spec.keep() * stream(0) * (last / joined(0));
    while (true) {
      int narrowest = -1;
      long bytes = 0;
      for (int stage = 0; stage < 4; stage++) {
        long here = (long) keptChannels(inner(stage, lastInner)) * (last / joined(stage));
        if (functions[stage] == functions(stage) || narrowest >= 0 && here > bytes) continue;
        narrowest = stage;
        bytes = here;
      }
      if (narrowest < 0 || bytes > left) return functions;
      functions[narrowest]++;
      left -= bytes;
    }
  }

  private int keptChannels(int inner) {
    return vanilla.family() == Family.BASIC ? inner : 2 * inner;
  }

  // ---- layers

  private Sequential layers(Backend backend, int lastInner) {
    List<Layer> layers = new ArrayList<>();
    boolean full = spec.reversible() == Reversibility.FULL;
    if (full) layers.add(padding(backend));
    layers.add(new ActivationCheckpoint(new Sequential(vanilla.stem().apply(spec, backend))));
    List<Reversible> trunk = new ArrayList<>();
    int[] keeping = keeping(lastInner);
    for (int stage = 0; stage < 4; stage++) {
      int e = inner(stage, lastInner);
      if (full) {
        if (vanilla.frequencyStride(stage) == 2) {
          trunk.add(new SpaceToDepth(backend, "down" + stage, vanilla.timeStride(stage)));
        }
        trunk.addAll(couplings(backend, stage, 0, e, keeping[stage], "trunk"));
        continue;
      }
      layers.addAll(vanilla.transition().of(spec, backend, stage));
      String name = vanilla.prefix().apply(stage) + "reversible";
      List<Reversible> stages =
          couplings(backend, stage, vanilla.inTransition().get(stage), e, keeping[stage], name);
      if (!stages.isEmpty()) layers.add(sequence(name, stages));
    }
    int channels = outer(3);
    if (full) {
      layers.add(sequence("trunk", trunk));
      int state = spec.units() == Units.C ? stream(3) : 2 * stream(3);
      layers.add(new Conv2d(backend, "conv_last", state, channels, 1, 1));
    }
    layers.add(new BatchNorm2d(backend, "bn_last", channels, true));
    ResNet.addHead(
        layers, backend, spec, channels, ResNet.pooledBins(spec, vanilla.frequencyStrides()));
    return new Sequential(layers);
  }

  private ZeroPadding padding(Backend backend) {
    int bins = 1;
    int frames = 1;
    for (int stage = 0; stage < 4; stage++) {
      bins *= vanilla.frequencyStride(stage);
      frames *= vanilla.timeStride(stage);
    }
    return new ZeroPadding(backend, "padding", bins, frames);
  }

  private ReversibleSequence sequence(String name, List<Reversible> stages) {
    ReversibleSequence.Form form =
        spec.units() == Units.C ? ReversibleSequence.Form.TWINS : ReversibleSequence.Form.HALVES;
    return new ReversibleSequence(name, form, stages, grid(name), spec.streams().type());
  }

  private FixedPoint grid(String name) {
    return spec.streams() == ModelSpec.StreamArithmetic.FIXED ? new FixedPoint(name) : null;
  }

  private List<Reversible> couplings(
      Backend backend, int stage, int firstIndex, int inner, int keeping, String sequence) {
    List<Reversible> couplings = new ArrayList<>();
    int functions = functions(stage);
    int first = functions - keeping; // backward frees what the last ones kept first
    for (int i = 0; i < functions; i += 2) {
      String name = vanilla.prefix().apply(stage) + (firstIndex + i / 2);
      Layer f = function(backend, name + ".f.", stage, inner, i >= first);
      Layer g =
          i + 1 < functions ? function(backend, name + ".g.", stage, inner, i + 1 >= first) : null;
      couplings.add(new AdditiveCoupling(f, g, grid(sequence)));
    }
    return couplings;
  }

  private Branch function(Backend backend, String name, int stage, int e, boolean keep) {
    int s = stream(stage);
    List<Conv2d> convolutions = new ArrayList<>();
    switch (vanilla.family()) {
      case BASIC -> {
        convolutions.add(new Conv2d(backend, name + "conv1", s, e, 3, 1));
        convolutions.add(new Conv2d(backend, name + "conv2", e, s, 3, 1));
      }
      case BOTTLENECK -> {
        convolutions.add(new Conv2d(backend, name + "conv1", s, e, 1, 1));
        convolutions.add(new Conv2d(backend, name + "conv2", e, e, 3, 1));
        convolutions.add(new Conv2d(backend, name + "conv3", e, s, 1, 1));
      }
      case INVERTED -> {
        convolutions.add(new Conv2d(backend, name + "conv1", s, e, 1, 1));
        convolutions.add(new Conv2d(backend, name + "conv2", e, e, 3, 1, 1, e, true));
        convolutions.add(new Conv2d(backend, name + "conv3", e, s, 1, 1));
      }
    }
    boolean pre = spec.order() == Order.PRE;
    List<BatchNorm2d> norms = new ArrayList<>();
    norms.add(pre ? new BatchNorm2d(backend, name + "bn1", s, true) : null);
    for (int i = 1; i < convolutions.size(); i++) {
      norms.add(new BatchNorm2d(backend, name + "bn" + (pre ? i + 1 : i), e, true));
    }
    BatchNorm2d last =
        pre ? null : new BatchNorm2d(backend, name + "bn" + convolutions.size(), s, false);
    try {
      // As many bytes in each stage: the fewer the pixels, the more channels.
      int slice = keep ? 0 : spec.slice() * (joined(stage) / joined(0));
      return new Branch(norms, convolutions, last, new Branch.Memory(spec.rebuild(), slice, keep));
    } catch (IllegalArgumentException refused) {
      throw new InputException("slice " + spec.slice() + ": " + refused.getMessage(), refused);
    }
  }
}
