package slimvox.plot;

import java.awt.BasicStroke;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.geom.Rectangle2D;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;
import org.jfree.chart.axis.AxisState;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.NumberTick;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.TextAnchor;
import slimvox.storage.Printable;

/** An {@link Axis} for JFreeChart: linear in places, see {@link Axis#place}, with our ticks. */
class PlacedAxis extends NumberAxis {
  private final transient Axis axis;

  /** An axis with texts in this font; null for none. */
  PlacedAxis(Axis axis, Font font) {
    this.axis = axis;
    setAxisLineVisible(false);
    setTickMarksVisible(false);
    setTickLabelsVisible(font != null);
    setLabelPaint(Palette.INK);
    setTickLabelPaint(Palette.SOFT_INK);
    setAxisLinePaint(Palette.SOFT_INK);
    setAxisLineStroke(new BasicStroke(1));
    setTickMarkPaint(Palette.SOFT_INK);
    if (font == null) return;
    setLabelFont(font);
    setTickLabelFont(font);
    if (!axis.label().isEmpty()) setLabel(Printable.line(axis.label()));
  }

  /**
   * Shows these places, with parts of their span {@code below} and {@code above}, or what the axis
   * asks for.
   *
   * @throws IllegalArgumentException if no values lie in the range asked for
   */
  void fit(DoubleStream places, double below, double above) {
    var range = places.filter(Double::isFinite).summaryStatistics();
    double low = range.getCount() == 0 ? 0 : range.getMin();
    double high = range.getCount() == 0 ? 1 : range.getMax();
    if (high - low <= 1e-12 * Math.abs(high)) {
      double half = high == 0 || axis.scale() != Axis.Scale.LINEAR ? 0.5 : Math.abs(high) / 2;
      low -= half;
      high += half;
    }
    double span = high - low;
    // Bars of negative values hang from zero and need room below, too.
    low -= (low < 0 && below == 0 ? above : below) * span;
    high += above * span;
    if (!Double.isNaN(axis.low())) low = axis.place(axis.low());
    if (!Double.isNaN(axis.high())) high = axis.place(axis.high());
    if (!(low < high)) {
      throw new IllegalArgumentException(
          "axis '%s': no values lie in the range [%s, %s]"
              .formatted(axis.label(), axis.low(), axis.high()));
    }
    setRange(low, high);
  }

  @Override
  public List<NumberTick> refreshTicks(
      Graphics2D g, AxisState state, Rectangle2D area, RectangleEdge edge) {
    boolean across = RectangleEdge.isTopOrBottom(edge);
    int atMost =
        across ? Math.max(2, (int) area.getWidth() / 60) : Math.max(3, (int) area.getHeight() / 40);
    TextAnchor anchor = across ? TextAnchor.TOP_CENTER : TextAnchor.CENTER_RIGHT;
    List<NumberTick> ticks = new ArrayList<>();
    double free = Double.NEGATIVE_INFINITY;
    for (Ticks.Tick t : Ticks.of(axis, getLowerBound(), getUpperBound(), atMost)) {
      String label = Printable.line(t.label());
      if (across && isTickLabelsVisible()) {
        double half = NameAxis.width(getTickLabelFont(), label) / 2;
        double at = valueToJava2D(t.place(), area, edge);
        if (at - half < free) label = "";
        else free = at + half + 4;
      }
      ticks.add(new NumberTick(t.place(), label, anchor, TextAnchor.CENTER, 0));
    }
    return ticks;
  }
}
