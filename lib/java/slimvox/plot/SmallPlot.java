package slimvox.plot;

import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;

/**
 * A small line plot as an SVG picture of a few kilobytes that is redrawn often. Its ground is clear
 * and its text grey, so that it can be read on a light, a dark and a printed page.
 */
public final class SmallPlot {
  public static final int WIDTH = 350;
  public static final int HEIGHT = 190;

  private static final int LEFT = 44;
  private static final int RIGHT = WIDTH - 8;
  private static final int TOP = 26;
  private static final int BOTTOM = HEIGHT - 36;

  private final double[] x;
  private final double[] y;
  private final StringBuilder svg = new StringBuilder();

  private SmallPlot(double[] x, double[] y) {
    this.x = x;
    this.y = y;
  }

  /**
   * Draws lines; a line of a single point is a dot.
   *
   * @param title above the plot
   * @param xLabel name and unit of the x axis
   * @param lines by name, x and y of each; at least one with a point
   */
  public static String svg(String title, String xLabel, Map<String, double[][]> lines) {
    SmallPlot plot = new SmallPlot(ends(lines, 0), ends(lines, 1));
    plot.frame(title, xLabel);
    int number = 0;
    for (var line : lines.entrySet()) {
      String colour = Palette.hex(Palette.series(number));
      plot.line(colour, line.getValue());
      if (lines.size() > 1) plot.text(RIGHT, TOP + 12 * ++number, "end", colour, line.getKey());
    }
    return plot.svg.append("</svg>").toString();
  }

  /** Smallest and largest value, apart from one another. */
  private static double[] ends(Map<String, double[][]> lines, int axis) {
    var all = lines.values().stream().flatMapToDouble(l -> DoubleStream.of(l[axis]));
    var range = all.filter(Double::isFinite).summaryStatistics();
    if (range.getCount() == 0) return new double[] {0, 1};
    double room = axis == 0 ? 0 : 0.06 * (range.getMax() - range.getMin());
    if (range.getMin() == range.getMax()) room = Math.max(1e-3, Math.abs(range.getMin()) / 2);
    return new double[] {range.getMin() - room, range.getMax() + room};
  }

  private double px(double value) {
    return LEFT + (value - x[0]) / (x[1] - x[0]) * (RIGHT - LEFT);
  }

  private double py(double value) {
    return BOTTOM - (value - y[0]) / (y[1] - y[0]) * (BOTTOM - TOP);
  }

  private void frame(String title, String xLabel) {
    add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\""
            + " font-size=\"11\">",
        WIDTH, HEIGHT);
    text(LEFT, 14, "start", "#808080", title);
    text((LEFT + RIGHT) / 2.0, HEIGHT - 6, "middle", "#808080", xLabel);
    for (Ticks.Tick tick : Ticks.of(Axis.linear(""), y[0], y[1], 4)) {
      double at = py(tick.place());
      add("<path d=\"M%d %.1fH%d\" stroke=\"#808080\" stroke-opacity=\".3\"/>", LEFT, at, RIGHT);
      text(LEFT - 5, at + 4, "end", "#808080", tick.label());
    }
    for (Ticks.Tick tick : Ticks.of(Axis.linear(""), x[0], x[1], 5)) {
      text(px(tick.place()), BOTTOM + 15, "middle", "#808080", tick.label());
    }
  }

  private void line(String colour, double[][] line) {
    if (line[0].length == 1) {
      add("<circle cx=\"%.1f\" cy=\"%.1f\"", px(line[0][0]), py(line[1][0]));
      add(" r=\"3\" fill=\"%s\"/>", colour);
      return;
    }
    svg.append("<polyline points=\"");
    for (int i = 0; i < line[0].length; i++) {
      if (Double.isFinite(line[1][i])) add("%.1f,%.1f ", px(line[0][i]), py(line[1][i]));
    }
    add("\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"/>", colour);
  }

  private void text(double x, double y, String anchor, String colour, String text) {
    String plain = text.replace("&", "&amp;").replace("<", "&lt;");
    add("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
    add(" fill=\"%s\">%s</text>", colour, plain);
  }

  private void add(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values));
  }
}
