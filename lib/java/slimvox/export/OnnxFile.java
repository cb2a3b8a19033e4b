package slimvox.export;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import slimvox.backend.Tensor;
import slimvox.models.Network;
import slimvox.nn.ActivationCheckpoint;
import slimvox.nn.AdditiveCoupling;
import slimvox.nn.AttentiveStatisticsPooling;
import slimvox.nn.BatchNorm2d;
import slimvox.nn.BinaryConv2d;
import slimvox.nn.Branch;
import slimvox.nn.Conv2d;
import slimvox.nn.FixedPoint;
import slimvox.nn.GlobalStatisticsPooling;
import slimvox.nn.Linear;
import slimvox.nn.Nonlinearity;
import slimvox.nn.PReLU;
import slimvox.nn.Parameter;
import slimvox.nn.ResidualBlock;
import slimvox.nn.ReversibleSequence;
import slimvox.nn.Sequential;
import slimvox.nn.SpaceToDepth;
import slimvox.nn.StateDict;
import slimvox.nn.Stateful;
import slimvox.nn.StatisticsPooling;
import slimvox.nn.ZeroPadding;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/**
 * A network as an ONNX file: what it computes in evaluation.
 *
 * <p>Input {@code feats}, utterances x frames x bins, output {@code embs}, utterances x values;
 * utterances and frames may be any number. Weights are stored under WeSpeaker's names. Inside, axes
 * are utterances, channels, frequencies, frames. Binary convolutions are float ones whose filters
 * have two values; signs are made by comparing with 0. Of fewer frames than the network needs,
 * {@link slimvox.embed.SpeakerEncoder#fewestFrames}, the embedding is NaN, as is the deviation of
 * one value; here they are refused.
 *
 * <p>Source: github.com/onnx/onnx, docs/Operators.md; input and output are named as in WeSpeaker's
 * export_onnx.py.
 */
public final class OnnxFile {
  private static final String FREQUENCIES_AND_FRAMES = "axes";

  private final OnnxGraph graph = new OnnxGraph();
  private final boolean fixedPoint;

  private OnnxFile(boolean fixedPoint) {
    this.fixedPoint = fixedPoint;
  }

  /**
   * Writes a network and texts.
   *
   * @throws slimvox.storage.InputException if export does not know a layer, or the file cannot be
   *     written
   */
  public static void write(Network network, Map<String, String> metadata, Path file) {
    OnnxFile onnx = new OnnxFile(!network.state().grids().isEmpty());
    ProtobufMessage model = onnx.model(network, metadata);
    AtomicFile.write(file, model.size(), model::writeTo);
  }

  private ProtobufMessage model(Network network, Map<String, String> metadata) {
    graph.input("feats", "utterances", "frames", network.spec().bins());
    String x = graph.node("Transpose", Map.of("perm", new long[] {0, 2, 1}), "feats");
    String embeddings = all(network, graph.node("Unsqueeze", x, graph.constant("channel_axis", 1)));
    graph.output("embs", embeddings, "utterances", network.spec().embeddingSize());
    return graph.model(network.name(), metadata);
  }

  /** The result of parts one after the other. */
  private String all(Stateful whole, String x) {
    String y = x;
    for (Stateful part : whole.parts()) y = layer(part, y);
    return y;
  }

  private String layer(Stateful layer, String x) {
    return switch (layer) {
      case ActivationCheckpoint same -> all(same, x);
      case Sequential same -> all(same, x);
      case Branch same -> all(same, x);
      case Conv2d c ->
          convolution(x, constant(c.weight()), border(c.weight()), c.strides(), c.groups());
      case BinaryConv2d binary -> binary(binary, x);
      case BatchNorm2d norm -> activated(norm, normalized(norm, x));
      case Nonlinearity nonlinearity ->
          switch (nonlinearity.function()) {
            case RELU -> graph.node("Relu", x);
            case GELU -> graph.node("Gelu", Map.of("approximate", "tanh"), x);
          };
      case PReLU prelu -> prelu(prelu, x);
      case ResidualBlock block -> residual(block, x);
      case ReversibleSequence sequence -> reversible(sequence, x);
      case SpaceToDepth down -> deepened(down, x);
      case ZeroPadding padding -> padded(padding, x);
      case StatisticsPooling _ -> statistics(x, 3);
      case GlobalStatisticsPooling _ -> statistics(x, 2);
      case AttentiveStatisticsPooling pooling -> attentive(pooling, x);
      case Linear linear -> linear(linear, x);
      default ->
          throw InputException.of(
              "a layer %s cannot be exported to ONNX; the layers of slimvox.nn can",
              layer.getClass().getSimpleName());
    };
  }

  // ---- convolutions

  private static int border(Parameter weight) {
    return (weight.value().shape().get(2) - 1) / 2;
  }

  private String convolution(String x, String weight, long border, int[] strides, long groups) {
    Map<String, Object> attributes =
        Map.of(
            "pads", new long[] {border, border, border, border},
            "strides", new long[] {strides[0], strides[1]},
            "group", groups);
    return graph.node("Conv", attributes, x, weight);
  }

  private String binary(BinaryConv2d layer, String x) {
    Parameter weight = layer.weight();
    int[] strides = {layer.stride(), layer.stride()};
    String filters =
        layer.scheme().binaryWeights()
            ? graph.constant(
                weight.name(),
                () -> binarized(floats(weight.value()), weight.value().shape().get(0)),
                OnnxGraph.shape(weight.value().shape()))
            : constant(weight);
    if (!layer.scheme().binaryActivations()) {
      return convolution(x, filters, border(weight), strides, 1);
    }
    String z = layer.shift() == null ? x : graph.node("Add", x, ofChannels(layer.shift().value()));
    String signs =
        graph.node("Where", graph.node("GreaterOrEqual", z, scalar(0)), scalar(1), scalar(-1));
    long border = border(weight);
    String pads = graph.constant("border." + border, 0, 0, border, border, 0, 0, border, border);
    return convolution(graph.node("Pad", signs, pads, scalar(1)), filters, 0, strides, 1);
  }

  /** alpha sign(w), alpha the mean of |w| over a filter. */
  private static float[] binarized(float[] weights, int filters) {
    int n = weights.length / filters;
    float[] binary = new float[weights.length];
    for (int o = 0; o < filters; o++) {
      double sum = 0;
      for (int i = o * n; i < (o + 1) * n; i++) sum += Math.abs(weights[i]);
      float alpha = (float) (sum / n);
      for (int i = o * n; i < (o + 1) * n; i++) binary[i] = weights[i] >= 0 ? alpha : -alpha;
    }
    return binary;
  }

  // ---- normalization, activations, blocks

  private String normalized(BatchNorm2d norm, String x) {
    StateDict state = StateDict.of(norm);
    Iterator<Tensor> statistics = state.buffers().values().iterator();
    Iterator<Parameter> learned = state.parameters().values().iterator();
    return graph.node(
        "BatchNormalization",
        Map.of("epsilon", BatchNorm2d.EPSILON),
        x,
        constant(learned.next()),
        constant(learned.next()),
        constant(statistics.next()),
        constant(statistics.next()));
  }

  private String activated(BatchNorm2d norm, String x) {
    return norm.hasReLU() ? graph.node("Relu", x) : x;
  }

  private String prelu(PReLU layer, String x) {
    List<Parameter> all = parameters(layer);
    boolean shifted = all.size() == 3; // slope, shift and bias
    String z = shifted ? graph.node("Add", x, ofChannels(all.get(1).value())) : x;
    String y = graph.node("PRelu", z, ofChannels(all.get(0).value()));
    return shifted ? graph.node("Add", y, ofChannels(all.get(2).value())) : y;
  }

  private String residual(ResidualBlock block, String x) {
    String y = layer(block.body(), x);
    String skip = block.shortcut() == null ? x : layer(block.shortcut(), x);
    if (block.last() == null) return graph.node("Add", y, skip);
    return activated(block.last(), graph.node("Add", normalized(block.last(), y), skip));
  }

  private String reversible(ReversibleSequence sequence, String x) {
    boolean halves = sequence.form() == ReversibleSequence.Form.HALVES;
    Map<String, Object> channels = Map.of("axis", 1L);
    Map<String, Object> inTwo = Map.of("axis", 1L, "num_outputs", 2L);
    List<String> streams = halves ? graph.nodes(2, "Split", inTwo, x) : List.of(x, x);
    String first = rounded(streams.getFirst());
    String second = rounded(streams.getLast());
    for (Stateful stage : sequence.parts()) {
      switch (stage) {
        case SpaceToDepth down -> {
          first = deepened(down, first);
          second = deepened(down, second);
        }
        case AdditiveCoupling coupling -> {
          first = graph.node("Add", first, rounded(layer(coupling.f(), second)));
          if (coupling.g() != null) {
            second = graph.node("Add", second, rounded(layer(coupling.g(), first)));
          }
        }
        default -> layer(stage, first); // refuses it
      }
    }
    return halves
        ? graph.node("Concat", channels, first, second)
        : graph.node("Add", first, second);
  }

  /** Of streams in fixed point the nearest number that there is. */
  private String rounded(String x) {
    if (!fixedPoint) return x;
    String steps = graph.node("Div", x, scalar(FixedPoint.STEP));
    return graph.node("Mul", graph.node("Round", steps), scalar(FixedPoint.STEP));
  }

  private String deepened(SpaceToDepth down, String x) {
    if (down.frames() == 2) return graph.node("SpaceToDepth", Map.of("blocksize", 2L), x);
    String end = graph.constant("end", Integer.MAX_VALUE);
    String axis = graph.constant("frequencies", 2);
    String step = graph.constant("two", 2);
    String even = graph.node("Slice", x, graph.constant("even", 0), end, axis, step);
    String odd = graph.node("Slice", x, graph.constant("odd", 1), end, axis, step);
    return graph.node("Concat", Map.of("axis", 1L), even, odd);
  }

  /** Zeros behind both axes: minus their lengths modulo the multiples. */
  private String padded(ZeroPadding padding, String x) {
    String lengths = graph.node("Shape", Map.of("start", 2L), x);
    String multiples = graph.constant("multiples", padding.bins(), padding.frames());
    String behind = graph.node("Mod", graph.node("Neg", lengths), multiples);
    String before = graph.constant("padding_before", 0, 0);
    String axes = graph.constant(FREQUENCIES_AND_FRAMES, 2, 3);
    String pads = graph.node("Concat", Map.of("axis", 0L), before, behind);
    return graph.node("Pad", x, pads, scalar(0), axes);
  }

  // ---- pooling and embedding

  /** Means, then deviations, over the axes from {@code first} on. */
  private String statistics(String x, long first) {
    String axes =
        first == 2
            ? graph.constant(FREQUENCIES_AND_FRAMES, 2, 3)
            : graph.constant("axis_of_frames", 3);
    String mean = graph.node("ReduceMean", x, axes);
    String difference = graph.node("Sub", x, mean);
    String squares = graph.node("ReduceSum", graph.node("Mul", difference, difference), axes);
    String count = graph.node("ReduceProd", graph.node("Shape", Map.of("start", first), x));
    String freedom = graph.node("Sub", graph.node("Cast", Map.of("to", 1L), count), scalar(1));
    String variance = graph.node("Div", squares, freedom);
    String floored = graph.node("Add", variance, scalar(StatisticsPooling.FLOOR));
    return sideBySide(mean, graph.node("Sqrt", floored));
  }

  private String attentive(AttentiveStatisticsPooling pooling, String x) {
    List<? extends Stateful> layers = pooling.parts();
    int features = parameters(layers.getFirst()).getFirst().value().shape().get(1);
    String frames = graph.node("Reshape", x, graph.constant("features", 0, features, -1));
    String hidden = graph.node("Tanh", ofFrames(layers.getFirst(), frames));
    String scores = ofFrames(layers.getLast(), hidden);
    String alpha = graph.node("Softmax", Map.of("axis", 2L), scores);
    String axis = graph.constant("axis_of_features", 2);
    String weighted = graph.node("Mul", alpha, frames);
    String mean = graph.node("ReduceSum", weighted, axis);
    String squares = graph.node("ReduceSum", graph.node("Mul", weighted, frames), axis);
    String variance = graph.node("Sub", squares, graph.node("Mul", mean, mean));
    String floored = graph.node("Max", variance, scalar(StatisticsPooling.FLOOR));
    return sideBySide(mean, graph.node("Sqrt", floored));
  }

  private String sideBySide(String means, String deviations) {
    String first = graph.node("Flatten", means);
    return graph.node("Concat", Map.of("axis", 1L), first, graph.node("Flatten", deviations));
  }

  /** A linear layer of each frame of utterances x features x frames: a convolution of one tap. */
  private String ofFrames(Stateful linear, String x) {
    List<Parameter> all = parameters(linear);
    return graph.node("Conv", x, constant(all.getFirst()), constant(all.getLast()));
  }

  private String linear(Linear layer, String x) {
    List<Parameter> all = parameters(layer);
    Map<String, Object> transposed = Map.of("transB", 1L);
    return graph.node("Gemm", transposed, x, constant(all.getFirst()), constant(all.getLast()));
  }

  // ---- tensors

  private static List<Parameter> parameters(Stateful layer) {
    return List.copyOf(StateDict.of(layer).parameters().values());
  }

  private String constant(Parameter parameter) {
    return constant(parameter.value());
  }

  private String constant(Tensor x) {
    return graph.constant(x.label(), () -> floats(x), OnnxGraph.shape(x.shape()));
  }

  /** A value for each channel, C x 1 x 1. */
  private String ofChannels(Tensor x) {
    return graph.constant(x.label(), () -> floats(x), x.size(), 1, 1);
  }

  private String scalar(float value) {
    return graph.constant("scalar." + value, () -> new float[] {value});
  }

  private static float[] floats(Tensor x) {
    return x.backend().ops().floats(x);
  }
}
