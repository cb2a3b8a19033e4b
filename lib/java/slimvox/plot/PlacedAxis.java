package slimvox.plot;

import java.awt.BasicStroke;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.geom.Rectangle2D;
import java.util.List;
import org.jfree.chart.axis.AxisState;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.NumberTick;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.data.Range;
import slimvox.storage.Printable;

/** An {@link Axis} for JFreeChart: linear in places, see {@link Axis#place}, with our ticks. */
final class PlacedAxis extends NumberAxis {
  private final transient Axis axis;

  /**
   * An axis whose range follows the data until {@link #fit}.
   *
   * @param font of its texts; null for none
   * @param fromZero whether zero is always in the range
   */
  PlacedAxis(Axis axis, Font font, boolean fromZero) {
    this.axis = axis;
    setAutoRangeIncludesZero(fromZero);
    setAutoRangeStickyZero(fromZero);
    setLowerMargin(0.05);
    setUpperMargin(0.08);
    setAxisLineVisible(false);
    setTickMarksVisible(false);
    style(this, font);
    if (font != null && !axis.label().isEmpty()) setLabel(Printable.line(axis.label()));
  }

  /** Our fonts and colours for an axis of any kind. */
  static void style(org.jfree.chart.axis.Axis axis, Font font) {
    axis.setTickLabelsVisible(font != null);
    if (font != null) {
      axis.setLabelFont(font);
      axis.setTickLabelFont(font);
    }
    axis.setLabelPaint(Palette.INK);
    axis.setTickLabelPaint(Palette.SOFT_INK);
    axis.setAxisLinePaint(Palette.SOFT_INK);
    axis.setAxisLineStroke(new BasicStroke(1));
    axis.setTickMarkPaint(Palette.SOFT_INK);
  }

  /**
   * Takes the range from the data, these places and what the axis asks for.
   *
   * @throws IllegalArgumentException if no values lie in the range asked for
   */
  void fit(double... places) {
    Range range = getRange();
    for (double place : places) {
      if (Double.isFinite(place)) range = Range.expandToInclude(range, place);
    }
    double low = range.getLowerBound();
    double high = range.getUpperBound();
    if (high - low <= 1e-7 * Math.abs(high)) {
      double middle = range.getCentralValue();
      boolean unit = middle == 0 || axis.scale() != Axis.Scale.LINEAR;
      double half = unit ? 0.5 : Math.abs(middle) / 2;
      low = middle - half;
      high = middle + half;
    }
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
        across ? Math.max(2, (int) area.getWidth() / 80) : Math.max(3, (int) area.getHeight() / 40);
    TextAnchor anchor = across ? TextAnchor.TOP_CENTER : TextAnchor.CENTER_RIGHT;
    return Ticks.of(axis, getLowerBound(), getUpperBound(), atMost).stream()
        .map(
            t -> new NumberTick(t.place(), Printable.line(t.label()), anchor, TextAnchor.CENTER, 0))
        .toList();
  }
}
