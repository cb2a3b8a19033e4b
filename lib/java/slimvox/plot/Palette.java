package slimvox.plot;

import java.awt.Color;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The colours of figures: eight that people with any kind of colour vision can tell apart. What
 * many figures show has the same colour in all of them.
 *
 * <p>Source: Okabe and Ito 2008, "Color Universal Design"; its yellow comes last, because thin
 * yellow lines are hard to see on white.
 */
final class Palette {
  /** Of texts and lines in static pictures, to be read on light and dark pages. */
  static final Color INK = new Color(0x787878);

  static final Color SOFT_INK = new Color(0x707070);
  static final Color GRID = new Color(128, 128, 128, 64);
  static final Color SHADE = new Color(128, 128, 128, 30);
  static final Color NONE = new Color(0, 0, 0, 0);

  private static final int[] SERIES = {
    0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x808080, 0xF0E442
  };

  /** Colours by meaning: categories of memory, ways to train, forms of weights, and references. */
  private static final Map<String, Integer> MEANINGS = new HashMap<>();

  static {
    mean(0x0072B2, "activation", "type II, lean", "float", "float32", "32 bits");
    mean(0xD55E00, "activation gradient", "8 bits", "W1A32");
    mean(0x009E73, "parameter", "type II", "int8");
    mean(0xE69F00, "gradient", "checkpoint", "checkpoint per block");
    mean(0xCC79A7, "optimizer state", "type I, lean", "W1A1");
    mean(0x56B4E9, "statistic", "type I");
    mean(0xF0E442, "workspace");
    mean(0x808080, "input", "vanilla");
    mean(0x9A9A9A, "no network", "zero", "chance", "margin", "equal errors");
  }

  private Palette() {}

  private static void mean(int colour, String... names) {
    for (String name : names) MEANINGS.put(name, colour);
  }

  /**
   * A colour for each series: that of its meaning, else the next one that is free; a name that
   * comes twice has the same one.
   */
  static List<Color> of(List<Series> series) {
    Map<String, Color> colours = new LinkedHashMap<>();
    for (Series s : series) {
      Integer meaning = meaning(s.name());
      if (meaning != null) colours.put(s.name(), new Color(meaning));
    }
    List<Color> free = new ArrayList<>();
    for (int colour : SERIES) free.add(new Color(colour));
    if (!free.stream().allMatch(colours::containsValue)) free.removeAll(colours.values());
    int next = 0;
    List<Color> all = new ArrayList<>();
    for (int i = 0; i < series.size(); i++) {
      String key = series.get(i).name().isEmpty() ? "series " + i : series.get(i).name();
      if (!colours.containsKey(key)) colours.put(key, free.get(next++ % free.size()));
      all.add(colours.get(key));
    }
    return all;
  }

  /** The colour of the longest meaning that the name is, or begins with: "type II, seed 1". */
  private static Integer meaning(String name) {
    return MEANINGS.keySet().stream()
        .filter(m -> name.equals(m) || name.startsWith(m + ",") || name.startsWith(m + " ("))
        .max(Comparator.comparingInt(String::length))
        .map(MEANINGS::get)
        .orElse(null);
  }

  /** The colour of series number {@code index}, from 0; colours repeat after eight. */
  static Color series(int index) {
    return new Color(SERIES[index % SERIES.length]);
  }

  /** A colour as {@code #rrggbb}. */
  static String hex(Color color) {
    return String.format("#%06x", color.getRGB() & 0xFFFFFF);
  }
}
