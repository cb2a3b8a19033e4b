package slimvox.plot;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import slimvox.plot.Series.Kind;
import slimvox.storage.Printable;

/** The sentence under a figure, which is also its text where it cannot be seen. */
final class Caption {
  private static final int MOST = 8;

  private Caption() {}

  static String of(Figure figure) {
    List<String> parts = new ArrayList<>();
    List<Series> all = figure.series();
    boolean listed = false; // of intervals the first ones are said row by row
    for (int i = 0; i < Math.min(MOST, all.size()); i++) {
      if (i > 0 && isInterval(all.get(i - 1), all.get(i))) continue; // goes with its dots
      boolean interval = i + 1 < all.size() && isInterval(all.get(i), all.get(i + 1));
      parts.add(
          interval && !listed
              ? intervals(figure, all.get(i), all.get(i + 1))
              : part(figure, all.get(i)));
      listed |= interval;
    }
    if (all.size() > MOST) parts.add((all.size() - MOST) + " more");
    figure.marks().stream().filter(m -> !m.isSpan()).forEach(m -> parts.add("marked: " + m.text()));
    String x = figure.x().label();
    boolean across = !figure.y().label().isEmpty();
    String axes = across ? figure.y().label() + (x.isEmpty() ? "" : " against " + x) : x;
    String head = axes.isEmpty() ? figure.title() : figure.title() + " — " + axes;
    return Printable.line(parts.isEmpty() ? head : head + ": " + String.join("; ", parts) + ".");
  }

  /** Whether a line has the ends that belong to dots, see {@link Figure#intervals}. */
  private static boolean isInterval(Series dots, Series line) {
    return dots.kind() == Series.Kind.SCATTER
        && line.kind() == Series.Kind.LINE
        && line.name().equals(dots.name());
  }

  /** Each row with its value and interval. */
  private static String intervals(Figure figure, Series dots, Series ends) {
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
    return dots.name() + " " + (rows.isEmpty() ? "has no values" : rows);
  }

  private static String part(Figure figure, Series s) {
    if (s.kind() == Kind.LEVEL) return "%s at %s".formatted(s.name(), Ticks.number(s.y()[0]));
    boolean rows = figure.y().label().isEmpty() && figure.y().ticks().length > 0;
    double percent = figure.y().scale() == Axis.Scale.PROBIT ? 100 : 1;
    double[] values =
        Arrays.stream(rows ? s.x() : s.y())
            .filter(Double::isFinite)
            .map(v -> percent * v)
            .toArray();
    if (values.length == 0) return s.name() + " has no values";
    if (s.kind() == Kind.BAR && values.length == s.y().length && values.length <= 3) {
      return s.name()
          + " "
          + String.join(
              ", ",
              IntStream.range(0, values.length)
                  .mapToObj(i -> figure.categories().get(i) + " " + Ticks.number(values[i]))
                  .toList());
    }
    String low = Ticks.number(Arrays.stream(values).min().getAsDouble());
    String high = Ticks.number(Arrays.stream(values).max().getAsDouble());
    return s.name() + " " + (low.equals(high) ? low : low + " to " + high);
  }
}
