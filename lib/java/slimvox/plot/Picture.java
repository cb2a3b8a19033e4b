package slimvox.plot;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.GraphicsEnvironment;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.font.FontRenderContext;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.LegendItem;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.CategoryAxis;
import org.jfree.chart.axis.CategoryLabelPositions;
import org.jfree.chart.block.ColumnArrangement;
import org.jfree.chart.block.FlowArrangement;
import org.jfree.chart.labels.StandardCategoryItemLabelGenerator;
import org.jfree.chart.plot.CategoryPlot;
import org.jfree.chart.plot.DatasetRenderingOrder;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.category.BarRenderer;
import org.jfree.chart.renderer.category.CategoryItemRenderer;
import org.jfree.chart.renderer.category.LineAndShapeRenderer;
import org.jfree.chart.renderer.category.StandardBarPainter;
import org.jfree.chart.renderer.xy.XYItemRenderer;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.renderer.xy.XYStepAreaRenderer;
import org.jfree.chart.renderer.xy.XYStepRenderer;
import org.jfree.chart.title.LegendTitle;
import org.jfree.chart.title.TextTitle;
import org.jfree.chart.ui.HorizontalAlignment;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.chart.ui.VerticalAlignment;
import org.jfree.data.category.CategoryDataset;
import org.jfree.data.category.DefaultCategoryDataset;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;
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
  private static final FontRenderContext FRACTIONAL = new FontRenderContext(null, true, true);

  /** Of the slot of a category, bars take this part. */
  private static final double BARS = 0.72;

  private static final List<String> FAMILIES = List.of("DejaVu Sans", "Verdana", "Arial");
  private static final Font FONT = findFont();

  private final Figure figure;
  private final Font font; // null on a machine without fonts

  Picture(Figure figure) {
    this(figure, FONT);
  }

  /** For tests: {@code font} null is a machine without fonts. */
  Picture(Figure figure, Font font) {
    this.figure = figure;
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
      font.getStringBounds("x", FRACTIONAL);
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
            BufferedImage.TYPE_INT_RGB);
    Graphics2D g = image.createGraphics();
    g.scale(scale, scale);
    g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    g.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    chart().draw(g, new Rectangle2D.Double(0, 0, figure.width() + 1, figure.height()));
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

  private JFreeChart chart() {
    Plot plot = figure.categories().isEmpty() ? points() : categories();
    plot.setOutlineVisible(false);
    plot.setBackgroundPaint(Color.WHITE);
    JFreeChart chart = new JFreeChart(null, null, plot, false);
    chart.setBackgroundPaint(Color.WHITE);
    chart.setPadding(new RectangleInsets(6, 6, 4, 16));
    if (font == null) return chart;
    if (!figure.title().isEmpty()) {
      Font bold = font.deriveFont(Font.BOLD, font.getSize2D() * 1.17f);
      TextTitle title = new TextTitle(Printable.line(figure.title()), bold);
      title.setPaint(Palette.INK);
      title.setHorizontalAlignment(HorizontalAlignment.LEFT);
      chart.setTitle(title);
    }
    if (figure.series().size() > 1) chart.addLegend(legend());
    return chart;
  }

  private LegendTitle legend() {
    LegendItemCollection items = new LegendItemCollection();
    for (int i = 0; i < figure.series().size(); i++) items.add(legendItem(i));
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
    Color color = Palette.series(index);
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
        place, Palette.series(index), stroke(Kind.LEVEL), null, null, 1); // fully opaque
  }

  private double[] levels() {
    return figure.series().stream()
        .filter(s -> s.kind() == Kind.LEVEL)
        .mapToDouble(s -> figure.y().place(s.y()[0]))
        .toArray();
  }

  private boolean has(Kind kind) {
    return figure.series().stream().anyMatch(s -> s.kind() == kind);
  }

  private boolean fromZero() {
    return figure.y().scale() == Axis.Scale.LINEAR && (has(Kind.BAR) || has(Kind.AREA));
  }

  private XYPlot points() {
    PlacedAxis x = new PlacedAxis(figure.x(), font, false);
    PlacedAxis y = new PlacedAxis(figure.y(), font, fromZero());
    x.setLowerMargin(0.02);
    x.setUpperMargin(0.02);
    x.setAxisLineVisible(true);
    x.setTickMarksVisible(true);
    XYPlot plot = new XYPlot(null, x, y, new XYLineAndShapeRenderer());
    plot.setDomainGridlinesVisible(figure.x().scale() != Axis.Scale.LINEAR);
    plot.setDomainGridlinePaint(Palette.GRID);
    plot.setDomainGridlineStroke(THIN);
    plot.setRangeGridlinePaint(Palette.GRID);
    plot.setRangeGridlineStroke(THIN);
    plot.setAxisOffset(RectangleInsets.ZERO_INSETS);
    plot.setDatasetRenderingOrder(DatasetRenderingOrder.FORWARD);
    List<double[]> bases = figure.bases();
    int all = figure.series().size();
    for (int i = 0; i < all; i++) {
      Series series = figure.series().get(i);
      if (series.kind() == Kind.LEVEL) {
        plot.addRangeMarker(marker(i));
        continue;
      }
      // Areas reach down to zero: the upper ones are drawn first, and whatever else above them.
      int order = series.kind() == Kind.AREA ? all - i : all + i;
      plot.setDataset(order, new XYSeriesCollection(placed(series, bases.get(i))));
      plot.setRenderer(order, renderer(series, Palette.series(i)));
    }
    x.fit();
    y.fit(levels());
    return plot;
  }

  private XYSeries placed(Series series, double[] base) {
    XYSeries placed = new XYSeries(series.name(), false);
    for (int i = 0; i < base.length; i++) {
      double y = series.y()[i];
      if (series.kind() == Kind.AREA && !Double.isFinite(y)) y = 0;
      placed.add(figure.x().place(series.x()[i]), figure.y().place(base[i] + y));
    }
    return placed;
  }

  private XYItemRenderer renderer(Series series, Color color) {
    boolean few = series.x().length <= 30 && figure.width() > 400;
    XYItemRenderer renderer =
        switch (series.kind()) {
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

  private CategoryPlot categories() {
    PlacedAxis y = new PlacedAxis(figure.y(), font, fromZero());
    DefaultCategoryDataset sideBySide = new DefaultCategoryDataset();
    BarRenderer bars = bars();
    CategoryPlot plot = new CategoryPlot(sideBySide, names(), y, bars);
    plot.setRangeGridlinePaint(Palette.GRID);
    plot.setRangeGridlineStroke(THIN);
    plot.setAxisOffset(RectangleInsets.ZERO_INSETS);
    plot.setDatasetRenderingOrder(DatasetRenderingOrder.FORWARD);
    List<double[]> bases = figure.bases();
    int all = figure.series().size();
    List<BarRenderer> stacked = new ArrayList<>();
    for (int i = 0; i < all; i++) {
      Series series = figure.series().get(i);
      Kind kind = series.kind();
      if (kind == Kind.LEVEL) {
        plot.addRangeMarker(marker(i));
      } else if (kind == Kind.BAR && !figure.stack()) {
        bars.setSeriesPaint(sideBySide.getRowCount(), Palette.series(i));
        add(series, bases.get(i), sideBySide);
      } else {
        DefaultCategoryDataset own = new DefaultCategoryDataset();
        add(series, bases.get(i), own);
        BarRenderer bar = bars();
        stacked.add(bar);
        CategoryItemRenderer renderer =
            kind == Kind.BAR ? bar : new LineAndShapeRenderer(kind != Kind.SCATTER, true);
        renderer.setSeriesPaint(0, Palette.series(i));
        renderer.setSeriesStroke(0, stroke(kind));
        renderer.setSeriesShape(0, dot(3));
        int order = kind == Kind.BAR ? all - i : all + i; // bars reach down to zero, as areas do
        plot.setDataset(order, own);
        plot.setRenderer(order, renderer);
      }
    }
    y.fit(levels());
    stacked.add(bars);
    if (!fromZero()) stacked.forEach(bar -> bar.setBase(y.getLowerBound()));
    if (font != null) writeValues(bars);
    return plot;
  }

  private BarRenderer bars() {
    BarRenderer bars = new BarRenderer();
    bars.setBarPainter(new StandardBarPainter());
    bars.setShadowVisible(false);
    bars.setItemMargin(0);
    bars.setMaximumBarWidth(90.0 / figure.width());
    bars.setIncludeBaseInRange(fromZero());
    return bars;
  }

  /** A category by number: two may have the same name. */
  private record Category(int index, String name) implements Comparable<Category> {
    @Override
    public int compareTo(Category other) {
      return Integer.compare(index, other.index);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private void add(Series series, double[] base, DefaultCategoryDataset places) {
    int row = places.getRowCount();
    for (int i = 0; i < base.length; i++) {
      int category = (int) series.x()[i];
      String name = Printable.line(figure.categories().get(category));
      double place = figure.y().place(base[i] + series.y()[i]);
      Double height = Double.isNaN(place) ? null : Double.valueOf(place);
      places.addValue(height, Integer.valueOf(row), new Category(category, name));
    }
  }

  /** The axis of the names under bars: in lines of words where they fit, else slanted. */
  private CategoryAxis names() {
    CategoryAxis names = new CategoryAxis();
    PlacedAxis.style(names, font);
    names.setTickLabelPaint(Palette.INK);
    names.setTickMarksVisible(false);
    names.setLowerMargin((1 - BARS) / 2 / figure.categories().size());
    names.setUpperMargin((1 - BARS) / 2 / figure.categories().size());
    names.setCategoryMargin((1 - BARS) * (1 - 1.0 / figure.categories().size()));
    names.setMaximumCategoryLabelLines(5);
    if (font == null) return names;
    if (!figure.x().label().isEmpty()) names.setLabel(Printable.line(figure.x().label()));
    boolean slanted =
        figure.categories().stream()
            .flatMap(name -> Arrays.stream(name.split(" ")))
            .anyMatch(word -> textWidth(word) > slot() - 6);
    if (slanted) {
      names.setCategoryLabelPositions(
          CategoryLabelPositions.createUpRotationLabelPositions(Math.PI / 6));
    }
    return names;
  }

  /** Writes the values above bars that stand alone, where there is room for them. */
  private void writeValues(BarRenderer bars) {
    List<Series> sets = figure.series().stream().filter(s -> s.kind() == Kind.BAR).toList();
    double width = Math.min(90, BARS * slot() / sets.size());
    boolean room =
        sets.stream()
            .flatMapToDouble(s -> Arrays.stream(s.y()))
            .allMatch(y -> textWidth(Ticks.number(y)) <= width + 6);
    if (!room) return;
    bars.setDefaultItemLabelGenerator(
        new StandardCategoryItemLabelGenerator() {
          @Override
          public String generateLabel(CategoryDataset data, int row, int column) {
            return Ticks.number(sets.get(row).y()[column]);
          }
        });
    bars.setDefaultItemLabelsVisible(true);
    bars.setDefaultItemLabelFont(font);
    bars.setDefaultItemLabelPaint(Palette.INK);
  }

  /** The width that each category has, about. */
  private double slot() {
    return (figure.width() - 75.0) / Math.max(1, figure.categories().size());
  }

  private double textWidth(String text) {
    return font.getStringBounds(text, FRACTIONAL).getWidth();
  }
}
