package slimvox.report;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Columns of boxes by name, an arrow from each box to the next, as an SVG picture and in words. */
public record BoxColumns(Map<String, List<Box>> columns) {
  private static final int COLUMN = 250;
  private static final int ROW = 46;
  private static final int BOX = 34;

  /**
   * A box.
   *
   * @param text what is in it
   * @param remark a word behind the text in words; the box is dashed then. Empty for a filled box
   * @param arrow what comes in, beside the arrow; may be empty
   */
  public record Box(String text, String remark, String arrow) {}

  /** The picture. */
  public String svg() {
    StringBuilder svg = new StringBuilder();
    int longest = 0;
    int column = 0;
    for (var boxes : columns.entrySet()) {
      int x = 10 + column++ * COLUMN;
      svg.append(
          "<text x=\"%d\" y=\"22\" font-weight=\"bold\">%s</text>\n"
              .formatted(x, Tables.escape(boxes.getKey())));
      int y = 36;
      for (Box box : boxes.getValue()) {
        box(svg, x, y, box, y > 36);
        y += ROW;
      }
      longest = Math.max(longest, boxes.getValue().size());
    }
    return """
    <svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" \
    font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">
    <title>%s</title>
    <rect width="100%%" height="100%%" fill="white"/>
    %s</svg>
    """
        .formatted(20 + column * COLUMN, 50 + longest * ROW, Tables.escape(text()), svg);
  }

  private static void box(StringBuilder svg, int x, int y, Box box, boolean arrow) {
    int middle = x + (COLUMN - 20) / 2;
    if (arrow) {
      svg.append(
          "<path d=\"M%d %d v%d\" stroke=\"#2b2b2b\"/>\n"
              .formatted(middle, y - ROW + BOX, ROW - BOX));
      if (!box.arrow.isEmpty()) {
        svg.append(
            "<text x=\"%d\" y=\"%d\" font-size=\"10\" fill=\"#6b6b6b\">%s</text>\n"
                .formatted(middle + 6, y - 3, Tables.escape(box.arrow)));
      }
    }
    boolean dashed = !box.remark.isEmpty();
    svg.append(
        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"%s\" stroke=\"%s\"%s/>\n"
            .formatted(
                x,
                y,
                COLUMN - 20,
                BOX,
                dashed ? "white" : "#cfe3f1",
                dashed ? "#009e73" : "#0072b2",
                dashed ? " stroke-dasharray=\"5 3\"" : ""));
    svg.append(
        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"%d\">%s</text>\n"
            .formatted(middle, y + 21, box.text.length() > 32 ? 9 : 12, Tables.escape(box.text)));
  }

  /** The same in words: a line for each column. */
  public String text() {
    return columns.entrySet().stream()
        .map(
            column ->
                column.getValue().stream()
                    .map(b -> b.text + (b.remark.isEmpty() ? "" : " (" + b.remark + ")"))
                    .collect(Collectors.joining("; ", column.getKey() + ": ", ".")))
        .collect(Collectors.joining("\n"));
  }
}
