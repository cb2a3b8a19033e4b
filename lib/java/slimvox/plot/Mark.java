package slimvox.plot;

/**
 * A text on a {@link Figure}: above a shaded stretch of the horizontal axis, or at a point.
 *
 * @param text what is written
 * @param from the left end of the stretch, or the point's horizontal value
 * @param to the right end; {@code from} for a point
 * @param y the point's vertical value; NaN for a stretch
 */
public record Mark(String text, double from, double to, double y) {
  boolean isSpan() {
    return Double.isNaN(y);
  }
}
