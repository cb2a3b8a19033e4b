package slimvox.plot;

import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.font.FontRenderContext;
import java.awt.geom.Rectangle2D;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.DoubleStream;
import org.jfree.chart.axis.AxisState;
import org.jfree.chart.axis.NumberTick;
import org.jfree.chart.axis.ValueTick;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.chart.ui.TextAnchor;
import slimvox.storage.Printable;

/** The axis under bars, with their names: in lines of words where they fit, else slanted. */
final class NameAxis extends PlacedAxis {
  static final FontRenderContext FRACTIONAL = new FontRenderContext(null, true, true);
  private static final double ANGLE = Math.toRadians(-30);

  /** One line of a name. */
  private static final class Line extends NumberTick {
    final int below;

    Line(int category, String text, int below, boolean slanted) {
      super(
          category,
          text,
          slanted ? TextAnchor.CENTER_RIGHT : TextAnchor.TOP_CENTER,
          slanted ? TextAnchor.CENTER_RIGHT : TextAnchor.CENTER,
          slanted ? ANGLE : 0);
      this.below = below;
    }
  }

  private final transient List<Line> lines = new ArrayList<>();
  private final float lineHeight;

  NameAxis(Figure figure, Font font) {
    super(figure.x(), font);
    setTickLabelPaint(Palette.INK);
    setRange(-0.5, figure.categories().size() - 0.5);
    lineHeight = font == null ? 0 : font.getSize2D() * 1.2f;
    if (font == null) return;
    List<String> names = figure.categories().stream().map(Printable::line).toList();
    double room = slot(figure) - 6;
    boolean slanted =
        names.stream()
            .flatMap(name -> Arrays.stream(name.split(" ")))
            .anyMatch(word -> width(font, word) > room);
    for (int i = 0; i < names.size(); i++) {
      List<String> words = lines(names.get(i), line -> slanted || width(font, line) <= room);
      for (int line = 0; line < words.size(); line++) {
        lines.add(new Line(i, words.get(line), line, slanted));
      }
    }
    double below =
        lines.stream()
            .mapToDouble(
                line ->
                    slanted
                        ? width(font, line.getText()) * Math.sin(-ANGLE)
                        : line.below * lineHeight)
            .max()
            .orElse(0);
    setTickLabelInsets(new RectangleInsets(2, 4, 2 + below, 4));
  }

  /** The pixels that the first name, slanted, needs left of the axis, at most a third of all. */
  double overhang(Figure figure) {
    if (lines.isEmpty() || lines.getFirst().getAngle() == 0) return 0;
    double across = width(getTickLabelFont(), lines.getFirst().getText()) * Math.cos(ANGLE);
    return Math.clamp(across - slot(figure) / 2 - 30, 0, figure.width() / 3.0);
  }

  /** The pixels that a category has, about. */
  static double slot(Figure figure) {
    return (figure.width() - 75.0) / Math.max(1, figure.categories().size());
  }

  static double width(Font font, String text) {
    return font.getStringBounds(text, FRACTIONAL).getWidth();
  }

  /** A text in lines of words, each of which fits or is one word. */
  static List<String> lines(String text, Predicate<String> fits) {
    List<String> lines = new ArrayList<>();
    for (String word : text.split(" ")) {
      String longer = lines.isEmpty() ? word : lines.getLast() + " " + word;
      if (!lines.isEmpty() && fits.test(longer)) lines.removeLast();
      else longer = word;
      lines.add(longer);
    }
    return lines;
  }

  @Override
  void fit(DoubleStream places, double below, double above) {}

  @Override
  public List<NumberTick> refreshTicks(
      Graphics2D g, AxisState state, Rectangle2D area, RectangleEdge edge) {
    return List.copyOf(lines);
  }

  @Override
  protected float[] calculateAnchorPoint(
      ValueTick tick, double cursor, Rectangle2D area, RectangleEdge edge) {
    float[] point = super.calculateAnchorPoint(tick, cursor, area, edge);
    point[1] += ((Line) tick).below * lineHeight;
    return point;
  }
}
