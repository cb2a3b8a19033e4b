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

  private static final int COLUMN = 250;
  private static final int ROW = 46;
  private static final int BOX = 34;

  /** A block, and the channels along each of its paths. */
  private record Part(boolean block, Map<String, StringBuilder> paths) {
    boolean reversible() {
      return paths.containsKey("F ");
    }

    String text() {
      List<String> all = new ArrayList<>();
      paths.forEach((name, path) -> all.add(name + path));
      return String.join(", ", all);
    }
  }

  /** A box. */
  private record Box(String text, boolean reversible, int count) {
    String line() {
      return count == 1 ? text : count + " x " + text;
    }
  }

  private NetworkDiagram() {}

  /** The picture of networks, which have these names. */
  public static String svg(Map<String, ModelSpec> networks) {
    StringBuilder svg = new StringBuilder();
    int longest = 0;
    int column = 0;
    for (var network : networks.entrySet()) {
      List<Box> boxes = boxes(network.getValue());
      int x = 10 + column++ * COLUMN;
      svg.append(
          "<text x=\"%d\" y=\"22\" font-weight=\"bold\">%s</text>\n"
              .formatted(x, Tables.escape(network.getKey())));
      for (int i = 0; i < boxes.size(); i++) box(svg, x, 36 + i * ROW, boxes.get(i), i > 0);
      longest = Math.max(longest, boxes.size());
    }
    return """
    <svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" \
    font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">
    <title>%s</title>
    <rect width="100%%" height="100%%" fill="white"/>
    %s</svg>
    """
        .formatted(20 + column * COLUMN, 50 + longest * ROW, Tables.escape(text(networks)), svg);
  }

  private static void box(StringBuilder svg, int x, int y, Box box, boolean arrow) {
    int middle = x + (COLUMN - 20) / 2;
    if (arrow) {
      svg.append(
          "<path d=\"M%d %d v%d\" stroke=\"#2b2b2b\"/>\n"
              .formatted(middle, y - ROW + BOX, ROW - BOX));
    }
    svg.append(
        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"%s\" stroke=\"%s\"%s/>\n"
            .formatted(
                x,
                y,
                COLUMN - 20,
                BOX,
                box.reversible ? "white" : "#cfe3f1",
                box.reversible ? "#009e73" : "#0072b2",
                box.reversible ? " stroke-dasharray=\"5 3\"" : ""));
    svg.append(
        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"%d\">%s</text>\n"
            .formatted(
                middle, y + 21, box.line().length() > 32 ? 9 : 12, Tables.escape(box.line())));
  }

  /** The same in words: a line for each network. */
  public static String text(Map<String, ModelSpec> networks) {
    StringBuilder text = new StringBuilder();
    networks.forEach(
        (name, spec) -> {
          text.append(name).append(": ");
          text.append(
              String.join(
                  "; ",
                  boxes(spec).stream()
                      .map(b -> b.line() + (b.reversible ? " (rebuilt)" : ""))
                      .toList()));
          text.append(".\n");
        });
    return text.toString().strip();
  }

  private static List<Box> boxes(ModelSpec spec) {
    List<Box> boxes = new ArrayList<>();
    for (Part part : parts(spec)) {
      String text = part.text();
      Box last = boxes.isEmpty() ? null : boxes.getLast();
      boolean again = last != null && last.text.equals(text);
      if (again) boxes.removeLast();
      boxes.add(new Box(text, part.reversible(), again ? last.count + 1 : 1));
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
