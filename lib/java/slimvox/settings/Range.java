package slimvox.settings;

import java.util.Arrays;
import java.util.List;
import java.util.function.DoublePredicate;

/**
 * The numbers that a setting may have.
 *
 * @param words that say so, after "allowed is"
 * @param holds whether a number is one of them
 */
record Range(String words, DoublePredicate holds) {
  private static final String COUNTED = "\\d+(, \\d+)*";

  /** Reads {@code 1..4096}, {@code >0} and {@code 32, 8}; other words allow every number. */
  static Range of(String text) {
    if (text.matches("\\S+\\.\\.\\S+")) {
      String[] ends = text.split("\\.\\.");
      double least = Double.parseDouble(ends[0]);
      double most = Double.parseDouble(ends[1]);
      return new Range(text(least) + " to " + text(most), v -> v >= least && v <= most);
    }
    if (text.startsWith(">")) {
      double bound = Double.parseDouble(text.substring(1));
      return new Range(
          "anything above " + text(bound), v -> v > bound && v < Double.POSITIVE_INFINITY);
    }
    if (text.matches(COUNTED)) {
      List<Double> values = Arrays.stream(text.split(", ")).map(Double::valueOf).toList();
      return new Range(text, values::contains);
    }
    return new Range(text, v -> true);
  }

  /** The numbers, where they are counted; else none. */
  List<String> counted() {
    return words.matches(COUNTED) ? List.of(words.split(", ")) : List.of();
  }

  /** A number without ".0". */
  static String text(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
