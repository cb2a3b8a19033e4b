package slimvox.report;

import java.util.Locale;
import tech.tablesaw.columns.numbers.NumberColumnFormatter;

/** Writes the numbers of a column with the same number of decimals, so that they line up. */
public final class Decimals extends NumberColumnFormatter {
  private final String format;

  /** Numbers with this many digits behind the point, and commas between thousands. */
  public Decimals(int decimals) {
    this("%,." + decimals + "f");
  }

  /** Numbers in a format such as {@code "%,.1f"}. */
  Decimals(String format) {
    this.format = format;
  }

  @Override
  public String format(double value) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, format, value);
  }

  @Override
  public String format(int value) {
    return format((double) value);
  }

  @Override
  public String format(long value) {
    return format((double) value);
  }
}
