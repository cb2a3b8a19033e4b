package slimvox.plot;

import java.awt.geom.Line2D;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;
import slimvox.plot.Series.Kind;

/** Lines with fewer points that look the same: a page is stored with its notebook. */
record Thinning(double[] x, double[] y, BitSet kept) {
  /** Lines of fewer points keep them all: each can be pointed at. */
  private static final int FEW = 100;

  private static final double PIXELS = 0.3;

  /**
   * The points of a line without those within {@value #PIXELS} pixels of the line through the
   * others (Douglas and Peucker 1973); other series, and lines with gaps, as they are.
   */
  static Series of(Figure figure, Series series) {
    boolean line = series.kind() == Kind.LINE || series.kind() == Kind.DASHED;
    if (!line || series.x().length < FEW) return series;
    PlacedAxis across = new PlacedAxis(figure.x(), null);
    PlacedAxis upwards = new PlacedAxis(figure.y(), null);
    new Picture(figure).fit(across, upwards);
    double[] x = pixels(figure.x(), series.x(), figure.width() / across.getRange().getLength());
    double[] y = pixels(figure.y(), series.y(), figure.height() / upwards.getRange().getLength());
    if (!finite(x) || !finite(y)) return series;
    Thinning thinning = new Thinning(x, y, new BitSet());
    thinning.kept.set(0);
    thinning.kept.set(x.length - 1);
    thinning.keepBetween(0, x.length - 1);
    int[] chosen = thinning.kept.stream().toArray();
    return new Series(
        series.kind(), series.name(), chosen(series.x(), chosen), chosen(series.y(), chosen));
  }

  private static double[] pixels(Axis axis, double[] values, double scale) {
    return Arrays.stream(values).map(v -> scale * axis.place(v)).toArray();
  }

  private static boolean finite(double[] values) {
    return Arrays.stream(values).allMatch(Double::isFinite);
  }

  private static double[] chosen(double[] values, int[] places) {
    return IntStream.of(places).mapToDouble(i -> values[i]).toArray();
  }

  private void keepBetween(int from, int to) {
    int farthest = -1;
    double most = PIXELS;
    for (int i = from + 1; i < to; i++) {
      double off = Line2D.ptSegDist(x[from], y[from], x[to], y[to], x[i], y[i]);
      if (off <= most) continue;
      most = off;
      farthest = i;
    }
    if (farthest < 0) return;
    kept.set(farthest);
    keepBetween(from, farthest);
    keepBetween(farthest, to);
  }
}
