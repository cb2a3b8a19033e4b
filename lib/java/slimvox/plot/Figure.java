package slimvox.plot;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import slimvox.plot.Series.Kind;

/**
 * A figure: a title, two axes and some series. It is built once and drawn twice, as an interactive
 * Plotly page and as a static picture, so that it can be read where no script runs.
 *
 * <p>Every method returns a new figure; the original does not change.
 *
 * <pre>{@code
 * Figure loss = Figure.of("Training loss").x("step").y(Axis.log("loss"))
 *     .line("float", steps, losses).dashed("binary", steps, binaryLosses);
 * Figure memory = Figure.of("Where memory goes").y("MiB")
 *     .bars("activations", models, mib).bars("gradients", models, mib2).stacked();
 * }</pre>
 *
 * @param title one line above the figure
 * @param x the horizontal axis
 * @param y the vertical axis
 * @param series what is drawn, the first one lowest
 * @param categories the names under bars; empty where there are none
 * @param stack whether bars of one category stand on each other instead of side by side
 * @param marks stretches of the horizontal axis and points that have a text
 * @param named whether series are named at their last points instead of in a legend
 * @param width in pixels of the page
 * @param height in pixels of the page
 */
public record Figure(
    String title,
    Axis x,
    Axis y,
    List<Series> series,
    List<String> categories,
    boolean stack,
    List<Mark> marks,
    boolean named,
    int width,
    int height) {

  /** Copies the lists. */
  public Figure {
    series = List.copyOf(series);
    categories = List.copyOf(categories);
    marks = List.copyOf(marks);
  }

  /** An empty figure of 720 x 420 pixels with linear axes. */
  public static Figure of(String title) {
    Axis none = Axis.linear("");
    return new Figure(title, none, none, List.of(), List.of(), false, List.of(), false, 720, 420);
  }

  /**
   * An empty square figure with the axes of a DET curve, from 0.1 to 60 %: points are (false
   * alarms, misses), both as fractions.
   */
  public static Figure det(String title) {
    double[] ends = {0.001, 0.6};
    return of(title)
        .x(Axis.probit("false alarms (%)").range(ends[0], ends[1]))
        .y(Axis.probit("misses (%)").range(ends[0], ends[1]))
        .size(560, 520)
        .dashed("equal errors", ends, ends);
  }

  /** The same figure with another title. */
  public Figure title(String title) {
    return new Figure(title, x, y, series, categories, stack, marks, named, width, height);
  }

  /** The same figure with a linear horizontal axis that has this label. */
  public Figure x(String label) {
    return x(Axis.linear(label));
  }

  /** The same figure with this horizontal axis. */
  public Figure x(Axis axis) {
    return new Figure(title, axis, y, series, categories, stack, marks, named, width, height);
  }

  /** The same figure with a linear vertical axis that has this label. */
  public Figure y(String label) {
    return y(Axis.linear(label));
  }

  /** The same figure with this vertical axis. */
  public Figure y(Axis axis) {
    return new Figure(title, x, axis, series, categories, stack, marks, named, width, height);
  }

  /** The same figure in another size, in pixels of the page. */
  public Figure size(int width, int height) {
    return new Figure(title, x, y, series, categories, stack, marks, named, width, height);
  }

  /** The same figure with the bars of one category on top of each other. */
  public Figure stacked() {
    return new Figure(title, x, y, series, categories, true, marks, named, width, height);
  }

  /** The same figure with the name of each series at its last point, and no legend. */
  public Figure labelled() {
    return new Figure(title, x, y, series, categories, stack, marks, true, width, height);
  }

  /** Shades the horizontal axis between two values and writes a text above. */
  public Figure span(String text, double from, double to) {
    return with(new Mark(text, from, to, Double.NaN));
  }

  /** Writes a text at a point. */
  public Figure note(String text, double x, double y) {
    return with(new Mark(text, x, x, y));
  }

  private Figure with(Mark added) {
    List<Mark> all = new ArrayList<>(marks);
    all.add(added);
    return new Figure(title, x, y, series, categories, stack, all, named, width, height);
  }

  /** Adds points joined by lines. */
  public Figure line(String name, double[] x, double[] y) {
    return with(new Series(Kind.LINE, name, x.clone(), y.clone()));
  }

  /** Adds points joined by lines, at x = 1, 2, 3, ... */
  public Figure line(String name, double... y) {
    return line(name, IntStream.rangeClosed(1, y.length).asDoubleStream().toArray(), y);
  }

  /** Adds points joined by a dashed line. */
  public Figure dashed(String name, double[] x, double[] y) {
    return with(new Series(Kind.DASHED, name, x.clone(), y.clone()));
  }

  /** Adds a line of steps: each value holds until the next point. */
  public Figure step(String name, double[] x, double[] y) {
    return with(new Series(Kind.STEP, name, x.clone(), y.clone()));
  }

  /** Adds points on their own. */
  public Figure scatter(String name, double[] x, double[] y) {
    return with(new Series(Kind.SCATTER, name, x.clone(), y.clone()));
  }

  /** Adds one dot for each name: a row for a name from top to bottom, values to the right. */
  public Figure dots(String name, String[] names, double[] values) {
    return scatter(name, values, rows(names, 0)).y(rowAxis(names));
  }

  /**
   * Adds a dot and a line from {@code low} to {@code high} for each name, such as an interval.
   *
   * @param up how far above the middle of its row, which is 1 high
   */
  public Figure intervals(
      String name, double up, String[] names, double[] values, double[] low, double[] high) {
    double[] rows = rows(names, up);
    return scatter(name, values, rows).stretches(name, low, high, rows).y(rowAxis(names));
  }

  private static double[] rows(String[] names, double up) {
    return IntStream.range(0, names.length).mapToDouble(i -> names.length - i + up).toArray();
  }

  private static Axis rowAxis(String[] names) {
    return Axis.linear("").ticks(rows(names, 0), names).range(0.4, names.length + 0.6);
  }

  /** Adds a horizontal line from {@code from} to {@code to} at each y, such as a span of time. */
  public Figure stretches(String name, double[] from, double[] to, double[] y) {
    double[] ends = new double[3 * y.length];
    double[] at = new double[3 * y.length];
    for (int i = 0; i < y.length; i++) {
      ends[3 * i] = from[i];
      ends[3 * i + 1] = to[i];
      ends[3 * i + 2] = Double.NaN; // the line breaks here
      Arrays.fill(at, 3 * i, 3 * i + 3, y[i]);
    }
    return line(name, ends, at);
  }

  /** Adds an area of steps on the areas added before it, which must have the same x values. */
  public Figure area(String name, double[] x, double[] y) {
    for (Series s : series) {
      if (s.kind() == Kind.AREA && !Arrays.equals(s.x(), x)) {
        throw new IllegalArgumentException(
            "area '%s' has other x values than area '%s'".formatted(name, s.name()));
      }
    }
    return with(new Series(Kind.AREA, name, x.clone(), y.clone()));
  }

  /** Adds a dashed horizontal line at {@code y}, for example the memory of a device. */
  public Figure level(String name, double y) {
    return with(new Series(Kind.LEVEL, name, new double[] {0}, new double[] {y}));
  }

  /** Adds one bar for each category; an earlier series must have the same. */
  public Figure bars(String name, String[] categories, double[] values) {
    List<String> names = List.of(categories);
    if (!this.categories.isEmpty() && !this.categories.equals(names)) {
      throw new IllegalArgumentException(
          "bars '%s' have the categories %s, but the figure has %s"
              .formatted(name, names, this.categories));
    }
    double[] places = IntStream.range(0, names.size()).asDoubleStream().toArray();
    Figure figure = with(new Series(Kind.BAR, name, places, values.clone()));
    return new Figure(title, x, y, figure.series, names, stack, marks, named, width, height);
  }

  private Figure with(Series added) {
    List<Series> all = new ArrayList<>(series);
    all.add(added);
    return new Figure(title, x, y, all, categories, stack, marks, named, width, height);
  }

  /**
   * For each series the values it starts from: the sum of the areas or stacked bars below it, else
   * 0.
   */
  List<double[]> bases() {
    List<double[]> bases = new ArrayList<>();
    double[] areas = null;
    double[] bars = new double[categories.size()];
    for (Series s : series) {
      double[] base = new double[s.y().length];
      if (s.kind() == Kind.AREA) {
        if (areas == null) areas = new double[base.length];
        base = addTo(areas, s.y());
      } else if (s.kind() == Kind.BAR && stack) {
        base = addTo(bars, s.y());
      }
      bases.add(base);
    }
    return bases;
  }

  private static double[] addTo(double[] sum, double[] values) {
    double[] before = sum.clone();
    for (int i = 0; i < values.length; i++) {
      if (Double.isFinite(values[i])) sum[i] += values[i];
    }
    return before;
  }

  /** What the figure shows in one sentence: axes, and the range of each series. */
  public String caption() {
    return Caption.of(this);
  }

  /** The figure as a static PNG picture, with more pixels than the page for sharp text. */
  public byte[] png() {
    return png(1.5);
  }

  /** The figure as a static PNG picture, {@code scale} picture pixels to a page pixel. */
  public byte[] png(double scale) {
    return new Picture(this).png(scale);
  }

  /**
   * The figure as a piece of HTML for Plotly. It draws itself as soon as {@link PlotlyPage#script}
   * has run in the same page, before or after it.
   *
   * @param id the id of its element, unique in the page
   */
  public String html(String id) {
    return PlotlyPage.html(Gallery.of(this), id);
  }
}
