package slimvox.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.backend.Shape;
import slimvox.models.ModelSpec;
import slimvox.models.Models;

/**
 * Networks beside each other as an SVG picture, drawn from what is built: a box for each run of
 * equal blocks with the channels before and behind every convolution. Boxes whose activations are
 * kept for backward are filled, reversible ones, which are rebuilt, are empty.
 */
public final class NetworkDiagram {
  private static final Pattern WEIGHT =
      Pattern.compile(
          "((?:layer|stages\\.)\\d+\\.\\d+|.+?)\\.(?:([fg])\\.)?(\\w+)?(?:\\.\\d+)*\\.?weight");

  /** A block, and the channels along each of its paths. */
  private record Part(boolean block, Map<String, StringBuilder> paths) {
    boolean reversible() {
      return paths.containsKey("F ");
    }

    /** F and G together where they have the same widths. */
    String text() {
      Map<String, String> names = new LinkedHashMap<>();
      paths.forEach((name, path) -> names.merge(path.toString(), name, (a, c) -> a + "and " + c));
      List<String> all = new ArrayList<>();
      names.forEach((path, name) -> all.add(name + path));
      return String.join(", ", all);
    }
  }

  private NetworkDiagram() {}

  /** The picture of networks, which have these names. */
  public static String svg(Map<String, ModelSpec> networks) {
    return columns(networks).svg();
  }

  /** The same in words: a line for each network. */
  public static String text(Map<String, ModelSpec> networks) {
    return columns(networks).text();
  }

  private static BoxColumns columns(Map<String, ModelSpec> networks) {
    Map<String, List<BoxColumns.Box>> columns = new LinkedHashMap<>();
    networks.forEach((name, spec) -> columns.put(name, boxes(spec)));
    return new BoxColumns(columns);
  }

  private static List<BoxColumns.Box> boxes(ModelSpec spec) {
    List<BoxColumns.Box> boxes = new ArrayList<>();
    String last = "";
    int count = 1;
    for (Part part : parts(spec)) {
      String text = part.text();
      count = text.equals(last) ? count + 1 : 1;
      if (count > 1) boxes.removeLast();
      String line = count == 1 ? text : count + " x " + text;
      boxes.add(new BoxColumns.Box(line, part.reversible() ? "rebuilt" : "", ""));
      last = text;
    }
    return boxes;
  }

  /** The convolutions and matrices of a network that is built without computing anything. */
  private static Iterable<Part> parts(ModelSpec spec) {
    Map<String, Part> parts = new LinkedHashMap<>();
    Models.parameterShapes(spec).forEach((name, shape) -> add(parts, name, shape));
    return parts.values();
  }

  private static void add(Map<String, Part> parts, String name, Shape shape) {
    Matcher weight = WEIGHT.matcher(name);
    boolean shortcut = name.contains("shortcut");
    if (!weight.matches() || shape.rank() < 2 || shortcut) return;
    boolean block = weight.group(1).matches("(layer|stages\\.)\\d+\\.\\d+");
    Part part =
        parts.computeIfAbsent(
            block ? weight.group(1) : name, k -> new Part(block, new LinkedHashMap<>()));
    String kind = shape.rank() == 2 ? "linear " : "conv " + shape.get(2) + "x" + shape.get(3) + " ";
    String path =
        weight.group(2) == null ? block ? "block " : kind : weight.group(2).toUpperCase() + " ";
    boolean depthwise = shape.rank() == 4 && shape.get(1) == 1 && block;
    part.paths
        .computeIfAbsent(
            path, k -> new StringBuilder().append(depthwise ? shape.get(0) : shape.get(1)))
        .append(" → ")
        .append(shape.get(0));
  }
}
