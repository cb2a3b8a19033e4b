package slimvox.report;

import java.util.Locale;
import tech.tablesaw.columns.numbers.NumberColumnFormatter;

/** Byte counts as text; MiB means 2^20 bytes. */
public final class Bytes {
  private static final double KIB = 1024;
  private static final double MIB = 1024 * 1024;

  private Bytes() {}

  /**
   * Writes a byte count with three significant digits or more (two from 0.1 to 1 MiB; bytes as they
   * are): {@code 512 B}, {@code 3.50 KiB}, {@code 12.3 MiB}, {@code 11,264 MiB}.
   *
   * <p>The unit is MiB from a tenth of a MiB upwards, and never GiB, so that the rows of one column
   * compare.
   *
   * @param bytes the count, in bytes; negative counts keep their sign
   */
  public static String format(double bytes) {
    double size = Math.abs(bytes);
    if (size >= 0.1 * MIB) return number(bytes / MIB) + " MiB";
    if (size >= KIB) return number(bytes / KIB) + " KiB";
    return String.format(Locale.ROOT, "%.0f B", bytes);
  }

  /** Converts bytes to MiB (2^20 bytes), for the axis of a figure. */
  public static double mib(double bytes) {
    return bytes / MIB;
  }

  /**
   * A formatter for a Tablesaw column of byte counts: {@code
   * column.setPrintFormatter(Bytes.formatter())}.
   */
  public static NumberColumnFormatter formatter() {
    return new Decimals(Bytes::format);
  }

  private static String number(double value) {
    double size = Math.abs(value);
    String pattern = size >= 100 ? "%,.0f" : size >= 10 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, pattern, value);
  }
}
