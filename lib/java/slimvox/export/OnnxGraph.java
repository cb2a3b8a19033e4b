package slimvox.export;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import slimvox.backend.Shape;

/**
 * A graph of ONNX: nodes in the order in which they are computed, and the tensors that they read.
 *
 * <p>The numbers of fields are those of onnx/onnx.proto.
 */
final class OnnxGraph {
  /** The first in which Gelu is a node; onnxruntime has it from 1.17 on. */
  private static final int OPERATORS = 20;

  private static final int FORMAT = 9; // that goes with these operators
  private static final int FLOAT = 1;
  private static final int INT64 = 7;

  private final ProtobufMessage graph = new ProtobufMessage();
  private final Set<String> constants = new HashSet<>();
  private int nodes;

  /** The name of the result of a node without attributes. */
  String node(String operator, String... inputs) {
    return node(operator, Map.of(), inputs);
  }

  /** The name of the result of a node; attributes are long, float or String values, or long[]. */
  String node(String operator, Map<String, Object> attributes, String... inputs) {
    return nodes(1, operator, attributes, inputs).getFirst();
  }

  /** The names of the results of a node that has so many. */
  List<String> nodes(
      int outputs, String operator, Map<String, Object> attributes, String... inputs) {
    String name = operator.toLowerCase(Locale.ROOT) + "." + ++nodes;
    List<String> results =
        outputs == 1 ? List.of(name) : List.of(name + ".first", name + ".second");
    ProtobufMessage node = new ProtobufMessage();
    for (String input : inputs) node.text(1, input);
    for (String result : results) node.text(2, result);
    node.text(3, name).text(4, operator);
    // Sorted: the order of Map.of is another one in each process.
    new TreeMap<>(attributes).forEach((key, value) -> node.message(5, attribute(key, value)));
    graph.message(1, node);
    return results;
  }

  private static ProtobufMessage attribute(String key, Object value) {
    ProtobufMessage attribute = new ProtobufMessage().text(1, key);
    return switch (value) {
      case Float number -> attribute.number(2, number).number(20, 1);
      case Long number -> attribute.number(3, number).number(20, 2);
      case String text -> attribute.text(4, text).number(20, 3);
      case long[] numbers -> {
        for (long number : numbers) attribute.number(8, number);
        yield attribute.number(20, 7);
      }
      default -> throw new IllegalArgumentException(key + " is a " + value.getClass());
    };
  }

  /** The name of a tensor with values; {@code name} itself. Of a name that is there nothing. */
  String constant(String name, Supplier<float[]> values, long... shape) {
    if (!constants.add(name)) return name;
    long count = 1;
    for (long length : shape) count *= length;
    graph.message(5, tensor(name, FLOAT, shape).floats(9, count, values));
    return name;
  }

  /** The name of a tensor of one axis with a few whole numbers. */
  String constant(String name, long... values) {
    if (!constants.add(name)) return name;
    ProtobufMessage tensor = tensor(name, INT64, values.length);
    for (long value : values) tensor.number(7, value); // int64_data, not packed
    graph.message(5, tensor);
    return name;
  }

  private static ProtobufMessage tensor(String name, int type, long... shape) {
    ProtobufMessage tensor = new ProtobufMessage();
    for (long length : shape) tensor.number(1, length);
    return tensor.number(2, type).text(8, name);
  }

  /** Declares an input; axes that are words may have any length. */
  void input(String name, Object... axes) {
    graph.message(11, value(name, axes));
  }

  /** Declares an output: what {@code result} names. */
  void output(String name, String result, Object... axes) {
    ProtobufMessage node = new ProtobufMessage().text(1, result).text(2, name);
    graph.message(1, node.text(3, name).text(4, "Identity"));
    graph.message(12, value(name, axes));
  }

  private static ProtobufMessage value(String name, Object... axes) {
    ProtobufMessage shape = new ProtobufMessage();
    for (Object axis : axes) {
      ProtobufMessage length = new ProtobufMessage();
      shape.message(
          1, axis instanceof Integer n ? length.number(1, n) : length.text(2, axis.toString()));
    }
    ProtobufMessage tensor = new ProtobufMessage().number(1, FLOAT).message(2, shape);
    ProtobufMessage type = new ProtobufMessage().message(1, tensor);
    return new ProtobufMessage().text(1, name).message(2, type);
  }

  /** The whole file. */
  ProtobufMessage model(String name, Map<String, String> metadata) {
    graph.text(2, name);
    ProtobufMessage model = new ProtobufMessage().number(1, FORMAT).text(2, "SlimVox");
    model.message(8, new ProtobufMessage().number(2, OPERATORS)).message(7, graph);
    metadata.forEach(
        (key, text) -> model.message(14, new ProtobufMessage().text(1, key).text(2, text)));
    return model;
  }

  /** A shape as ONNX counts. */
  static long[] shape(Shape shape) {
    return Arrays.stream(shape.toArray()).asLongStream().toArray();
  }
}
