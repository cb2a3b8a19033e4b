package slimvox.plot;

import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import slimvox.plot.Series.Kind;

/**
 * The places an axis shows, from one end to the other, in the axis's own unit.
 *
 * @param low the lower end
 * @param high the upper end, greater than {@code low}
 */
record Span(double low, double high) {
  /** What the horizontal axis of a figure shows. */
  static Span horizontal(Figure figure) {
    if (!figure.categories().isEmpty()) {
      return new Span(-0.5, figure.categories().size() - 0.5);
    }
    DoubleStream places =
        figure.series().stream()
            .filter(s -> s.kind() != Kind.LEVEL)
            .flatMapToDouble(s -> Arrays.stream(s.x()))
            .map(figure.x()::place);
    return of(figure.x(), places, 0.02, 0.02);
  }

  /** What the vertical axis of a figure shows: bars and areas start at 0. */
  static Span vertical(Figure figure, List<double[]> bases) {
    DoubleStream.Builder places = DoubleStream.builder();
    boolean fromZero = false;
    for (int i = 0; i < bases.size(); i++) {
      Series series = figure.series().get(i);
      for (int j = 0; j < series.y().length; j++) {
        places.add(figure.y().place(series.y()[j] + bases.get(i)[j]));
      }
      fromZero |= series.kind() == Kind.BAR || series.kind() == Kind.AREA;
    }
    boolean zero = fromZero && figure.y().scale() == Axis.Scale.LINEAR;
    if (zero) places.add(0);
    Span span = of(figure.y(), places.build(), zero ? 0 : 0.05, 0.08);
    // Bars of negative values hang from zero and need room below, too.
    return zero && span.low < 0 && Double.isNaN(figure.y().low())
        ? new Span(span.low - 0.08 * (span.high - span.low), span.high)
        : span;
  }

  private static Span of(Axis axis, DoubleStream places, double below, double above) {
    var range = places.filter(Double::isFinite).summaryStatistics();
    double low = range.getCount() == 0 ? 0 : range.getMin();
    double high = range.getCount() == 0 ? 1 : range.getMax();
    if (high - low <= 1e-12 * Math.abs(high)) {
      double half = high == 0 || axis.scale() != Axis.Scale.LINEAR ? 0.5 : Math.abs(high) / 2;
      low -= half;
      high += half;
    }
    double span = high - low;
    double from = Double.isNaN(axis.low()) ? low - below * span : axis.place(axis.low());
    double to = Double.isNaN(axis.high()) ? high + above * span : axis.place(axis.high());
    if (!(from < to)) {
      throw new IllegalArgumentException(
          "axis '%s': no values lie in the range [%s, %s]"
              .formatted(axis.label(), axis.low(), axis.high()));
    }
    return new Span(from, to);
  }
}
