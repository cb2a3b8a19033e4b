package slimvox.plot;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import slimvox.plot.Series.Kind;
import slimvox.storage.Printable;

/** The sentences under a figure, which are also its text where it cannot be seen. */
final class Caption {
  private static final int MOST = 8;

  private final Figure figure;
  private final boolean rows; // names on the vertical axis, values on the horizontal one
  private boolean listed; // of intervals the first ones are said row by row

  private Caption(Figure figure) {
    this.figure = figure;
    rows = figure.y().label().isEmpty() && figure.y().ticks().length > 0;
  }

  static String of(Figure figure) {
    String title = figure.title().strip();
    if (title.matches(".*[^.!?:]")) title += ".";
    String shown = new Caption(figure).shown();
    return Printable.line((title + (shown.isEmpty() ? "" : " " + shown)).strip());
  }

  private String shown() {
    List<Series> all = figure.series();
    boolean curves = figure.y().scale() == Axis.Scale.PROBIT;
    List<String> parts = new ArrayList<>();
    int most = curves ? all.size() : Math.min(MOST, all.size());
    for (int i = 0; i < most; i++) {
      if (i > 0 && isInterval(all.get(i - 1), all.get(i))) continue; // goes with its dots
      boolean interval = i + 1 < all.size() && isInterval(all.get(i), all.get(i + 1));
      String part =
          curves
              ? whereEqual(all.get(i))
              : interval && !listed ? intervals(all.get(i), all.get(i + 1)) : part(all.get(i));
      if (!part.isEmpty()) parts.add(part);
      listed |= interval;
    }
    if (all.size() > most) parts.add("and " + (all.size() - most) + " more");
    String marks =
        figure.marks().stream()
            .map(Mark::text)
            .filter(text -> !text.isEmpty())
            .collect(Collectors.joining(", "));
    if (!marks.isEmpty()) parts.add("marked: " + marks);
    if (parts.isEmpty()) return "";
    String x = figure.x().label();
    String y = figure.y().label();
    String axes = y.isEmpty() ? x : y + (x.isEmpty() ? "" : " against " + x);
    if (curves) axes += ", and where both are equal";
    return (axes.isEmpty() ? "" : "Shown is " + axes + ": ") + String.join("; ", parts) + ".";
  }

  /** Whether a line has the ends that belong to dots, see {@link Figure#intervals}. */
  private static boolean isInterval(Series dots, Series line) {
    return dots.kind() == Kind.SCATTER
        && line.kind() == Kind.LINE
        && line.name().equals(dots.name());
  }

  /** Each row with its value and interval. */
  private String intervals(Series dots, Series ends) {
    String rows =
        IntStream.range(0, dots.x().length)
            .filter(i -> Double.isFinite(dots.x()[i]))
            .mapToObj(
                i ->
                    "%s %s (%s to %s)"
                        .formatted(
                            figure.y().tickLabels()[i],
                            Ticks.number(dots.x()[i]),
                            Ticks.number(ends.x()[3 * i]),
                            Ticks.number(ends.x()[3 * i + 1])))
            .collect(Collectors.joining(", "));
    return rows.isEmpty() ? named(dots, "has no values") : listed(dots, rows);
  }

  /** The rate in % at which a curve of two error rates has both; nothing of their diagonal. */
  private static String whereEqual(Series s) {
    if (Arrays.equals(s.x(), s.y())) return "";
    for (int i = 1; i < s.x().length; i++) {
      double before = s.y()[i - 1] - s.x()[i - 1];
      double after = s.y()[i] - s.x()[i];
      if (before * after > 0 || before == after) continue;
      double rate = s.x()[i - 1] + before / (before - after) * (s.x()[i] - s.x()[i - 1]);
      return named(s, String.format(Locale.ROOT, "%.1f", 100 * rate));
    }
    return named(s, "nowhere");
  }

  private String part(Series s) {
    if (s.kind() == Kind.LEVEL) return named(s, "at " + Ticks.number(s.y()[0]));
    double[] across = rows ? s.y() : s.x();
    double[] values = rows ? s.x() : s.y();
    int[] there =
        IntStream.range(0, values.length).filter(i -> Double.isFinite(values[i])).toArray();
    if (there.length == 0) return named(s, "has no values");
    boolean gaps = there.length < values.length;
    if (rows && s.kind() == Kind.LINE && gaps) return ""; // stretches: dots or the title tell
    int low = there[0];
    int high = there[0];
    boolean rises = true;
    boolean falls = true;
    for (int i = 1; i < there.length; i++) {
      double step = values[there[i]] - values[there[i - 1]];
      rises &= step >= 0;
      falls &= step <= 0;
      if (values[there[i]] < values[low]) low = there[i];
      if (values[there[i]] > values[high]) high = there[i];
    }
    String from = Ticks.number(values[low]);
    String to = Ticks.number(values[high]);
    if (rows && s.kind() != Kind.SCATTER) {
      return named(s, from.equals(to) ? "at " + from : from + " to " + to);
    }
    if (s.kind() == Kind.BAR || rows) return listed(s, values(s, there, low, high));
    if (from.equals(to)) return named(s, (there.length > 1 ? "always " : "") + to);
    if (s.kind() == Kind.AREA) return named(s, "at most " + to);
    if (s.kind() == Kind.SCATTER) return named(s, from + " to " + to);
    if (rises) return named(s, "rises from %s to %s".formatted(from, to));
    if (falls) return named(s, "falls from %s to %s".formatted(to, from));
    int last = there[there.length - 1];
    boolean peak = high != there[0] && high != last;
    boolean dip = low != there[0] && low != last;
    if (peak == dip) return named(s, "between %s and %s".formatted(from, to));
    int at = peak ? high : low;
    return named(
        s,
        "%s at %s with %s"
            .formatted(
                peak ? "highest" : "lowest", Ticks.number(across[at]), Ticks.number(values[at])));
  }

  /** Values that have names: all of a few, else the ends. */
  private String values(Series s, int[] there, int low, int high) {
    int[] said = there.length <= 3 ? there : new int[] {low, high};
    return IntStream.of(said)
        .mapToObj(i -> (name(s, i) + " " + Ticks.number(rows ? s.x()[i] : s.y()[i])).strip())
        .distinct()
        .collect(Collectors.joining(there.length <= 3 ? ", " : " to "));
  }

  /** The category or the row of a value. */
  private String name(Series s, int i) {
    if (s.kind() == Kind.BAR) return figure.categories().get(i);
    for (int tick = 0; tick < figure.y().ticks().length; tick++) {
      if (Math.abs(figure.y().ticks()[tick] - s.y()[i]) < 0.5) return figure.y().tickLabels()[tick];
    }
    return "";
  }

  private static String listed(Series s, String values) {
    return s.name().isEmpty() ? values : s.name() + ": " + values;
  }

  private static String named(Series s, String what) {
    return (s.name() + " " + what).strip();
  }
}
