package slimvox.plot;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.GraphicsEnvironment;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.DoubleStream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.LegendItem;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.annotations.XYTextAnnotation;
import org.jfree.chart.block.ColumnArrangement;
import org.jfree.chart.block.FlowArrangement;
import org.jfree.chart.plot.DatasetRenderingOrder;
import org.jfree.chart.plot.IntervalMarker;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.StandardXYBarPainter;
import org.jfree.chart.renderer.xy.XYBarRenderer;
import org.jfree.chart.renderer.xy.XYItemRenderer;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.renderer.xy.XYStepAreaRenderer;
import org.jfree.chart.renderer.xy.XYStepRenderer;
import org.jfree.chart.title.LegendTitle;
import org.jfree.chart.title.TextTitle;
import org.jfree.chart.ui.HorizontalAlignment;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.chart.ui.VerticalAlignment;
import org.jfree.data.xy.XYIntervalSeries;
import org.jfree.data.xy.XYIntervalSeriesCollection;
import slimvox.plot.Series.Kind;
import slimvox.storage.Printable;

/**
 * Draws a {@link Figure} into a picture with JFreeChart. Values become places on their axes here,
 * see {@link Axis#place}, so that every scale is a linear axis to the library.
 *
 * <p>Small figures (live plots) get smaller letters and no points on their lines. On a machine
 * without any font, where Java cannot draw text at all, pictures are drawn without it.
 */
final class Picture {
  private static final float[] DASH = {7, 5};
  private static final BasicStroke THIN = new BasicStroke(1);

  private static final List<String> FAMILIES = List.of("DejaVu Sans", "Verdana", "Arial");
  private static final Font FONT = findFont();

  private final Figure figure;
  private final Font font; // null on a machine without fonts
  private final List<Color> colours;

  Picture(Figure figure) {
    this(figure, FONT);
  }

  /** For tests: {@code font} null is a machine without fonts. */
  Picture(Figure figure, Font font) {
    this.figure = figure;
    this.colours = Palette.of(figure.series());
    this.font = font == null ? null : font.deriveFont(figure.width() < 450 ? 10f : 12f);
  }

  private static Font findFont() {
    try {
      String[] installed =
          GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames();
      String family =
          FAMILIES.stream()
              .filter(Arrays.asList(installed)::contains)
              .findFirst()
              .orElse(Font.SANS_SERIF);
      Font font = new Font(family, Font.PLAIN, 12);
      font.getStringBounds("x", NameAxis.FRACTIONAL);
      return font;
    } catch (RuntimeException | Error e) {
      // Without fontconfig or fonts the JDK throws RuntimeException, InternalError or LinkageError
      // from here, depending on what is missing.
      return null;
    }
  }

  /** The picture as PNG, {@code scale} of its pixels to a pixel of the page. */
  byte[] png(double scale) {
    BufferedImage image =
        new BufferedImage(
            (int) Math.round(figure.width() * scale),
            (int) Math.round(figure.height() * scale),
            BufferedImage.TYPE_INT_ARGB);
    draw(image, scale, 0, 0);
    return encoded(image);
  }

  /** Figures of one size as one PNG, so many in a row. */
  static byte[] pngOf(List<Figure> figures, int columns) {
    double scale = columns == 1 ? 1 : 1.1; // wide ones cost most
    int rows = Math.ceilDiv(figures.size(), columns);
    int width = figures.getFirst().width();
    int height = figures.getFirst().height();
    BufferedImage image =
        new BufferedImage(
            (int) (columns * width * scale),
            (int) (rows * height * scale),
            BufferedImage.TYPE_INT_ARGB);
    for (int i = 0; i < figures.size(); i++) {
      new Picture(figures.get(i)).draw(image, scale, i % columns * width, i / columns * height);
    }
    return encoded(image);
  }

  private void draw(BufferedImage image, double scale, int left, int top) {
    Graphics2D g = image.createGraphics();
    g.scale(scale, scale);
    g.translate(left, top);
    g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    g.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    chart().draw(g, new Rectangle2D.Double(0, 0, figure.width() + 1, figure.height()));
    g.dispose();
  }

  private static byte[] encoded(BufferedImage image) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
    ImageWriteParam small = writer.getDefaultWriteParam();
    small.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
    small.setCompressionQuality(0); // a tenth fewer bytes
    try (ImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
      writer.setOutput(stream);
      writer.write(null, new IIOImage(FewColours.of(image), null, null), small);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      writer.dispose();
    }
    return out.toByteArray();
  }

  private JFreeChart chart() {
    XYPlot plot = plot();
    plot.setOutlineVisible(false);
    plot.setBackgroundPaint(Palette.NONE);
    JFreeChart chart = new JFreeChart(null, null, plot, false);
    chart.setBackgroundPaint(Palette.NONE);
    double left = plot.getDomainAxis() instanceof NameAxis names ? names.overhang(figure) : 0;
    plot.setInsets(new RectangleInsets(4, 8 + left, 4, 8));
    chart.setPadding(new RectangleInsets(6, 6, 4, 16));
    if (font == null) return chart;
    if (!figure.title().isEmpty()) {
      Font bold = font.deriveFont(Font.BOLD, font.getSize2D() * 1.17f);
      TextTitle title = new TextTitle(Printable.line(figure.title()), bold);
      title.setPaint(Palette.INK);
      title.setHorizontalAlignment(HorizontalAlignment.LEFT);
      title.setTextAlignment(HorizontalAlignment.LEFT);
      chart.setTitle(title);
    }
    if (figure.series().size() > 1 && !figure.named()) {
      chart.addLegend(legend());
    }
    return chart;
  }

  private LegendTitle legend() {
    LegendItemCollection items = new LegendItemCollection();
    Set<String> named = new HashSet<>();
    for (int i = 0; i < figure.series().size(); i++) {
      if (named.add(figure.series().get(i).name())) items.add(legendItem(i));
    }
    LegendTitle legend =
        new LegendTitle(
            () -> items,
            new FlowArrangement(HorizontalAlignment.LEFT, VerticalAlignment.CENTER, 10, 2),
            new ColumnArrangement());
    legend.setItemFont(font);
    legend.setItemPaint(Palette.INK);
    legend.setPosition(RectangleEdge.TOP);
    legend.setHorizontalAlignment(HorizontalAlignment.LEFT);
    return legend;
  }

  private LegendItem legendItem(int index) {
    Series series = figure.series().get(index);
    String name = Printable.line(series.name());
    Color color = colours.get(index);
    return switch (series.kind()) {
      case BAR, AREA ->
          new LegendItem(name, null, null, null, new Rectangle2D.Double(-6, -5, 12, 10), color);
      case SCATTER -> new LegendItem(name, null, null, null, dot(4), color);
      default -> {
        Shape line = new Line2D.Double(-10, 0, 10, 0);
        yield new LegendItem(name, null, null, null, line, stroke(series.kind()), color);
      }
    };
  }

  private static Shape dot(double radius) {
    return new Ellipse2D.Double(-radius, -radius, 2 * radius, 2 * radius);
  }

  private static BasicStroke stroke(Kind kind) {
    boolean dashed = kind == Kind.DASHED || kind == Kind.LEVEL;
    return dashed
        ? new BasicStroke(1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, DASH, 0)
        : new BasicStroke(1.8f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
  }

  private ValueMarker marker(int index) {
    double place = figure.y().place(figure.series().get(index).y()[0]);
    return new ValueMarker(
        place, colours.get(index), stroke(Kind.LEVEL), null, null, 1); // fully opaque
  }

  private long count(Kind kind) {
    return figure.series().stream().filter(s -> s.kind() == kind).count();
  }

  private XYPlot plot() {
    boolean bars = !figure.categories().isEmpty();
    PlacedAxis x = bars ? new NameAxis(figure, font) : new PlacedAxis(figure.x(), font);
    PlacedAxis y = new PlacedAxis(figure.y(), font);
    fit(x, y);
    double end = x.getUpperBound();
    if (figure.named() && font != null) x.setRange(x.getLowerBound(), end + roomForNames(x));
    x.setAxisLineVisible(true);
    x.setTickMarksVisible(!bars);
    XYPlot plot = new XYPlot(null, x, y, new XYLineAndShapeRenderer());
    plot.setDomainGridlinesVisible(!bars && figure.x().scale() != Axis.Scale.LINEAR);
    plot.setDomainGridlinePaint(Palette.GRID);
    plot.setDomainGridlineStroke(THIN);
    plot.setRangeGridlinePaint(Palette.GRID);
    plot.setRangeGridlineStroke(THIN);
    plot.setAxisOffset(RectangleInsets.ZERO_INSETS);
    plot.setDatasetRenderingOrder(DatasetRenderingOrder.FORWARD);
    List<double[]> bases = figure.bases();
    int all = figure.series().size();
    double shift = figure.stack() ? 0 : (1 - count(Kind.BAR)) * barWidth() / 2;
    double floor = figure.y().scale() == Axis.Scale.LINEAR ? 0 : y.getLowerBound();
    for (int i = 0; i < all; i++) {
      Series series = figure.series().get(i);
      if (series.kind() == Kind.LEVEL) {
        plot.addRangeMarker(marker(i));
        continue;
      }
      boolean bar = series.kind() == Kind.BAR;
      // Areas reach down to zero: the upper ones are drawn first, and what else there is later.
      int order = series.kind() == Kind.AREA ? all - i : all + i;
      plot.setDataset(order, placed(series, bases.get(i), bar ? shift : 0, floor));
      plot.setRenderer(order, renderer(series, colours.get(i)));
      if (bar && !figure.stack()) shift += barWidth();
    }
    if (font != null) addTexts(plot, x, y, end);
    return plot;
  }

  /** What the longest name takes of the horizontal axis, in places. */
  private double roomForNames(PlacedAxis x) {
    double longest =
        figure.series().stream()
            .mapToDouble(s -> NameAxis.width(font, Printable.line(s.name())))
            .max()
            .orElse(0);
    return x.getRange().getLength() * (longest + 8) / (figure.width() - 110 - longest);
  }

  /** What a text takes of the horizontal axis, in places. */
  private double room(PlacedAxis x, String text) {
    double pixels = NameAxis.width(font, Printable.line(text));
    return x.getRange().getLength() * pixels / (figure.width() - 110);
  }

  private void addTexts(XYPlot plot, PlacedAxis x, PlacedAxis y, double end) {
    for (int i = 0; i < figure.marks().size(); i++) {
      Mark mark = figure.marks().get(i);
      double from = figure.x().place(mark.from());
      if (mark.isSpan()) {
        Color shade = i % 2 == 0 ? Palette.SHADE : Palette.NONE;
        IntervalMarker span = new IntervalMarker(from, figure.x().place(mark.to()), shade);
        plot.addDomainMarker(span, Layer.BACKGROUND);
      }
      double at = (from + figure.x().place(mark.to())) / 2;
      double above = mark.isSpan() ? y.getUpperBound() : figure.y().place(mark.y());
      TextAnchor anchor = mark.isSpan() ? TextAnchor.TOP_CENTER : TextAnchor.BOTTOM_CENTER;
      if (mark.isSpan() && at + room(x, mark.text()) / 2 > x.getUpperBound()) {
        at = x.getUpperBound(); // of a short stretch at the end
        anchor = TextAnchor.TOP_RIGHT;
      }
      if (!mark.isSpan() && at > x.getLowerBound() + 0.8 * x.getRange().getLength()) {
        anchor = TextAnchor.BOTTOM_RIGHT;
      }
      plot.addAnnotation(text(mark.text(), at, above, anchor, Palette.INK));
    }
    if (!figure.named()) return;
    for (EndLabels.Label label : EndLabels.of(figure)) {
      String name = figure.series().get(label.series()).name();
      Color colour = colours.get(label.series());
      plot.addAnnotation(text(name, end, label.place(), TextAnchor.CENTER_LEFT, colour));
    }
  }

  private XYTextAnnotation text(String text, double x, double y, TextAnchor anchor, Color colour) {
    XYTextAnnotation annotation = new XYTextAnnotation(Printable.line(text), x, y);
    annotation.setFont(font);
    annotation.setPaint(colour);
    annotation.setTextAnchor(anchor);
    return annotation;
  }

  /** Gives the axes their ranges: bars and areas start at zero. */
  void fit(PlacedAxis x, PlacedAxis y) {
    DoubleStream.Builder across = DoubleStream.builder();
    DoubleStream.Builder upwards = DoubleStream.builder();
    List<double[]> bases = figure.bases();
    for (int i = 0; i < bases.size(); i++) {
      Series series = figure.series().get(i);
      for (int j = 0; j < series.y().length; j++) {
        if (series.kind() != Kind.LEVEL) across.add(figure.x().place(series.x()[j]));
        upwards.add(figure.y().place(series.y()[j] + bases.get(i)[j]));
      }
    }
    boolean zero =
        figure.y().scale() == Axis.Scale.LINEAR && count(Kind.BAR) + count(Kind.AREA) > 0;
    if (zero) upwards.add(0);
    x.fit(across.build(), 0.02, 0.02);
    y.fit(upwards.build(), zero ? 0 : 0.05, figure.marks().isEmpty() ? 0.08 : 0.2);
  }

  /** The points of a series, {@code shift} to the right, and the bars that stand at them. */
  private XYIntervalSeriesCollection placed(
      Series series, double[] base, double shift, double floor) {
    XYIntervalSeries placed = new XYIntervalSeries(series.name(), false, true);
    double half = barWidth() / 2;
    for (int i = 0; i < base.length; i++) {
      double y = series.y()[i];
      if (series.kind() == Kind.AREA && !Double.isFinite(y)) y = 0;
      double x = figure.x().place(series.x()[i]) + shift;
      double top = figure.y().place(base[i] + y);
      double bottom = base[i] == 0 ? floor : figure.y().place(base[i]);
      placed.add(x, x - half, x + half, top, bottom, top);
    }
    XYIntervalSeriesCollection collection = new XYIntervalSeriesCollection();
    collection.addSeries(placed);
    return collection;
  }

  private XYItemRenderer renderer(Series series, Color color) {
    boolean whole = Arrays.stream(series.x()).noneMatch(Double::isNaN);
    boolean few = whole && series.x().length <= 30 && figure.width() > 400;
    XYItemRenderer renderer =
        switch (series.kind()) {
          case BAR -> bars(series);
          case AREA -> new XYStepAreaRenderer(XYStepAreaRenderer.AREA);
          case STEP -> new XYStepRenderer();
          case SCATTER -> new XYLineAndShapeRenderer(false, true);
          default -> {
            XYLineAndShapeRenderer line = new XYLineAndShapeRenderer(true, few);
            line.setDrawSeriesLineAsPath(true);
            yield line;
          }
        };
    renderer.setSeriesPaint(0, color);
    renderer.setSeriesStroke(0, stroke(series.kind()));
    renderer.setSeriesShape(0, dot(3));
    return renderer;
  }

  /** The width of a bar, where a category has 1. */
  private double barWidth() {
    long sets = figure.stack() ? 1 : count(Kind.BAR);
    return Math.min(0.72 / sets, 90 / NameAxis.slot(figure));
  }

  /** Bars, with their values above where they stand alone and have room. */
  private XYBarRenderer bars(Series series) {
    XYBarRenderer renderer = new XYBarRenderer();
    renderer.setBarPainter(new StandardXYBarPainter());
    renderer.setShadowVisible(false);
    renderer.setUseYInterval(true);
    boolean alone = font != null && (!figure.stack() || count(Kind.BAR) == 1);
    double width = barWidth() * NameAxis.slot(figure) + 6;
    if (alone
        && Arrays.stream(series.y())
            .allMatch(y -> NameAxis.width(font, Ticks.number(y)) <= width)) {
      renderer.setDefaultItemLabelGenerator((_, _, item) -> Ticks.number(series.y()[item]));
      renderer.setDefaultItemLabelsVisible(true);
      renderer.setDefaultItemLabelFont(font);
      renderer.setDefaultItemLabelPaint(Palette.INK);
    }
    return renderer;
  }
}
