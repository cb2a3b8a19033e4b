package slimvox.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import slimvox.plot.Ticks;
import slimvox.storage.Printable;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.IntColumn;
import tech.tablesaw.api.NumericColumn;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;
import tech.tablesaw.columns.Column;
import tech.tablesaw.columns.numbers.NumberColumnFormatter;

/**
 * Tablesaw tables as text and as HTML: numbers on the right, texts on the left, missing values
 * empty.
 *
 * <p>A number is written by its column's print formatter (for byte counts {@link Bytes#formatter});
 * where none was set, with four significant digits.
 */
public final class Tables {
  private static final String ROW_HEADER = "th scope=\"row\"";

  private Tables() {}

  /** The table of rows whose columns have texts, Integers or Doubles; null is a missing value. */
  static <T> Table of(List<T> rows, List<Rows.Column<T>> columns) {
    Table table = Table.create("");
    for (Rows.Column<T> column : columns) {
      Object[] values = rows.stream().map(column.value()).toArray();
      table.addColumns(column(column.heading(), column.format(), values));
    }
    return table;
  }

  private static Column<?> column(String heading, String format, Object[] values) {
    Object first = Arrays.stream(values).filter(Objects::nonNull).findFirst().orElse(Double.NaN);
    if (first instanceof String) {
      return StringColumn.create(heading, Arrays.copyOf(values, values.length, String[].class));
    }
    if (first instanceof Integer) {
      IntColumn whole =
          IntColumn.create(heading, Arrays.copyOf(values, values.length, Integer[].class));
      if (format != null) {
        whole.setPrintFormatter(
            new Decimals(value -> String.format(Locale.ROOT, format, (long) value).strip()));
      }
      return whole;
    }
    DoubleColumn numbers =
        DoubleColumn.create(heading, Arrays.copyOf(values, values.length, Double[].class));
    if (format != null) numbers.setPrintFormatter(new Decimals(format));
    return numbers;
  }

  /** The table as lines of text for a fixed-width font; the columns are aligned. */
  public static String text(Table table) {
    List<String[]> rows = new ArrayList<>();
    rows.add(table.columnNames().stream().map(Printable::line).toArray(String[]::new));
    for (int row = 0; row < table.rowCount(); row++) rows.add(cells(table, row));
    int[] widths = new int[table.columnCount()];
    for (String[] row : rows) {
      for (int c = 0; c < widths.length; c++) widths[c] = Math.max(widths[c], length(row[c]));
    }
    StringBuilder text = new StringBuilder();
    for (int r = 0; r < rows.size(); r++) {
      line(text, table, rows.get(r), widths);
      if (r == 0) {
        for (int c = 0; c < widths.length; c++) {
          text.append(c == 0 ? "" : "  ").append("-".repeat(widths[c]));
        }
        text.append('\n');
      }
    }
    return text.toString();
  }

  /** The table as an HTML table that carries its own style. */
  public static String html(Table table) {
    StringBuilder html = new StringBuilder();
    html.append("<table style=\"border-collapse:collapse\" cellpadding=\"4\">\n");
    if (table.name() != null && !table.name().isBlank()) {
      html.append("<caption style=\"text-align:left;font-weight:bold\">")
          .append(escape(table.name()))
          .append("</caption>\n");
    }
    html.append("<thead><tr>");
    for (Column<?> column : table.columns())
      cell(html, "th scope=\"col\"", column, escape(column.name()));
    html.append("</tr></thead>\n<tbody>\n");
    for (int row = 0; row < table.rowCount(); row++) {
      String[] cells = cells(table, row);
      html.append("<tr>");
      for (int c = 0; c < cells.length; c++) {
        boolean names = c == 0 && !isNumber(table.column(c));
        cell(html, names ? ROW_HEADER : "td", table.column(c), escape(cells[c]));
      }
      html.append("</tr>\n");
    }
    return html.append("</tbody></table>\n").toString();
  }

  /** Replaces the characters that mean something in HTML, and makes others {@link Printable}. */
  public static String escape(String text) {
    return Printable.text(text)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }

  private static String[] cells(Table table, int row) {
    String[] cells = new String[table.columnCount()];
    for (int c = 0; c < cells.length; c++) cells[c] = cell(table.column(c), row);
    return cells;
  }

  private static String cell(Column<?> column, int row) {
    if (column.isMissing(row)) return "";
    if (column instanceof DoubleColumn doubles && !hasFormatter(doubles.emptyCopy())) {
      return Ticks.number(doubles.getDouble(row));
    }
    return Printable.line(column.getString(row));
  }

  /** The formatter of a column cannot be asked for, so its work is compared with the default's. */
  private static boolean hasFormatter(DoubleColumn emptyCopy) {
    double third = 1.0 / 3;
    NumberColumnFormatter standard = NumberColumnFormatter.floatingPointDefault();
    standard.setColumnType(emptyCopy.type());
    return !emptyCopy.append(third).getString(0).equals(standard.format(third));
  }

  private static void line(StringBuilder text, Table table, String[] cells, int[] widths) {
    StringBuilder line = new StringBuilder();
    for (int c = 0; c < cells.length; c++) {
      String space = " ".repeat(widths[c] - length(cells[c]));
      line.append(c == 0 ? "" : "  ");
      line.append(isNumber(table.column(c)) ? space + cells[c] : cells[c] + space);
    }
    text.append(line.toString().stripTrailing()).append('\n');
  }

  private static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  private static void cell(StringBuilder html, String tag, Column<?> column, String text) {
    html.append('<').append(tag);
    if (isNumber(column)) {
      html.append(" align=\"right\""); // where JupyterLab puts all cells, and GitHub keeps it
    } else {
      String weight = tag.equals(ROW_HEADER) ? "font-weight:normal;" : "";
      html.append(" style=\"").append(weight).append("text-align:left\"");
    }
    html.append('>').append(text).append("</").append(tag, 0, 2).append('>');
  }

  private static boolean isNumber(Column<?> column) {
    return column instanceof NumericColumn;
  }
}
