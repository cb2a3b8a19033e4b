package slimvox.notebook;

import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import slimvox.plot.Figure;
import slimvox.report.Tables;
import slimvox.storage.Printable;

/**
 * A panel that follows a long computation in place: a progress bar, some numbers and a few small
 * plots.
 *
 * <pre>{@code
 * try (LivePanel panel = new LivePanel("Training", steps)) {
 *   for (int step = 1; step <= steps && !Notebook.interrupted(); step++) {
 *     panel.metric("loss", "%.3f".formatted(loss)).point("loss", "training", step, loss).step(step);
 *   }
 * }
 * }</pre>
 *
 * <p>It is drawn at most twice a second; closing it draws the final state, which stays in the
 * stored notebook (two plots: under 60 kB). Outside a notebook it prints a line every few seconds.
 * All methods may be called from any thread.
 */
public final class LivePanel implements AutoCloseable {
  private static final long REDRAW_MS = 500;
  private static final long REPRINT_MS = 5_000;
  private static final int PLOT_WIDTH = 360;
  private static final int PLOT_HEIGHT = 210;

  private final String title;
  private final long total;
  private final Display display;
  private final LongSupplier clockMs;
  private final String id = "live-" + UUID.randomUUID();
  private final Map<String, String> metrics = new LinkedHashMap<>();
  private final Map<String, Map<String, LiveSeries>> plots = new LinkedHashMap<>();
  private final long startMs;
  private long drawnMs;
  private long done;
  private boolean shown;
  private boolean closed;

  /**
   * A panel for a computation of {@code total} steps.
   *
   * @param title what is computed
   * @param total the number of steps, at least 1
   */
  public LivePanel(String title, long total) {
    this(title, total, Notebook.display(), () -> TimeUnit.NANOSECONDS.toMillis(System.nanoTime()));
  }

  LivePanel(String title, long total, Display display, LongSupplier clockMs) {
    if (total < 1)
      throw new IllegalArgumentException("a panel needs at least 1 step, not " + total);
    this.title = title;
    this.total = total;
    this.display = display;
    this.clockMs = clockMs;
    this.startMs = clockMs.getAsLong();
  }

  /** Sets a number of the row under the progress bar. */
  public synchronized LivePanel metric(String name, String value) {
    metrics.put(name, value);
    return this;
  }

  /**
   * Adds a point to a plot; plots appear in the order of their first points.
   *
   * @param plot the plot's name, written above it
   * @param series the line's name
   */
  public synchronized LivePanel point(String plot, String series, double x, double y) {
    plots
        .computeIfAbsent(plot, p -> new LinkedHashMap<>())
        .computeIfAbsent(series, s -> new LiveSeries())
        .add(x, y);
    return this;
  }

  /** Says that {@code done} steps are done, and draws the panel if it is time to. */
  public synchronized void step(long done) {
    this.done = done;
    long now = clockMs.getAsLong();
    long pause = display.kernel().isEmpty() ? REPRINT_MS : REDRAW_MS;
    if (!shown || now - drawnMs >= pause) draw(now);
  }

  /** Draws the final state. */
  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    draw(clockMs.getAsLong());
  }

  private void draw(long now) {
    Map<String, String> bundle = Views.bundle(text(now), "text/html", html(now));
    if (shown) {
      display.update(id, bundle);
    } else {
      display.show(id, bundle);
    }
    shown = true;
    drawnMs = now;
  }

  private String text(long now) {
    StringBuilder line = new StringBuilder(title).append(": ").append(progress(now));
    metrics.forEach((name, value) -> line.append(" | ").append(name).append(' ').append(value));
    return Printable.line(line.toString());
  }

  private String progress(long now) {
    double elapsed = (now - startMs) / 1000.0;
    String text = String.format(Locale.ROOT, "step %,d of %,d, %s", done, total, duration(elapsed));
    if (done >= total) return text;
    if (closed) return text + ", stopped";
    return done == 0
        ? text
        : text + ", about " + duration(elapsed * (total - done) / done) + " left";
  }

  private static String duration(double seconds) {
    long s = Math.round(seconds);
    return s < 3600
        ? String.format(Locale.ROOT, "%d:%02d", s / 60, s % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  }

  private String html(long now) {
    double percent = Math.min(100, 100.0 * done / total);
    StringBuilder html = new StringBuilder();
    html.append(
        String.format(
            Locale.ROOT,
            """
            <div style="max-width:740px;font-family:sans-serif">
            <div style="display:flex;justify-content:space-between"><b>%s</b><span>%s</span></div>
            <div style="height:8px;margin:4px 0 8px;border-radius:4px;background:rgba(128,128,128,.25)">
            <div style="height:8px;border-radius:4px;width:%.1f%%;background:#0072b2"></div></div>
            <div style="display:flex;flex-wrap:wrap;gap:6px 22px">
            """,
            Tables.escape(title),
            progress(now),
            percent));
    metrics.forEach(
        (name, value) ->
            html.append("<div><div style=\"font-size:80%;opacity:.7\">")
                .append(Tables.escape(name))
                .append("</div><div>")
                .append(Tables.escape(value))
                .append("</div></div>\n"));
    html.append("</div>\n<div style=\"display:flex;flex-wrap:wrap;gap:8px;margin-top:8px\">\n");
    plots.forEach((name, series) -> html.append(picture(name, series)));
    return html.append("</div></div>\n").toString();
  }

  private static String picture(String name, Map<String, LiveSeries> lines) {
    Figure figure = Figure.of(name).size(PLOT_WIDTH, PLOT_HEIGHT);
    for (var line : lines.entrySet()) {
      figure = figure.line(line.getKey(), line.getValue().x(), line.getValue().y());
    }
    return String.format(
        Locale.ROOT,
        "<img alt=\"%s\" width=\"%d\" height=\"%d\" src=\"data:image/png;base64,%s\">\n",
        Tables.escape(name),
        PLOT_WIDTH,
        PLOT_HEIGHT,
        Base64.getEncoder().encodeToString(figure.png(1.25)));
  }

  /** The points of one line: when there are too many, neighbours are averaged. */
  private static final class LiveSeries {
    private static final int MOST = 200;

    private final List<double[]> points = new ArrayList<>();
    private int merged = 1;
    private int pending;
    private double sumX;
    private double sumY;

    void add(double x, double y) {
      sumX += x;
      sumY += y;
      if (++pending < merged) return;
      points.add(new double[] {sumX / merged, sumY / merged});
      pending = 0;
      sumX = 0;
      sumY = 0;
      if (points.size() == MOST) halve();
    }

    private void halve() {
      for (int i = 0; i < MOST / 2; i++) {
        double[] a = points.get(2 * i);
        double[] b = points.get(2 * i + 1);
        points.set(i, new double[] {(a[0] + b[0]) / 2, (a[1] + b[1]) / 2});
      }
      points.subList(MOST / 2, MOST).clear();
      merged *= 2;
    }

    double[] x() {
      return points.stream().mapToDouble(p -> p[0]).toArray();
    }

    double[] y() {
      return points.stream().mapToDouble(p -> p[1]).toArray();
    }
  }
}
