package slimvox.plot;

import java.util.ArrayList;
import java.util.List;
import slimvox.plot.Lettering.Anchor;

/** The names under bars: in lines of words where they fit, else slanted. */
final class CategoryLabels {
  private static final double ANGLE = Math.toRadians(-30);

  private CategoryLabels() {}

  /** Whether some word is wider than its share of {@code width}. */
  static boolean slanted(Figure figure, Lettering letters, double width) {
    double slot = width / Math.max(1, figure.categories().size()) - 6;
    return figure.categories().stream()
        .flatMap(name -> lines(name, letters, slot).stream())
        .anyMatch(line -> letters.width(line) > slot);
  }

  /** The left margin that the first of the slanted names needs, at most a third of the figure. */
  static int overhang(Figure figure, Lettering letters, int left) {
    double slot = (figure.width() - left) / (double) figure.categories().size();
    double needed = letters.width(figure.categories().getFirst()) * Math.cos(ANGLE) - slot / 2;
    return (int) Math.min(figure.width() / 3.0, needed + 4);
  }

  /** The height of the names, in pixels. */
  static int height(Figure figure, Lettering letters, boolean slanted, double width) {
    double slot = width / Math.max(1, figure.categories().size()) - 6;
    if (slanted) {
      int widest = figure.categories().stream().mapToInt(letters::width).max().orElse(0);
      return (int) Math.ceil(widest * Math.sin(-ANGLE)) + letters.lineHeight();
    }
    return figure.categories().stream()
        .mapToInt(name -> lines(name, letters, slot).size() * letters.lineHeight())
        .max()
        .orElse(0);
  }

  static void draw(
      Figure figure, Lettering letters, boolean slanted, double left, double top, double slot) {
    for (int i = 0; i < figure.categories().size(); i++) {
      double middle = left + (i + 0.5) * slot;
      String name = figure.categories().get(i);
      if (slanted) {
        letters.slanted(name, middle + 4, top + letters.lineHeight() - 4, ANGLE, Palette.INK);
        continue;
      }
      double y = top + letters.lineHeight();
      for (String line : lines(name, letters, slot - 6)) {
        letters.text(line, middle, y, Anchor.MIDDLE, Palette.INK);
        y += letters.lineHeight();
      }
    }
  }

  private static List<String> lines(String name, Lettering letters, double width) {
    List<String> lines = new ArrayList<>();
    String line = "";
    for (String word : name.split(" ")) {
      String longer = line.isEmpty() ? word : line + " " + word;
      if (line.isEmpty() || letters.width(longer) <= width) {
        line = longer;
      } else {
        lines.add(line);
        line = word;
      }
    }
    lines.add(line);
    return lines;
  }
}
