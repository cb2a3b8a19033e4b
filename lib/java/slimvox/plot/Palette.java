package slimvox.plot;

import java.awt.Color;

/**
 * The colours of figures: eight that people with any kind of colour vision can tell apart.
 *
 * <p>Source: Okabe and Ito 2008, "Color Universal Design"; its yellow comes last, because thin
 * yellow lines are hard to see on white.
 */
final class Palette {
  static final Color INK = new Color(0x2B2B2B);
  static final Color SOFT_INK = new Color(0x6B6B6B);
  static final Color GRID = new Color(0xE6E6E6);

  private static final int[] SERIES = {
    0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x4D4D4D, 0xF0E442
  };

  private Palette() {}

  /** The colour of series number {@code index}, from 0; colours repeat after eight. */
  static Color series(int index) {
    return new Color(SERIES[index % SERIES.length]);
  }

  /** A colour as {@code #rrggbb}. */
  static String hex(Color color) {
    return String.format("#%06x", color.getRGB() & 0xFFFFFF);
  }
}
