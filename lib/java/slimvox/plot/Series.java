package slimvox.plot;

/**
 * One named set of points of a {@link Figure}.
 *
 * @param kind how the points are drawn
 * @param name what the legend says
 * @param x the horizontal values; for bars the number of the category, from 0
 * @param y the vertical values; NaN leaves a gap
 */
public record Series(Kind kind, String name, double[] x, double[] y) {
  /** How the points of a series are drawn. */
  public enum Kind {
    /** points joined by straight lines */
    LINE,
    /** points joined by a dashed line */
    DASHED,
    /** a value that holds until the next point */
    STEP,
    /** points on their own */
    SCATTER,
    /** one bar for each category */
    BAR,
    /** the area between this series and those below it; a value holds until the next point */
    AREA,
    /** one dashed horizontal line across the whole figure; y has one value */
    LEVEL
  }

  /** Checks that every point has both coordinates. */
  public Series {
    if (x.length != y.length) {
      throw new IllegalArgumentException(
          "series '%s': %d x values but %d y values".formatted(name, x.length, y.length));
    }
  }
}
