package slimvox.study;

import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import slimvox.notebook.Notebook;

/**
 * Says whether the answer to an exercise is right, and if not, what is wrong with it; never the
 * answer.
 *
 * <pre>{@code
 * Check.that("01.1", () -> 15 * 125);      // a number of any type
 * Check.that("01.1", () -> "1.83 GiB");    // with a unit, or "66.5 %" for 0.665
 * Check.that("02.1", () -> new double[] {1, 2});
 * Check.that("02.2", (y1, y2) -> y1 - y2); // a function
 * }</pre>
 */
public final class Check {
  private static final Pattern QUANTITY =
      Pattern.compile("([-+]?[0-9][0-9,]*\\.?[0-9]*(?:[eE][-+]?[0-9]+)?)\\s*([a-zA-Z%]*)");

  /** A comma that is not in front of three digits, such as a decimal one. */
  private static final Pattern ODD_COMMA = Pattern.compile(",(?![0-9]{3}(?![0-9]))");

  /** How much one of a unit is; units of one kind can stand for each other. */
  private record Unit(String kind, double size) {}

  private static final Map<String, Unit> UNITS =
      Map.of(
          "B", new Unit("bytes", 1),
          "kB", new Unit("bytes", 1e3),
          "KiB", new Unit("bytes", 1 << 10),
          "MB", new Unit("bytes", 1e6),
          "MiB", new Unit("bytes", 1 << 20),
          "GB", new Unit("bytes", 1e9),
          "GiB", new Unit("bytes", 1 << 30),
          "%", new Unit("share", 0.01),
          "ms", new Unit("time", 1e-3),
          "s", new Unit("time", 1));

  /** Where functions are compared; no two answers of the exercises agree at all of these. */
  private static final double[] AT = {1.5, -0.75, 0.25, 3, -2.5, 8};

  private Check() {}

  /** An answer that cannot be read; the message says why. */
  private static final class Unreadable extends RuntimeException {
    Unreadable(String message) {
      super(message);
    }
  }

  /**
   * Shows whether an answer is right.
   *
   * @param exercise its number, such as "01.2"
   * @param answer a number, a text with a number and a unit, an array, a list or a word; null as
   *     long as there is none
   */
  public static void that(String exercise, Callable<?> answer) {
    Notebook.text(verdict(exercise, answer));
  }

  /** Shows whether a function of one number is right. */
  public static void that(String exercise, DoubleUnaryOperator answer) {
    that(exercise, () -> answer);
  }

  /** Shows whether a function of two numbers is right. */
  public static void that(String exercise, DoubleBinaryOperator answer) {
    that(exercise, () -> answer);
  }

  static String verdict(String exercise, Callable<?> answer) {
    Exercise asked = Exercise.named(exercise);
    String head = "exercise " + exercise + ": ";
    try {
      Object given = answer.call();
      if (given == null || given instanceof Double d && d.isNaN()) {
        return head + "no answer yet; write it in place of null" + wanted(asked);
      }
      String problem = problem(asked, given);
      return head + (problem == null ? "right" : "not yet: " + problem);
    } catch (Unreadable e) {
      return head + "not yet: " + e.getMessage();
    } catch (Exception e) {
      return head + "your answer ended with " + e.toString().lines().findFirst().orElseThrow();
    }
  }

  private static String wanted(Exercise asked) {
    return asked.unit().isEmpty() ? "" : " (in " + asked.unit() + ")";
  }

  /** What is wrong with an answer; null if nothing is. */
  private static String problem(Exercise asked, Object given) {
    Object right = plain(asked, asked.right());
    Object mine = plain(asked, given);
    if (same(right, mine, asked.tolerance())) return null;
    for (Exercise.Wrong wrong : asked.wrong()) {
      if (same(plain(asked, wrong.answer().get()), mine, asked.tolerance())) return wrong.says();
    }
    if (right instanceof double[] r && mine instanceof double[] m) {
      return difference(r, m, asked.tolerance());
    }
    if (right instanceof double[]) return "numbers are asked for" + wanted(asked);
    return mine instanceof double[]
        ? "a word is asked for, or a list of words"
        : "'" + mine + "' is another one";
  }

  private static String difference(double[] right, double[] mine, double tolerance) {
    if (right.length != mine.length) {
      return "%d numbers are asked for, not %d".formatted(right.length, mine.length);
    }
    if (right.length > 1) {
      int at =
          IntStream.range(0, right.length)
              .filter(i -> !alike(right[i], mine[i], tolerance, largest(right)))
              .findFirst()
              .orElse(0);
      return "number %d is the first that is another one".formatted(at + 1);
    }
    double ratio = mine[0] / right[0];
    if (near(-1, ratio, 0.02)) return "the sign is wrong";
    if (near(100, ratio, 0.02) || near(0.01, ratio, 0.02)) return "percent or fraction?";
    if (near(1, ratio, 0.05)) return "close, but not close enough";
    if (near(right[0], 1 / mine[0], 0.02)) return "upside down";
    return ratio > 1 ? "too large" : "too small";
  }

  /** An answer as an array of numbers in the unit of the exercise, or as words in one form. */
  private static Object plain(Exercise asked, Object given) {
    return switch (given) {
      case Number n -> new double[] {n.doubleValue()};
      case double[] d -> d;
      case float[] f -> IntStream.range(0, f.length).mapToDouble(i -> f[i]).toArray();
      case int[] n -> IntStream.of(n).asDoubleStream().toArray();
      case long[] n -> java.util.stream.LongStream.of(n).asDoubleStream().toArray();
      case DoubleUnaryOperator f -> DoubleStream.of(AT).map(f).toArray();
      case DoubleBinaryOperator f ->
          IntStream.range(1, AT.length)
              .mapToDouble(i -> f.applyAsDouble(AT[i], AT[i - 1]))
              .toArray();
      case Object[] many -> plain(asked, Stream.of(many).toList());
      case Collection<?> many -> all(asked, many);
      default -> words(asked, given.toString());
    };
  }

  private static Object all(Exercise asked, Collection<?> many) {
    return many.stream().allMatch(Number.class::isInstance)
        ? many.stream().mapToDouble(v -> ((Number) v).doubleValue()).toArray()
        : words(asked, String.join(",", many.stream().map(Object::toString).toList()));
  }

  private static Object words(Exercise asked, String text) {
    Matcher quantity = QUANTITY.matcher(text.strip());
    if (!quantity.matches()) {
      return String.join(
          " ",
          Stream.of(text.toLowerCase(Locale.ROOT).split("[,;]| and "))
              .map(word -> word.replaceAll("[^a-z0-9]", ""))
              .filter(word -> !word.isEmpty())
              .sorted()
              .toList());
    }
    String digits = quantity.group(1);
    if (ODD_COMMA.matcher(digits).find()) {
      throw new Unreadable("'" + digits + "' is not one number: a decimal point is a point");
    }
    double number = Double.parseDouble(digits.replace(",", ""));
    String unit = quantity.group(2);
    if (unit.isEmpty() || unit.equals(asked.unit())) return new double[] {number};
    if (asked.unit().isEmpty() && unit.equals("%")) return new double[] {number / 100};
    Unit has = UNITS.get(unit);
    Unit wants = UNITS.get(asked.unit());
    if (has == null || wants == null || !has.kind().equals(wants.kind())) {
      throw new Unreadable(
          asked.unit().isEmpty()
              ? "the answer has no unit, and '" + unit + "' is none of it"
              : "'" + unit + "' is no unit of this; " + asked.unit() + " is asked for");
    }
    return new double[] {number * has.size() / wants.size()};
  }

  /** Whether two answers are alike: numbers as {@link #alike} compares them. */
  private static boolean same(Object a, Object b, double tolerance) {
    if (!(a instanceof double[] x && b instanceof double[] y)) return a.equals(b);
    double largest = largest(x);
    return x.length == y.length
        && IntStream.range(0, x.length).allMatch(i -> alike(x[i], y[i], tolerance, largest));
  }

  /** Of several numbers a small one may be off by a tenth of what the largest may be. */
  private static boolean alike(double right, double mine, double tolerance, double largest) {
    return near(right, mine, tolerance) || near(right, mine, tolerance / 10, largest);
  }

  private static double largest(double[] numbers) {
    return DoubleStream.of(numbers).map(Math::abs).filter(Double::isFinite).max().orElse(0);
  }

  private static boolean near(double right, double mine, double tolerance) {
    return near(right, mine, tolerance, Math.abs(right));
  }

  private static boolean near(double right, double mine, double tolerance, double size) {
    return Double.compare(right, mine) == 0
        || Math.abs(right - mine) <= tolerance * Math.max(size, 1e-9);
  }
}
