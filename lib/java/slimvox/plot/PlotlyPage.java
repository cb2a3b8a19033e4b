package slimvox.plot;

import java.awt.Color;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;
import slimvox.plot.Series.Kind;
import slimvox.storage.Printable;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.columns.Column;
import tech.tablesaw.plotly.components.Axis.AxisBuilder;
import tech.tablesaw.plotly.components.Config;
import tech.tablesaw.plotly.components.Layout;
import tech.tablesaw.plotly.components.Layout.BarMode;
import tech.tablesaw.plotly.components.Line;
import tech.tablesaw.plotly.components.Margin;
import tech.tablesaw.plotly.components.Marker;
import tech.tablesaw.plotly.components.TickSettings;
import tech.tablesaw.plotly.traces.BarTrace;
import tech.tablesaw.plotly.traces.ScatterTrace;
import tech.tablesaw.plotly.traces.Trace;

/**
 * Interactive figures: a {@link Figure} as HTML, drawn by Plotly through Tablesaw's wrapper.
 *
 * <p>Nothing is fetched: {@link #script} carries the library itself (plotly.js basic 2.35.2, MIT
 * licence, compressed), once for all figures of a page. A figure whose page lacks it draws nothing.
 */
public final class PlotlyPage {
  private static final String LIBRARY = "plotly-basic-2.35.2.min.js.gz";

  /** So many series fit into a legend of one row above the figure; more stand beside it. */
  private static final int ONE_ROW = 4;

  /** A figure that is drawn hides the static picture in the output after it. */
  private static final String STYLE =
      ".slimvox-drawn + .jp-OutputArea-child { display: none !important; }";

  private PlotlyPage() {}

  /**
   * The script that brings Plotly into a page and draws the figures that wait for it; about 470 kB,
   * the second time in a page it does nothing.
   */
  public static String script() {
    byte[] library;
    try (InputStream in = PlotlyPage.class.getResourceAsStream(LIBRARY)) {
      if (in == null) throw new IllegalStateException("resource missing from the jar: " + LIBRARY);
      library = in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    // Plotly's loader would hand the library to an AMD loader where the page has one, so those
    // names are hidden from it.
    return """
    <script>
    (function () {
      var page = window.slimvoxFigures = window.slimvoxFigures || {waiting: []};
      if (page.loading) return;
      page.loading = true;
      var style = document.createElement("style");
      style.textContent = "%s";
      document.head.appendChild(style);
      var packed = Uint8Array.from(atob("%s"), function (c) { return c.charCodeAt(0); });
      var unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      new Response(unpacked).text().then(function (code) {
        new Function("define", "module", "exports", code)();
        page.ready = true;
        page.waiting.splice(0).forEach(function (draw) { draw(); });
      });
    })();
    </script>
    """
        .formatted(STYLE, Base64.getEncoder().encodeToString(library));
  }

  static String html(Figure figure, String id) {
    String code =
        new tech.tablesaw.plotly.components.Figure(layout(figure), config(), traces(figure))
            .asJavascript(id)
            .replaceFirst("(?s)^\\s*<script>", "")
            .replaceFirst("(?s)</script>\\s*$", "")
            .replaceAll("(?m)^\\s*\n", "")
            .replace("\\\\u", "\\u"); // Tablesaw doubles the backslashes of arrays
    // What Tablesaw's wrapper has no setting for goes into the text it makes.
    code =
        code.replaceFirst(
            "var layout = \\{",
            "var layout = {\n"
                + (figure.series().size() <= ONE_ROW
                    ? "    legend: {orientation: 'h', x: 0, y: 1.01, yanchor: 'bottom'},\n"
                    : "")
                + "    font: {family: 'DejaVu Sans, Verdana, Arial, sans-serif', size: 12},");
    code = numbers(code, figure.categories().isEmpty() ? "[xy]" : "y");
    code = code.replaceAll("([xy]axis): \\{", "$1: {zeroline: false,");
    if (figure.x().scale() == Axis.Scale.PROBIT || figure.y().scale() == Axis.Scale.PROBIT) {
      code = code.replaceAll("(var trace\\d+ =\\s*\\{)", "$1\nhoverinfo: 'text+name',");
    }
    return """
    <div id="%s" style="width:%dpx;height:%dpx;max-width:100%%"></div>
    <script>
    (function () {
      var page = window.slimvoxFigures = window.slimvoxFigures || {waiting: []};
      function draw() {
        var place = document.getElementById("%s");
        if (!place) return;
    %s
        var output = place.closest(".jp-OutputArea-child");
        if (output) output.classList.add("slimvox-drawn");
      }
      if (page.ready) draw(); else page.waiting.push(draw);
    })();
    </script>
    """
        .formatted(id, figure.width(), figure.height(), id, code.strip());
  }

  /**
   * A text as it stands in a script between quotes, the same for Tablesaw's templates, the page and
   * JavaScript: all three take letters, digits, blanks and <code>&#92;u003c</code> as they are. To
   * Plotly, which knows some HTML, it is plain text as well.
   */
  private static String literal(String text) {
    String plain =
        Printable.line(text).replace("&", "&#38;").replace("<", "&#60;").replace(">", "&#62;");
    StringBuilder literal = new StringBuilder();
    for (char c : plain.toCharArray()) {
      boolean safe = Character.isLetterOrDigit(c) || " .,()%+-_".indexOf(c) >= 0;
      if (safe) literal.append(c);
      else literal.append("\\u%04x".formatted((int) c));
    }
    return literal.toString();
  }

  private static String[] literals(List<String> texts) {
    return texts.stream().map(PlotlyPage::literal).toArray(String[]::new);
  }

  /** Takes the numbers of the arrays of this name out of quotes; what is none becomes null. */
  private static String numbers(String code, String arrays) {
    return Pattern.compile("(?m)^" + arrays + ": \\[.*\\],$")
        .matcher(code)
        .replaceAll(
            line ->
                line.group()
                    .replaceAll("\"?(null|NaN|-?Infinity)\"?", "null")
                    .replaceAll("\"([-0-9.Ee]+?)(\\.0)?\"", "$1"));
  }

  private static Config config() {
    return Config.builder().displayLogo(false).responsive(true).build();
  }

  private static Layout layout(Figure figure) {
    int legend = figure.series().size() > 1 && figure.series().size() <= ONE_ROW ? 30 : 0;
    return Layout.builder()
        .title(literal(figure.title()))
        .width(figure.width())
        .height(figure.height())
        .margin(Margin.builder().top(60 + legend).left(75).right(25).bottom(60).build())
        .barMode(figure.stack() ? BarMode.STACK : BarMode.GROUP)
        .showLegend(figure.series().size() > 1)
        .plotBgColor("#ffffff")
        .xAxis(axis(figure.x(), false, !figure.categories().isEmpty()))
        .yAxis(axis(figure.y(), true, false))
        .build();
  }

  private static tech.tablesaw.plotly.components.Axis axis(Axis axis, boolean grid, boolean names) {
    AxisBuilder builder =
        tech.tablesaw.plotly.components.Axis.builder()
            .title(literal(axis.label()))
            .showGrid(grid || axis.scale() != Axis.Scale.LINEAR)
            .gridColor(Palette.hex(Palette.GRID))
            .showLine(true)
            .lineColor(Palette.hex(Palette.SOFT_INK))
            .showZeroLine(false);
    if (names) {
      builder.type(tech.tablesaw.plotly.components.Axis.Type.CATEGORY);
    } else if (axis.scale() == Axis.Scale.LOG) {
      builder.type(tech.tablesaw.plotly.components.Axis.Type.LOG);
    }
    if (axis.ticks().length > 0) {
      // On a log axis Plotly takes the places of ticks in data units; it knows no probit axis.
      double[] places =
          axis.scale() == Axis.Scale.LOG
              ? axis.ticks()
              : Arrays.stream(axis.ticks()).map(axis::place).toArray();
      builder.tickSettings(
          TickSettings.builder()
              .arrayTicks(places, literals(List.of(axis.tickLabels())))
              .tickMode(TickSettings.TickMode.ARRAY)
              .build());
    }
    if (!Double.isNaN(axis.low())) {
      builder.range(axis.place(axis.low()), axis.place(axis.high()));
    }
    return builder.build();
  }

  private static Trace[] traces(Figure figure) {
    List<double[]> bases = figure.bases();
    Trace[] traces = new Trace[figure.series().size()];
    for (int i = 0; i < traces.length; i++) {
      traces[i] = trace(figure, figure.series().get(i), bases.get(i), Palette.series(i));
    }
    return traces;
  }

  private static Trace trace(Figure figure, Series series, double[] base, Color color) {
    String hex = Palette.hex(color);
    Kind kind = series.kind();
    if (kind == Kind.BAR) {
      return BarTrace.builder(literals(figure.categories()), series.y())
          .name(literal(series.name()))
          .marker(Marker.builder().color(hex).build())
          .build();
    }
    double[] y = series.y().clone();
    for (int i = 0; i < y.length; i++) y[i] += base[i];
    if (kind == Kind.LEVEL) {
      y = new double[] {y[0], y[0]};
    }
    DoubleColumn ys = DoubleColumn.create("y", placed(figure.y(), y));
    ScatterTrace.ScatterBuilder builder =
        ScatterTrace.builder(across(figure, series), ys).name(literal(series.name()));
    if (kind == Kind.SCATTER) {
      builder.mode(ScatterTrace.Mode.MARKERS).marker(Marker.builder().color(hex).size(7).build());
    } else {
      boolean dashed = kind == Kind.DASHED || kind == Kind.LEVEL;
      boolean steps = kind == Kind.STEP || kind == Kind.AREA;
      builder
          .mode(ScatterTrace.Mode.LINE)
          .line(
              Line.builder()
                  .color(hex)
                  .width(2)
                  .dash(dashed ? Line.Dash.DASH : Line.Dash.SOLID)
                  .shape(steps ? Line.Shape.HV : Line.Shape.LINEAR)
                  .build());
    }
    if (kind == Kind.AREA) {
      builder.fill(ScatterTrace.Fill.TO_NEXT_Y).fillColor(hex);
    }
    if (figure.x().scale() == Axis.Scale.PROBIT || figure.y().scale() == Axis.Scale.PROBIT) {
      builder.text(hover(series));
    }
    return builder.build();
  }

  /** The horizontal values of a series; a level runs from end to end of what the others cover. */
  private static Column<?> across(Figure figure, Series series) {
    if (!figure.categories().isEmpty()) {
      List<String> names = List.of(literals(figure.categories()));
      return StringColumn.create(
          "x",
          series.kind() == Kind.LEVEL
              ? List.of(names.getFirst(), names.getLast())
              : Arrays.stream(series.x()).mapToObj(x -> names.get((int) x)).toList());
    }
    double[] x = series.x();
    if (series.kind() == Kind.LEVEL) {
      double[] all =
          figure.series().stream()
              .filter(s -> s.kind() != Kind.LEVEL)
              .flatMapToDouble(s -> Arrays.stream(s.x()))
              .filter(v -> Double.isFinite(figure.x().place(v)))
              .toArray();
      x =
          new double[] {
            Arrays.stream(all).min().orElse(0), Arrays.stream(all).max().orElse(1),
          };
    }
    return DoubleColumn.create("x", placed(figure.x(), x));
  }

  /** Plotly takes logarithms itself; quantiles it does not know. */
  private static double[] placed(Axis axis, double[] values) {
    return Arrays.stream(values)
        .map(v -> axis.scale() == Axis.Scale.PROBIT ? axis.place(v) : rounded(v))
        .toArray();
  }

  /** Seven significant digits: more cannot be seen, and the page is stored with the notebook. */
  private static double rounded(double value) {
    return (float) value == 0 || Math.abs(value) > 1e30
        ? value
        : Double.parseDouble(Float.toString((float) value));
  }

  private static String[] hover(Series series) {
    String[] text = new String[series.x().length];
    for (int i = 0; i < text.length; i++) {
      text[i] =
          "%s %% / %s %%"
              .formatted(Ticks.number(100 * series.x()[i]), Ticks.number(100 * series.y()[i]));
    }
    return text;
  }
}
