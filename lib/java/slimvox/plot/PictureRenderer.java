package slimvox.plot;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.Rectangle;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import slimvox.plot.Lettering.Anchor;
import slimvox.plot.Series.Kind;
import slimvox.plot.Ticks.Tick;

/**
 * Draws a {@link Figure} into a picture with Java2D.
 *
 * <p>Small figures (live plots) get smaller margins and fewer ticks. All lengths are in pixels of
 * the page; the picture has {@code scale} times as many.
 */
final class PictureRenderer {
  private static final float[] DASH = {7, 5};

  private final Figure figure;
  private final BufferedImage image;
  private final Graphics2D g;
  private final Lettering letters;
  private final List<double[]> bases;
  private final Span xs;
  private final Span ys;
  private Rectangle plot;

  PictureRenderer(Figure figure, double scale) {
    this.figure = figure;
    this.image =
        new BufferedImage(
            (int) Math.round(figure.width() * scale),
            (int) Math.round(figure.height() * scale),
            BufferedImage.TYPE_INT_RGB);
    this.g = image.createGraphics();
    g.scale(scale, scale);
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    this.letters = new Lettering(g, figure.width() < 450 ? 10 : 12);
    this.bases = figure.bases();
    this.xs = Span.horizontal(figure);
    this.ys = Span.vertical(figure, bases);
  }

  byte[] png() {
    draw();
    g.dispose();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.setUseCache(false);
      ImageIO.write(FewColours.of(image), "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private void draw() {
    g.setColor(Color.WHITE);
    g.fillRect(0, 0, figure.width() + 1, figure.height() + 1);
    int line = letters.lineHeight();
    int top = 8;
    int left = 8;
    if (!figure.title().isEmpty()) {
      letters.title(figure.title(), left, top + line);
      top += line + line / 2 + 2;
    }
    top = legend(left, top, line) + line / 2 + 6;
    List<Tick> yTicks =
        Ticks.of(figure.y(), ys.low(), ys.high(), Math.max(3, (figure.height() - top) / 45));
    int widest = yTicks.stream().mapToInt(t -> letters.width(t.label())).max().orElse(0);
    left += widest + 8 + (figure.y().label().isEmpty() ? 0 : line + 4);
    boolean slanted = CategoryLabels.slanted(figure, letters, figure.width() - left - 18);
    if (slanted) left = Math.max(left, CategoryLabels.overhang(figure, letters, left));
    int width = figure.width() - left - 18;
    int below =
        figure.categories().isEmpty()
            ? line
            : CategoryLabels.height(figure, letters, slanted, width);
    below += 12 + (figure.x().label().isEmpty() ? 0 : line + 4);
    plot = new Rectangle(left, top, width, Math.max(20, figure.height() - top - below));
    axes(yTicks, slanted, line);
    Shape everywhere = g.getClip();
    g.clip(new Rectangle(plot.x - 1, plot.y - 4, plot.width + 2, plot.height + 5));
    for (int i = 0; i < figure.series().size(); i++) series(i);
    g.setClip(everywhere);
    g.setColor(Palette.SOFT_INK);
    g.setStroke(new BasicStroke(1));
    g.draw(new Line2D.Double(plot.x, plot.getMaxY(), plot.getMaxX(), plot.getMaxY()));
    values();
  }

  private int legend(int left, int top, int line) {
    List<Series> all = figure.series();
    if (all.size() < 2) return top;
    int x = left;
    int y = top + line;
    for (int i = 0; i < all.size(); i++) {
      int width = 24 + letters.width(all.get(i).name()) + 16;
      if (x > left && x + width > figure.width()) {
        x = left;
        y += line + 3;
      }
      swatch(all.get(i).kind(), Palette.series(i), x, y - letters.middle());
      letters.text(all.get(i).name(), x + 24, y, Anchor.START, Palette.INK);
      x += width;
    }
    return y;
  }

  private void swatch(Kind kind, Color color, double x, double y) {
    g.setColor(color);
    switch (kind) {
      case BAR, AREA -> g.fill(new Rectangle2D.Double(x + 4, y - 5, 12, 10));
      case SCATTER -> g.fill(new Ellipse2D.Double(x + 6, y - 4, 8, 8));
      default -> {
        g.setStroke(stroke(kind));
        g.draw(new Line2D.Double(x, y, x + 19, y));
      }
    }
  }

  private void axes(List<Tick> yTicks, boolean slanted, int line) {
    g.setStroke(new BasicStroke(1));
    for (Tick tick : yTicks) {
      double y = y(tick.place());
      g.setColor(Palette.GRID);
      g.draw(new Line2D.Double(plot.x, y, plot.getMaxX(), y));
      letters.text(tick.label(), plot.x - 7, y + letters.middle(), Anchor.END, Palette.SOFT_INK);
    }
    double bottom = plot.getMaxY();
    if (figure.categories().isEmpty()) {
      int atMost = Math.max(2, plot.width / 80);
      for (Tick tick : Ticks.of(figure.x(), xs.low(), xs.high(), atMost)) {
        double x = x(tick.place());
        if (figure.x().scale() != Axis.Scale.LINEAR) {
          g.setColor(Palette.GRID);
          g.draw(new Line2D.Double(x, plot.y, x, bottom));
        }
        g.setColor(Palette.SOFT_INK);
        g.draw(new Line2D.Double(x, bottom, x, bottom + 4));
        letters.text(tick.label(), x, bottom + 6 + line, Anchor.MIDDLE, Palette.SOFT_INK);
      }
    } else {
      double slot = plot.width / (double) figure.categories().size();
      CategoryLabels.draw(figure, letters, slanted, plot.x, bottom + 6, slot);
    }
    letters.text(
        figure.x().label(), plot.getCenterX(), figure.height() - 7, Anchor.MIDDLE, Palette.INK);
    letters.upwards(figure.y().label(), 8 + line - 3, plot.getCenterY(), Palette.INK);
  }

  private void series(int index) {
    Series series = figure.series().get(index);
    g.setColor(Palette.series(index));
    g.setStroke(stroke(series.kind()));
    switch (series.kind()) {
      case LINE, DASHED -> g.draw(path(series, false));
      case STEP -> g.draw(path(series, true));
      case SCATTER -> points(series);
      case LEVEL -> {
        double y = y(figure.y().place(series.y()[0]));
        g.draw(new Line2D.Double(plot.x, y, plot.getMaxX(), y));
      }
      case AREA -> area(series, bases.get(index));
      case BAR -> bars(series, bases.get(index), rank(index));
    }
    boolean few = series.x().length <= 30 && plot.width > 300;
    if (few && (series.kind() == Kind.LINE || series.kind() == Kind.DASHED)) points(series);
  }

  private static BasicStroke stroke(Kind kind) {
    boolean dashed = kind == Kind.DASHED || kind == Kind.LEVEL;
    return dashed
        ? new BasicStroke(1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, DASH, 0)
        : new BasicStroke(1.8f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
  }

  private Path2D path(Series series, boolean steps) {
    Path2D path = new Path2D.Double();
    boolean drawing = false;
    double last = 0;
    for (int i = 0; i < series.x().length; i++) {
      double px = figure.x().place(series.x()[i]);
      double py = figure.y().place(series.y()[i]);
      if (Double.isNaN(px) || Double.isNaN(py)) {
        drawing = false;
        continue;
      }
      if (!drawing) {
        path.moveTo(x(px), y(py));
      } else {
        if (steps) path.lineTo(x(px), last);
        path.lineTo(x(px), y(py));
      }
      last = y(py);
      drawing = true;
    }
    return path;
  }

  private void points(Series series) {
    for (int i = 0; i < series.x().length; i++) {
      double x = x(figure.x().place(series.x()[i]));
      double y = y(figure.y().place(series.y()[i]));
      if (!Double.isNaN(x + y)) g.fill(new Ellipse2D.Double(x - 3, y - 3, 6, 6));
    }
  }

  private void area(Series series, double[] base) {
    Path2D path = new Path2D.Double();
    int n = series.x().length;
    for (int i = 0; i < n; i++) {
      double x = x(figure.x().place(series.x()[i]));
      double y = y(areaTop(series, base, i));
      if (i == 0) {
        path.moveTo(x, y);
      } else {
        path.lineTo(x, y(areaTop(series, base, i - 1)));
        path.lineTo(x, y);
      }
    }
    for (int i = n - 1; i >= 0; i--) {
      double x = x(figure.x().place(series.x()[i]));
      path.lineTo(x, y(figure.y().place(base[i])));
      if (i > 0) path.lineTo(x, y(figure.y().place(base[i - 1])));
    }
    if (n > 0) g.fill(path);
  }

  private double areaTop(Series series, double[] base, int i) {
    double value = series.y()[i];
    return figure.y().place(base[i] + (Double.isFinite(value) ? value : 0));
  }

  private void bars(Series series, double[] base, int rank) {
    double floor = figure.y().scale() == Axis.Scale.LINEAR ? 0 : ys.low();
    for (int i = 0; i < series.y().length; i++) {
      double to = figure.y().place(base[i] + series.y()[i]);
      double from = base[i] == 0 ? floor : figure.y().place(base[i]);
      if (Double.isNaN(to) || Double.isNaN(from)) continue;
      double low = y(Math.min(from, to));
      double high = y(Math.max(from, to));
      g.fill(new Rectangle2D.Double(barLeft(i, rank), high, barWidth(), low - high));
    }
  }

  /** Writes the values above bars that stand alone, where there is room for them. */
  private void values() {
    List<Series> all = figure.series();
    long sets = all.stream().filter(s -> s.kind() == Kind.BAR).count();
    if (sets == 0 || (figure.stack() && sets > 1)) return;
    for (int s = 0; s < all.size(); s++) {
      if (all.get(s).kind() != Kind.BAR) continue;
      double[] y = all.get(s).y();
      boolean room =
          IntStream.range(0, y.length)
              .allMatch(i -> letters.width(Ticks.number(y[i])) <= barWidth() + 6);
      if (!room) continue;
      for (int i = 0; i < y.length; i++) {
        double place = figure.y().place(y[i]);
        if (Double.isNaN(place)) continue;
        double middle = barLeft(i, rank(s)) + barWidth() / 2;
        double at = y(place) + (y[i] < 0 ? letters.lineHeight() : -5);
        letters.text(Ticks.number(y[i]), middle, at, Anchor.MIDDLE, Palette.INK);
      }
    }
  }

  /** How many sets of bars come before series {@code index}; 0 where they are stacked. */
  private int rank(int index) {
    if (figure.stack()) return 0;
    return (int)
        figure.series().subList(0, index).stream().filter(s -> s.kind() == Kind.BAR).count();
  }

  private double barWidth() {
    long sets =
        figure.stack() ? 1 : figure.series().stream().filter(s -> s.kind() == Kind.BAR).count();
    double slot = plot.width / (double) figure.categories().size();
    return Math.min(0.72 * slot / sets, 90);
  }

  private double barLeft(int category, int rank) {
    double slot = plot.width / (double) figure.categories().size();
    long sets =
        figure.stack() ? 1 : figure.series().stream().filter(s -> s.kind() == Kind.BAR).count();
    return plot.x + (category + 0.5) * slot + (rank - sets / 2.0) * barWidth();
  }

  private double x(double place) {
    return plot.x + (place - xs.low()) / (xs.high() - xs.low()) * plot.width;
  }

  private double y(double place) {
    return plot.getMaxY() - (place - ys.low()) / (ys.high() - ys.low()) * plot.height;
  }
}
