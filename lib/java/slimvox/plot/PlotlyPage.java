package slimvox.plot;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.Color;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import slimvox.plot.Series.Kind;
import slimvox.storage.Printable;

/**
 * Interactive figures: a {@link Gallery} as HTML, drawn by Plotly (plotly.js basic 2.35.2, MIT
 * licence).
 *
 * <p>A notebook does not store the library. {@link #script} finds it: in the page itself, where
 * {@code notebooks/lab --run} writes it, or beside JupyterLab, where {@code notebooks/lab} installs
 * it. Nothing is fetched from another machine; without the library the static picture stays.
 */
public final class PlotlyPage {
  /** The width that titles, legends and names are cut for, in pixels: a narrow page. */
  private static final int WIDTH = 640;

  private static final double LETTER = 6.8; // the mean width of one, in pixels
  private static final int TITLE = 65; // letters of a line
  private static final int LINE = 20;
  private static final String LIGHT = "rgba(128,128,128,0.12)";
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String SCRIPT = script("page.html");

  private PlotlyPage() {}

  private static String script(String name) {
    try (InputStream in = PlotlyPage.class.getResourceAsStream("/slimvox/plot/" + name)) {
      String script = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      return script.replaceAll("\n +", "\n"); // each figure stores it
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The script that brings Plotly into a page and draws the figures that wait for it, in the
   * colours of the page and as wide as there is room, and the style of a printed page, which has
   * the static pictures; the second time in a page it does nothing.
   */
  public static String script() {
    return SCRIPT;
  }

  static String html(Gallery gallery, String id) {
    Figure first = gallery.figures().getFirst();
    return waiting(id, gallery.caption(), first.width(), json(figure(gallery)));
  }

  /**
   * A drawing that another library does with Plotly, as a piece of HTML like {@link Figure#html}.
   *
   * @param id of its element
   * @param caption what it shows
   * @param script a script element that draws into the element
   */
  public static String foreign(String id, String caption, String script) {
    String code = script.replaceAll("</?script>", "");
    return waiting(id, caption, WIDTH, "function () {" + code + "}");
  }

  /** An element without height: where no script runs it leaves no hole. */
  private static String waiting(String id, String caption, int width, String figure) {
    return """
    <div id="%s" role="img" aria-label="%s" style="width:100%%;max-width:%dpx"></div>
    <script>
    (function () {
      var page = window.slimvoxFigures = window.slimvoxFigures || {waiting: []};
      page.waiting.push(["%s", %s]);
      if (page.draw) page.draw();
    })();
    </script>
    """
        .formatted(id, attribute(caption), width, id, figure);
  }

  private static String attribute(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }

  /** JSON that ends no script: what HTML and old scripts read otherwise is escaped. */
  static String json(Object value) {
    try {
      StringBuilder safe = new StringBuilder();
      for (char c : JSON.writeValueAsString(value).toCharArray()) {
        if ("<>&'\u2028\u2029".indexOf(c) < 0) safe.append(c);
        else safe.append("\\u%04x".formatted((int) c));
      }
      return safe.toString();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A part of a figure as Plotly's JSON has it, with the values in the places of {@code %s}. */
  private static Map<String, Object> tree(String json, Object... values) {
    try {
      Object[] written = new Object[values.length];
      for (int i = 0; i < values.length; i++) written[i] = JSON.writeValueAsString(values[i]);
      return JSON.readValue(json.formatted(written), new TypeReference<>() {});
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A text that stays one: Plotly itself knows some HTML. */
  private static String plain(String text) {
    return Printable.line(text).replace("&", "&#38;").replace("<", "&#60;").replace(">", "&#62;");
  }

  private static List<String> plain(List<String> texts) {
    return texts.stream().map(PlotlyPage::plain).toList();
  }

  private static Map<String, Object> figure(Gallery gallery) {
    Figure first = gallery.figures().getFirst();
    Map<String, Object> layout = layout(first);
    Map<String, Object> figure = new LinkedHashMap<>();
    figure.put("data", traces(first));
    figure.put("layout", layout);
    figure.put(
        "config",
        Map.of("displaylogo", false, "modeBarButtonsToRemove", List.of("select2d", "lasso2d")));
    if (gallery.figures().size() == 1) return figure;
    List<Map<String, Object>> frames = Frames.of(gallery.figures());
    List<Map<String, Object>> steps = new ArrayList<>();
    Map<String, Object> at =
        tree(
            """
            {"mode": "immediate", "frame": {"duration": 0, "redraw": true},
             "transition": {"duration": 0}}
            """);
    for (int i = 0; i < frames.size(); i++) {
      steps.add(
          Map.of(
              "label", plain(gallery.labels().get(i)),
              "method", "animate",
              "args", List.of(List.of(frames.get(i).get("name")), at)));
    }
    figure.put("frames", frames);
    layout.put("height", (int) layout.get("height") + 80);
    Map<String, Object> margin = new LinkedHashMap<>(margin(first));
    layout.put("margin", margin);
    if (gallery.slider()) {
      margin.put("b", 140);
      layout.put(
          "sliders",
          List.of(
              Map.of(
                  "currentvalue", Map.of("prefix", plain(gallery.what()) + ": "),
                  "pad", Map.of("t", 50),
                  "steps", steps)));
    } else {
      int menu = 40; // between title and legend
      margin.put("t", (int) margin.get("t") + menu);
      double y = 1 + (4.0 + LINE * legendRows(first)) / (first.height() - 120);
      layout.put(
          "updatemenus",
          List.of(
              Map.of("buttons", steps, "x", 0, "xanchor", "left", "y", y, "yanchor", "bottom")));
    }
    return figure;
  }

  private static Map<String, Object> margin(Figure figure) {
    int top = 24 + LINE * (lines(figure.title(), TITLE).size() + legendRows(figure));
    int longest = figure.series().stream().mapToInt(s -> s.name().length()).max().orElse(0);
    int right = figure.named() ? Math.max(40, 15 + (int) (1.1 * LETTER * longest)) : 40;
    return Map.of("t", top, "l", 75, "r", right, "b", 60);
  }

  /** The rows of the legend above the plot, which has columns of one width if there are several. */
  private static int legendRows(Figure figure) {
    if (!hasLegend(figure)) return 0;
    List<Integer> widths =
        figure.series().stream()
            .map(Series::name)
            .distinct()
            .map(name -> 45 + (int) (LETTER * name.length()))
            .toList();
    int room = Math.min(WIDTH, figure.width()) - 115;
    if (widths.stream().mapToInt(w -> w).sum() <= room) return 1;
    return Math.ceilDiv(widths.size(), Math.max(1, room / Collections.max(widths)));
  }

  private static boolean hasLegend(Figure figure) {
    return figure.series().size() > 1 && !figure.named();
  }

  private static List<String> lines(String text, int letters) {
    return NameAxis.lines(Printable.line(text), line -> line.length() <= letters);
  }

  private static String wrapped(String text, int letters) {
    return String.join("<br>", plain(lines(text, letters)));
  }

  static Map<String, Object> layout(Figure figure) {
    Map<String, Object> layout =
        tree(
            """
            {"title": {"text": %s, "font": {"size": 15}, "x": 0.01, "xanchor": "left",
                "yref": "container", "y": 1, "yanchor": "top", "pad": {"t": 16}},
             "font": {"family": "DejaVu Sans, Verdana, Arial, sans-serif", "size": 12},
             "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom",
                "traceorder": "normal"}}
            """,
            wrapped(figure.title(), TITLE));
    layout.put("height", figure.height() + LINE * Math.max(0, legendRows(figure) - 1));
    layout.put("margin", margin(figure));
    layout.put("meta", Map.of("legend", LINE * legendRows(figure)));
    layout.put("barmode", figure.stack() ? "stack" : "group");
    layout.put("showlegend", hasLegend(figure));
    Map<String, Object> x = axis(figure.x(), figure.x().scale() != Axis.Scale.LINEAR);
    // Labels that have no room are hidden, see page.html; names of categories are turned.
    if (figure.categories().isEmpty()) x.put("tickangle", 0);
    else x.put("type", "category");
    layout.put("xaxis", x);
    layout.put("yaxis", axis(figure.y(), true));
    List<Map<String, Object>> texts = new ArrayList<>();
    List<Map<String, Object>> shapes = new ArrayList<>();
    for (int i = 0; i < figure.marks().size(); i++) mark(figure, i, shapes, texts);
    if (figure.named()) texts.addAll(names(figure));
    layout.put("shapes", shapes);
    layout.put("annotations", texts);
    return layout;
  }

  private static Map<String, Object> axis(Axis axis, boolean grid) {
    Map<String, Object> made =
        tree(
            """
            {"title": {"text": %s}, "showgrid": %s, "showline": true, "automargin": true,
             "separatethousands": true, "exponentformat": "power", "minexponent": 5}
            """,
            plain(axis.label()), grid);
    if (axis.scale() == Axis.Scale.LOG) made.put("type", "log");
    if (axis.ticks().length > 0) {
      // On a log axis Plotly takes the places of ticks in data units; it knows no probit axis.
      boolean log = axis.scale() == Axis.Scale.LOG;
      made.put("tickmode", "array");
      made.put(
          "tickvals", log ? axis.ticks() : Arrays.stream(axis.ticks()).map(axis::place).toArray());
      made.put("ticktext", plain(List.of(axis.tickLabels())));
    }
    if (!Double.isNaN(axis.low())) {
      made.put("range", new double[] {axis.place(axis.low()), axis.place(axis.high())});
    }
    return made;
  }

  private static void mark(
      Figure figure, int i, List<Map<String, Object>> shapes, List<Map<String, Object>> texts) {
    Mark mark = figure.marks().get(i);
    Map<String, Object> text = new LinkedHashMap<>();
    text.put("text", plain(mark.text()));
    text.put("x", figure.x().place((mark.from() + mark.to()) / 2));
    if (mark.isSpan()) {
      text.put("yref", "paper");
      text.put("y", 1);
      text.put("showarrow", false);
      text.put("yanchor", "top");
      shapes.add(
          tree(
              """
              {"type": "rect", "layer": "below", "x0": %s, "x1": %s, "yref": "paper",
               "y0": 0, "y1": 1, "line": {"width": 0}, "fillcolor": %s}
              """,
              mark.from(), mark.to(), i % 2 == 0 ? LIGHT : "rgba(0,0,0,0)"));
    } else {
      text.put("y", figure.y().place(mark.y()));
      text.put("arrowsize", 0.6);
      text.put("ax", 0);
      text.put("ay", -28);
    }
    texts.add(text);
  }

  /** The names of series beside their last points. */
  private static List<Map<String, Object>> names(Figure figure) {
    List<Color> colours = Palette.of(figure.series());
    return EndLabels.of(figure).stream()
        .map(
            l ->
                tree(
                    """
                    {"text": %s, "xref": "paper", "x": 1.01, "xanchor": "left", "y": %s,
                     "showarrow": false, "font": {"color": %s}}
                    """,
                    plain(figure.series().get(l.series()).name()),
                    l.place(),
                    Palette.hex(colours.get(l.series()))))
        .toList();
  }

  static List<Map<String, Object>> traces(Figure figure) {
    List<double[]> bases = figure.bases();
    List<Color> colours = Palette.of(figure.series());
    List<Map<String, Object>> traces = new ArrayList<>();
    for (int i = 0; i < bases.size(); i++) {
      Series series = figure.series().get(i);
      Map<String, Object> trace = trace(figure, series, bases.get(i), colours.get(i));
      boolean again =
          figure.series().subList(0, i).stream().anyMatch(s -> s.name().equals(series.name()));
      if (again) trace.put("showlegend", false);
      traces.add(trace);
    }
    return traces;
  }

  private static Map<String, Object> trace(
      Figure figure, Series whole, double[] base, Color color) {
    Series series = Thinning.of(figure, whole);
    Map<String, Object> trace = new LinkedHashMap<>();
    String hex = Palette.hex(color);
    Kind kind = series.kind();
    trace.put("name", plain(series.name()));
    trace.put("x", across(figure, series));
    if (kind == Kind.BAR) {
      trace.put("type", "bar");
      trace.put("y", numbers(series.y()));
      trace.put("marker", Map.of("color", hex));
      if (!figure.stack()) {
        trace.put("text", Arrays.stream(series.y()).mapToObj(Ticks::number).toList());
        trace.put("textposition", "outside");
        trace.put("cliponaxis", false);
      }
      return trace;
    }
    double[] y = series.y().clone();
    for (int i = 0; i < y.length; i++) y[i] += base[i];
    if (kind == Kind.LEVEL) y = new double[] {y[0], y[0]};
    trace.put("type", "scatter");
    trace.put("y", placed(figure.y(), y));
    if (kind == Kind.SCATTER) {
      trace.put("mode", "markers");
      trace.put("marker", Map.of("color", hex, "size", 7));
    } else {
      boolean dashed = kind == Kind.DASHED || kind == Kind.LEVEL;
      boolean steps = kind == Kind.STEP || kind == Kind.AREA;
      trace.put("mode", "lines");
      trace.put(
          "line",
          Map.of(
              "color", hex,
              "width", kind == Kind.AREA ? 0 : 2,
              "dash", dashed ? "dash" : "solid",
              "shape", steps ? "hv" : "linear"));
    }
    if (kind == Kind.AREA) {
      trace.put("fill", "tonexty");
      trace.put("fillcolor", hex);
    }
    if (figure.x().scale() == Axis.Scale.PROBIT || figure.y().scale() == Axis.Scale.PROBIT) {
      trace.put("hoverinfo", "text+name");
      trace.put("text", hover(series));
    }
    return trace;
  }

  /** The horizontal values of a series; a level runs from end to end of what the others cover. */
  private static List<?> across(Figure figure, Series series) {
    boolean level = series.kind() == Kind.LEVEL;
    if (!figure.categories().isEmpty()) {
      int letters = (int) ((WIDTH - 115) / LETTER / figure.categories().size());
      List<String> names = figure.categories().stream().map(n -> wrapped(n, letters)).toList();
      if (level) return List.of(names.getFirst(), names.getLast());
      boolean whole = Arrays.stream(series.x()).allMatch(x -> x == Math.rint(x));
      return whole
          ? Arrays.stream(series.x()).mapToObj(x -> names.get((int) x)).toList()
          : numbers(series.x()); // places between categories, which have the numbers 0, 1, ...
    }
    if (!level) return placed(figure.x(), series.x());
    var all =
        figure.series().stream()
            .filter(s -> s.kind() != Kind.LEVEL)
            .flatMapToDouble(s -> Arrays.stream(s.x()))
            .filter(v -> Double.isFinite(figure.x().place(v)))
            .summaryStatistics();
    double[] ends =
        all.getCount() == 0 ? new double[] {0, 1} : new double[] {all.getMin(), all.getMax()};
    return placed(figure.x(), ends);
  }

  /** Plotly takes logarithms itself; quantiles it does not know. */
  private static List<Number> placed(Axis axis, double[] values) {
    return axis.scale() == Axis.Scale.PROBIT
        ? numbers(Arrays.stream(values).map(axis::place).toArray())
        : numbers(values);
  }

  private static List<Number> numbers(double[] values) {
    return Arrays.stream(values).mapToObj(PlotlyPage::rounded).toList();
  }

  /** Five significant digits: more cannot be seen, and the page is stored with the notebook. */
  private static Number rounded(double value) {
    if (!Double.isFinite(value)) return null;
    double digits = new BigDecimal(value).round(new MathContext(5)).doubleValue();
    if (digits == Math.rint(digits) && Math.abs(digits) < 1e9) return (int) digits;
    return digits;
  }

  private static List<String> hover(Series series) {
    return IntStream.range(0, series.x().length)
        .mapToObj(
            i ->
                "%s %% / %s %%"
                    .formatted(
                        Ticks.number(100 * series.x()[i]), Ticks.number(100 * series.y()[i])))
        .toList();
  }
}
