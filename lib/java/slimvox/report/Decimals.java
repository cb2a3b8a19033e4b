package slimvox.report;

import java.util.Locale;
import java.util.function.DoubleFunction;
import tech.tablesaw.columns.numbers.NumberColumnFormatter;

/** Writes the numbers of a column with the same number of decimals, so that they line up. */
public final class Decimals extends NumberColumnFormatter {
  private final DoubleFunction<String> text;

  /** Numbers with this many digits behind the point, and commas between thousands. */
  public Decimals(int decimals) {
    this("%,." + decimals + "f");
  }

  /** Numbers in a format such as {@code "%,.1f"}. */
  Decimals(String format) {
    this(value -> String.format(Locale.ROOT, format, value));
  }

  /** Numbers as this function writes them. */
  Decimals(DoubleFunction<String> text) {
    this.text = text;
  }

  @Override
  public String format(double value) {
    return Double.isNaN(value) ? "" : text.apply(value);
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
