package slimvox.recipe;

import java.util.List;
import slimvox.storage.InputException;

/** A setting with a value that is not possible; the reader adds the file and the line. */
public final class InvalidSetting extends InputException {
  /** The dotted key, for example {@code model.width}. */
  final String key;

  public InvalidSetting(String key, String problem) {
    super(key + ": " + problem);
    this.key = key;
  }

  static void range(String key, double value, double least, double most) {
    if (value >= least && value <= most) return;
    throw new InvalidSetting(
        key, number(value) + " is not possible; allowed is " + range(least, most));
  }

  static void above(String key, double value, double bound) {
    if (value > bound && value < Double.POSITIVE_INFINITY) return;
    throw new InvalidSetting(
        key, number(value) + " is not possible; allowed is anything above " + number(bound));
  }

  static void text(String key, String value) {
    if (value == null || value.isBlank()) throw new InvalidSetting(key, "is empty");
    // Line ends and the like would also come back changed from a YAML file.
    if (value.codePoints().anyMatch(InvalidSetting::isInvisible)) {
      throw new InvalidSetting(key, "holds a control character");
    }
  }

  private static boolean isInvisible(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE,
          Character.UNASSIGNED ->
          true;
      default -> c == 0xFEFF;
    };
  }

  static void oneOf(String key, String value, List<String> allowed) {
    if (value != null && allowed.contains(value)) return;
    throw new InvalidSetting(
        key, value + " is not possible; allowed is " + String.join(", ", allowed));
  }

  private static String range(double least, double most) {
    return most == Double.POSITIVE_INFINITY
        ? "at least " + number(least)
        : number(least) + " to " + number(most);
  }

  private static String number(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
