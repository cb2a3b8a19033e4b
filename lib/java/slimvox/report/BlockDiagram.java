package slimvox.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.backend.Shape;
import slimvox.models.Binarization;
import slimvox.models.ModelSpec;
import slimvox.models.Models;

/**
 * One block of some networks beside each other as an SVG picture, layer by layer, with channels and
 * what is between two layers. It is the second block of the second stage, drawn from the parameters
 * of the built network.
 */
public final class BlockDiagram {
  private static final String BLOCK = "(layer2|stages\\.1)\\.1\\.";

  private BlockDiagram() {}

  /** A column for each path through a block of each of these networks. */
  public static BoxColumns of(Map<String, ModelSpec> networks) {
    Map<String, List<BoxColumns.Box>> columns = new LinkedHashMap<>();
    networks.forEach(
        (name, spec) -> {
          Map<String, Path> paths = new LinkedHashMap<>();
          Models.parameterShapes(spec)
              .forEach(
                  (key, shape) -> {
                    if (!key.matches(BLOCK + ".*")) return;
                    String layer = key.replaceFirst(BLOCK, "");
                    boolean function = layer.matches("[fg]\\..*");
                    String path =
                        function ? ", " + layer.substring(0, 1).toUpperCase(Locale.ROOT) : "";
                    if (function) layer = layer.substring(2);
                    paths
                        .computeIfAbsent(name + path, _ -> new Path(spec, function))
                        .add(layer, key.substring(0, key.lastIndexOf('.')), shape);
                  });
          paths.forEach((path, boxes) -> columns.put(path, boxes.end()));
        });
    return new BoxColumns(columns);
  }

  /** The boxes of one path, in the order of the layers. */
  private static final class Path {
    private final Binarization binary;
    private final boolean normalizesFirst;
    private final String sum;
    private final List<BoxColumns.Box> boxes = new ArrayList<>();
    private String between = "";

    /** A path; F and G of a reversible block normalize first. */
    Path(ModelSpec spec, boolean function) {
      binary = spec.binarization();
      normalizesFirst = function || spec.preActivation();
      sum = function ? "+ the other stream" : "+ input of the block";
    }

    /** Adds the layer that a parameter belongs to: {@code conv1.weight}. */
    void add(String parameter, String layer, Shape shape) {
      if (!parameter.endsWith(".weight")) return;
      if (parameter.startsWith("conv")) {
        if (binary.signs()) box("sign of input + threshold", "1 bit");
        convolution(shape, binary.takes(layer));
      } else if (parameter.startsWith("bn")) {
        box("normalization", "float32");
        if (binary.signs()) box("+ input of the sign", "float32");
        if (binary.activation() == Binarization.Activation.RELU) box("ReLU", "float32");
      } else if (parameter.startsWith("act")) {
        box(binary.activation() == Binarization.Activation.RPRELU ? "RPReLU" : "PReLU", "float32");
      }
    }

    private void convolution(Shape shape, boolean oneBit) {
      String kind = shape.get(1) == 1 ? "depthwise " : "conv ";
      String size = shape.get(2) + "x" + shape.get(3) + " ";
      long in = shape.get(1) == 1 ? shape.get(0) : shape.get(1);
      String text = kind + size + in + " → " + shape.get(0) + (oneBit ? ", 1-bit weights" : "");
      box(text, binary.signs() ? "integers x scale" : "float32");
    }

    private void box(String text, String out) {
      boxes.add(new BoxColumns.Box(text, "", between));
      between = out;
    }

    /** All boxes: the sum comes last, or before the last ReLU. */
    List<BoxColumns.Box> end() {
      if (binary.signs()) return boxes;
      BoxColumns.Box added = new BoxColumns.Box(sum, "", between);
      boxes.add(normalizesFirst ? boxes.size() : boxes.size() - 1, added);
      return boxes;
    }
  }
}
