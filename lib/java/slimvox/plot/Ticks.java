package slimvox.plot;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Where the ticks of an axis stand, and how numbers are written beside them. */
public final class Ticks {
  private Ticks() {}

  /** A tick: its place in the axis's own unit, see {@link Axis#place}, and a text, or none. */
  record Tick(double place, String label) {}

  /** The ticks of an axis that shows the places from {@code low} to {@code high}. */
  static List<Tick> of(Axis axis, double low, double high, int atMost) {
    if (axis.ticks().length > 0) return given(axis, low, high);
    return axis.scale() == Axis.Scale.LOG ? log(low, high, atMost) : linear(low, high, atMost);
  }

  private static List<Tick> given(Axis axis, double low, double high) {
    List<Tick> ticks = new ArrayList<>();
    for (int i = 0; i < axis.ticks().length; i++) {
      double place = axis.place(axis.ticks()[i]);
      if (place >= low && place <= high) ticks.add(new Tick(place, axis.tickLabels()[i]));
    }
    return ticks;
  }

  private static List<Tick> linear(double low, double high, int atMost) {
    double step = step(high - low, atMost);
    List<Tick> ticks = new ArrayList<>();
    for (long i = (long) Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
      ticks.add(new Tick(i * step, number(i * step, step)));
    }
    return ticks;
  }

  /** The smallest of 1, 2, 2.5, 5 times a power of ten that cuts {@code span} into few steps. */
  static double step(double span, int atMost) {
    double power = Math.pow(10, Math.floor(Math.log10(span / atMost)));
    for (double factor : new double[] {1, 2, 2.5, 5}) {
      if (span / (factor * power) <= atMost) return factor * power;
    }
    return 10 * power;
  }

  /** As many round digits of each power of ten as there is room for, or every few powers. */
  private static List<Tick> log(double low, double high, int atMost) {
    for (double[] digits : new double[][] {{1, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}, {1}}) {
      List<Tick> ticks = log(low, high, digits, 1);
      if (ticks.size() < 2) break;
      if (ticks.size() <= atMost) return ticks;
    }
    int powers = (int) (Math.floor(high + 1e-9) - Math.ceil(low - 1e-9)) + 1;
    if (powers < 2) return narrow(low, high, atMost);
    return log(Math.ceil(low - 1e-9), high, new double[] {1}, Math.ceilDiv(powers, atMost));
  }

  private static List<Tick> log(double low, double high, double[] digits, int every) {
    List<Tick> ticks = new ArrayList<>();
    for (int power = (int) Math.floor(low); power <= Math.ceil(high); power += every) {
      for (double digit : digits) {
        double place = power + Math.log10(digit);
        if (place >= low - 1e-9 && place <= high + 1e-9) {
          ticks.add(new Tick(place, number(digit * Math.pow(10, power))));
        }
      }
    }
    return ticks;
  }

  /** A logarithmic axis with less than two round digits: round numbers between its ends. */
  private static List<Tick> narrow(double low, double high, int atMost) {
    double first = Math.pow(10, low);
    double last = Math.pow(10, high);
    return linear(first, last, Math.max(2, Math.min(atMost, 5))).stream()
        .map(tick -> new Tick(Math.log10(tick.place), number(tick.place)))
        .toList();
  }

  /** A number as a reader would write it: four significant digits, thousands grouped. */
  public static String number(double value) {
    if (Double.isNaN(value)) return "";
    if (Double.isInfinite(value)) return value > 0 ? "∞" : "-∞";
    double size = Math.abs(value);
    if (size == 0) return "0";
    if (size >= 1e9 || size < 1e-4) return scientific(value);
    int decimals = Math.max(0, 3 - (int) Math.floor(Math.log10(size)));
    return trimmed(String.format(Locale.ROOT, "%,." + decimals + "f", value));
  }

  private static String number(double value, double step) {
    double size = Math.abs(value);
    if (size < 1e-9 * step) return "0";
    if (size >= 1e9 || step < 1e-5) return scientific(value);
    int decimals = Math.max(0, (int) Math.ceil(-Math.log10(step) - 1e-9));
    if (Math.abs(step * Math.pow(10, decimals) - Math.rint(step * Math.pow(10, decimals))) > 1e-6) {
      decimals++;
    }
    return String.format(Locale.ROOT, "%,." + decimals + "f", value);
  }

  private static String scientific(double value) {
    String text = String.format(Locale.ROOT, "%.3e", value);
    int e = text.indexOf('e');
    return trimmed(text.substring(0, e)) + "e" + Integer.parseInt(text.substring(e + 1));
  }

  private static String trimmed(String number) {
    return number.indexOf('.') < 0 ? number : number.replaceAll("0+$", "").replaceAll("\\.$", "");
  }
}
