package slimvox.settings;

import java.util.function.UnaryOperator;
import slimvox.storage.InputException;

/** A setting with a value that is not possible; the reader adds the file and the line. */
public final class InvalidSetting extends InputException {
  private final String key;
  private final String problem;
  private final String other;

  private InvalidSetting(String key, String message, String problem, String other) {
    super(message);
    this.key = key;
    this.problem = problem;
    this.other = other;
  }

  /** A problem with one setting, by its dotted key, for example {@code model.width}. */
  public InvalidSetting(String key, String problem) {
    this(key, key + ": " + problem, problem, null);
  }

  /** A value that is not one of those allowed. */
  public static InvalidSetting notAllowed(String key, Object value, String allowed) {
    String problem = value + " is not possible; allowed is " + allowed;
    return new InvalidSetting(key, key + ": " + problem, problem, "");
  }

  /** Another setting's value needs this one: the place is the other's. */
  public static InvalidSetting needed(String key, String other, String problem) {
    return new InvalidSetting(other, key + " " + problem, key + " " + problem, null);
  }

  /**
   * A value that means nothing with that of another setting.
   *
   * @param with the other value in words, for example {@code 32 bits}
   * @param otherKey the key of the other setting
   * @param otherValue its value
   */
  static InvalidSetting noEffect(
      String key, Object value, String with, String otherKey, Object otherValue) {
    String effect = value + " has no effect with ";
    return new InvalidSetting(key, key + ": " + effect + with, effect, otherKey + " " + otherValue);
  }

  /** The dotted key, for example {@code model.width}. */
  public String key() {
    return key;
  }

  /** What is wrong, without the key. */
  public String problem() {
    return problem;
  }

  /**
   * The same said of short options, {@code --width 0 is not possible; give 1 to 4096}.
   *
   * @param flags an option for each key, or null
   * @return null where a value is not out of range or without effect, or the key has no option
   */
  public String ofFlags(UnaryOperator<String> flags) {
    String flag = flags.apply(key);
    if (other == null || flag == null) return null;
    String said = flag + " " + problem.replace("; allowed is ", "; give ");
    if (other.isEmpty()) return said.replaceAll("(\\d), (\\d+)$", "$1 or $2");
    String[] with = other.split(" ", 2);
    String named = flags.apply(with[0]);
    return said + (named == null ? with[0] : named) + " " + with[1];
  }
}
