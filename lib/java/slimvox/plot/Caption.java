package slimvox.plot;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
    for (Series s : all.subList(0, Math.min(MOST, all.size()))) parts.add(part(figure, s));
    if (all.size() > MOST) parts.add((all.size() - MOST) + " more");
    figure.marks().stream().filter(m -> !m.isSpan()).forEach(m -> parts.add("marked: " + m.text()));
    String x = figure.x().label();
    boolean across = !figure.y().label().isEmpty();
    String axes = across ? figure.y().label() + (x.isEmpty() ? "" : " against " + x) : x;
    String head = axes.isEmpty() ? figure.title() : figure.title() + " — " + axes;
    return Printable.line(parts.isEmpty() ? head : head + ": " + String.join("; ", parts) + ".");
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
