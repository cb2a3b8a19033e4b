package slimvox.notebook;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import slimvox.plot.SmallPlot;
import slimvox.report.Tables;
import slimvox.storage.Printable;

/**
 * A panel that follows a long computation in place: a progress bar, a few large numbers, a few
 * small plots, and more numbers.
 *
 * <pre>{@code
 * try (LivePanel panel = new LivePanel("Training", steps)) {
 *   for (int step = 1; step <= steps && !Notebook.interrupted(); step++) {
 *     panel.metric("loss", "%.3f".formatted(loss)).point("loss", "training", step, loss).step(step);
 *   }
 * }
 * }</pre>
 *
 * <p>It is drawn twice a second, after a minute less and less often; closing it draws the final
 * state, which stays in the stored notebook (two plots: under 20 kB): finished, or stopped at which
 * step. Outside a notebook it prints a line every few seconds. All methods may be called from any
 * thread.
 */
public final class LivePanel implements AutoCloseable {
  private static final long REDRAW_MS = 500;
  private static final long SELDOM_MS = 30_000;
  private static final long REPRINT_MS = 5_000;

  private enum State {
    RUNNING("#0072b2"),
    FINISHED("#009e73"),
    STOPPED("#e69f00"),
    FAILED("#d55e00");

    final String colour;

    State(String colour) {
      this.colour = colour;
    }
  }

  private record Mark(long ms, long done) {}

  private record Headline(String value, String below) {}

  private final String title;
  private final long first;
  private final long total;
  private final Display display;
  private final LongSupplier clockMs;
  private final String id = "live-" + UUID.randomUUID();
  private final Map<String, Headline> headlines = new LinkedHashMap<>();
  private final Map<String, String> metrics = new LinkedHashMap<>();
  private final Map<String, Map<String, LiveSeries>> plots = new LinkedHashMap<>();
  private long startMs;
  private Mark older;
  private Mark newer;
  private State state = State.RUNNING;
  private String message = "";
  private String counted = "step ";
  private long drawnMs;
  private long done;
  private boolean shown;

  /**
   * A panel for a computation of {@code total} steps.
   *
   * @param title what is computed
   * @param total the number of steps, at least 1
   */
  public LivePanel(String title, long total) {
    this(title, 0, total);
  }

  /**
   * A panel for a computation that goes on.
   *
   * @param first the number of steps that were done before
   */
  public LivePanel(String title, long first, long total) {
    this(
        title,
        first,
        total,
        Notebook.display(),
        () -> TimeUnit.NANOSECONDS.toMillis(System.nanoTime()));
  }

  LivePanel(String title, long first, long total, Display display, LongSupplier clockMs) {
    if (total < 1)
      throw new IllegalArgumentException("a panel needs at least 1 step, not " + total);
    this.title = title;
    this.first = first;
    this.done = first;
    this.total = total;
    this.display = display;
    this.clockMs = clockMs;
    this.startMs = clockMs.getAsLong();
  }

  /**
   * Sets one of the few large numbers; with any of them, metrics are folded.
   *
   * @param below a small line under it
   */
  public synchronized LivePanel headline(String name, String value, String below) {
    headlines.put(name, new Headline(value, below));
    return this;
  }

  /** Sets a number of the row under the progress bar. */
  public synchronized LivePanel metric(String name, String value) {
    metrics.put(name, value);
    return this;
  }

  /** Counts something else than steps, which the title says. */
  LivePanel countingOthers() {
    counted = "";
    return this;
  }

  /** Says that the computation began some time ago. */
  synchronized void began(double secondsAgo) {
    startMs = clockMs.getAsLong() - Math.round(1000 * secondsAgo);
  }

  /** Sets the line at the bottom: what one has to know or can do next. */
  public synchronized LivePanel message(String text) {
    message = text;
    return this;
  }

  /**
   * Adds a point to a plot; plots appear in the order of their first points.
   *
   * @param plot the plot's name, written above it
   * @param series the line's name
   * @param x the number of steps done
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
    // The first step, and whatever else warms up, is forgotten.
    if (done > first && (newer == null || done - first >= 2 * (newer.done - first))) {
      older = newer == null ? new Mark(now, done) : newer;
      newer = new Mark(now, done);
    }
    // A long computation is drawn less often: every state stays in the history of the document.
    long pause =
        display.kernel().isEmpty()
            ? REPRINT_MS
            : Math.clamp((now - startMs) / 100, REDRAW_MS, SELDOM_MS);
    if (!shown || now - drawnMs >= pause) draw(now);
  }

  /** Draws the final state: finished, or stopped if steps are left. */
  @Override
  public synchronized void close() {
    end(done >= total ? State.FINISHED : State.STOPPED);
  }

  /** Draws the final state of a computation that an error has ended. */
  public synchronized void fail(String reason) {
    message(reason).end(State.FAILED);
  }

  private void end(State last) {
    if (state != State.RUNNING) return;
    state = last;
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
    headlines.forEach(
        (name, h) -> {
          line.append(" | ").append(name).append(' ').append(h.value);
          if (!h.below.isEmpty()) line.append(" (").append(h.below).append(')');
        });
    metrics.forEach((name, value) -> line.append(" | ").append(name).append(' ').append(value));
    if (!message.isEmpty()) line.append(" | ").append(message);
    return Printable.line(line.toString());
  }

  private String progress(long now) {
    String steps = String.format(Locale.ROOT, "%s%,d of %,d", counted, done, total);
    double elapsed = (now - startMs) / 1000.0;
    if (elapsed >= 1 || state == State.RUNNING) steps += ", " + duration(elapsed);
    return switch (state) {
      case FINISHED -> steps + ", finished";
      case STOPPED -> "stopped at " + steps;
      case FAILED -> "failed at " + steps;
      case RUNNING -> steps + estimate(now);
    };
  }

  private String estimate(long now) {
    if (older == null || done < older.done + 2 || done >= total) return "";
    double pace = (now - older.ms) / 1000.0 / (done - older.done);
    return ", about " + duration(pace * (total - done)) + " left";
  }

  private static String duration(double seconds) {
    long s = Math.round(seconds);
    return s < 3600
        ? String.format(Locale.ROOT, "%d:%02d", s / 60, s % 60)
        : String.format(Locale.ROOT, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  }

  private String html(long now) {
    StringBuilder html = new StringBuilder();
    html.append(
        String.format(
            Locale.ROOT,
            """
            <div style="max-width:740px">
            <div style="display:flex;flex-wrap:wrap;justify-content:space-between">\
            <b>%s</b><span>%s</span></div>
            <div role="progressbar" aria-label="%s" aria-valuemin="0" aria-valuemax="%d"\
             aria-valuenow="%d" style="height:8px;margin:4px 0 8px;border-radius:4px;\
            background:rgba(128,128,128,.25)">
            <div style="height:8px;border-radius:4px;width:%.1f%%;background:%s"></div></div>
            """,
            Tables.escape(title),
            progress(now),
            Tables.escape(title),
            total,
            Math.min(done, total),
            Math.min(100, 100.0 * done / total),
            state.colour));
    StringBuilder rest = new StringBuilder();
    metrics.forEach((name, value) -> rest.append(number(name, value, 100, "")));
    if (headlines.isEmpty()) {
      html.append(row(rest));
    } else {
      StringBuilder large = new StringBuilder();
      headlines.forEach((name, h) -> large.append(number(name, h.value, 170, h.below)));
      html.append(row(large));
    }
    StringBuilder pictures = new StringBuilder();
    plots.forEach((name, series) -> pictures.append(picture(name, series)));
    html.append(row(pictures));
    if (!headlines.isEmpty() && !metrics.isEmpty()) {
      html.append("<details><summary>more numbers</summary>").append(row(rest));
      html.append("</details>");
    }
    if (!message.isEmpty()) html.append("<div>").append(Tables.escape(message)).append("</div>");
    return html.append("</div>\n").toString();
  }

  private static String row(StringBuilder content) {
    String style = "display:flex;flex-wrap:wrap;gap:6px 26px;margin:6px 0";
    return "<div style=\"%s\">\n%s</div>\n".formatted(style, content);
  }

  private static String number(String name, String value, int percent, String below) {
    String small = "<div style=\"font-size:80%%;opacity:.75\">%s</div>";
    return "<div>%s<div style=\"font-size:%d%%;line-height:1.3\">%s</div>%s</div>%n"
        .formatted(
            small.formatted(Tables.escape(name)),
            percent,
            Tables.escape(value),
            below.isEmpty() ? "" : small.formatted(Tables.escape(below)));
  }

  private static String picture(String name, Map<String, LiveSeries> lines) {
    Map<String, double[][]> drawn = new LinkedHashMap<>();
    lines.forEach((line, series) -> drawn.put(line, series.xy()));
    String svg = SmallPlot.svg(name, "steps", drawn);
    return String.format(
        Locale.ROOT,
        "<img alt=\"%s\" width=\"%d\" height=\"%d\" style=\"max-width:100%%\""
            + " src=\"data:image/svg+xml;base64,%s\">\n",
        Tables.escape(alt(name, drawn)),
        SmallPlot.WIDTH,
        SmallPlot.HEIGHT,
        Base64.getEncoder().encodeToString(svg.getBytes(StandardCharsets.UTF_8)));
  }

  private static String alt(String name, Map<String, double[][]> lines) {
    StringBuilder text = new StringBuilder(name).append(" over steps");
    lines.forEach(
        (line, xy) -> {
          int last = xy[0].length - 1;
          text.append(
              String.format(
                  Locale.ROOT,
                  "; %s: from %.4g at step %,.0f to %.4g at step %,.0f",
                  line,
                  xy[1][0],
                  xy[0][0],
                  xy[1][last],
                  xy[0][last]));
        });
    return text.toString();
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

    double[][] xy() {
      return new double[][] {
        points.stream().mapToDouble(p -> p[0]).toArray(),
        points.stream().mapToDouble(p -> p[1]).toArray()
      };
    }
  }
}
