package slimvox.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVPrinter;
import tech.tablesaw.api.Table;

/**
 * A table of results whose columns are said once: lines of text, JSON and a Tablesaw table come
 * from them.
 *
 * <pre>{@code
 * Rows<Layer> rows = Rows.of(layers)
 *     .column("name", "layer", "%-20s", Layer::name)
 *     .column("bytes_after", "bytes", " %,12d", Layer::bytesAfter);
 * }</pre>
 *
 * @param <T> what a row is of
 */
public final class Rows<T> {
  /**
   * A column.
   *
   * @param key in JSON; null for a column that is shown only
   * @param heading null for a column that is in JSON only
   * @param format of a cell, with the space before it and its width in lines of text; null for
   *     numbers of a table as {@link Tables} writes them
   */
  record Column<T>(String key, String heading, String format, Function<T, ?> value) {
    private String space() {
      return format.substring(0, format.indexOf('%'));
    }

    private int width() {
      Object zero = format.contains("f") ? (Object) 0.0 : format.contains("d") ? 0 : "";
      return String.format(Locale.ROOT, format, zero).length() - space().length();
    }

    /** The heading, at the side where the texts or numbers below it begin or end. */
    private String shownHeading() {
      int width = format.contains("-") ? -width() : width();
      return space() + ("%" + width + "s").formatted(heading);
    }

    private int shownWidth(List<T> rows) {
      int width = shownHeading().length();
      for (T row : rows) width = Math.max(width, cell(row).length());
      return width;
    }

    private String padded(String cell, int width) {
      String more = " ".repeat(width - cell.length());
      return format.contains("-") ? cell + more : more + cell;
    }

    private String cell(T row) {
      Object shown = value.apply(row);
      if (shown == null) return space() + " ".repeat(width());
      String text = String.format(Locale.ROOT, format, shown);
      return shown instanceof Number ? text.replace("Infinity", "∞") : text;
    }
  }

  private final List<T> rows;
  private final List<Column<T>> columns = new ArrayList<>();

  private Rows(Collection<T> rows) {
    this.rows = List.copyOf(rows);
  }

  /** A table without columns. */
  public static <T> Rows<T> of(Collection<T> rows) {
    return new Rows<>(rows);
  }

  /**
   * Adds a column.
   *
   * @param key in JSON; null for a column that is shown only
   * @param heading null for a column that is in JSON only
   * @param format of a cell, with the space before it and its width, for example {@code " %,12d"}
   * @param value of a row; null for an empty cell
   */
  public Rows<T> column(String key, String heading, String format, Function<T, ?> value) {
    columns.add(new Column<>(key, heading, format, value));
    return this;
  }

  /** Adds a column that is in JSON only. */
  public Rows<T> column(String key, Function<T, ?> value) {
    return column(key, null, null, value);
  }

  /** Adds a column that is shown only. */
  public Rows<T> column(String heading, String format, Function<T, ?> value) {
    return column(null, heading, format, value);
  }

  /** A line of headings and a line for each row; a column is as wide as its widest cell. */
  public String text() {
    List<Column<T>> shown = columns.stream().filter(c -> c.heading != null).toList();
    int[] widths = shown.stream().mapToInt(c -> c.shownWidth(rows)).toArray();
    StringBuilder text = new StringBuilder();
    for (int r = -1; r < rows.size(); r++) {
      for (int c = 0; c < widths.length; c++) {
        Column<T> column = shown.get(c);
        text.append(
            column.padded(r < 0 ? column.shownHeading() : column.cell(rows.get(r)), widths[c]));
      }
      text.append('\n');
    }
    return text.toString();
  }

  /** An object for each row. */
  public List<Map<String, Object>> json() {
    return rows.stream().map(this::values).toList();
  }

  /** The object of a row. */
  private Map<String, Object> values(T row) {
    Values values = new Values();
    for (Column<T> c : columns) if (c.key != null) values.put(c.key, c.value.apply(row));
    return values;
  }

  /** The same values as JSON has, with a comma between: a line of keys and a line for each row. */
  public String csv() {
    StringBuilder text = new StringBuilder();
    try (CSVPrinter csv = new CSVPrinter(text, CSVFormat.DEFAULT)) {
      csv.printRecord(columns.stream().map(Column::key).filter(Objects::nonNull));
      for (Map<String, Object> row : json()) csv.printRecord(row.values());
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory only: cannot happen
    }
    return text.toString();
  }

  /** The table for a notebook. */
  public Table table() {
    return Tables.of(rows, columns.stream().filter(c -> c.heading != null).toList());
  }
}
