package slimvox.report;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * The values of a result by key. They become JSON as they are ({@link JsonLine}), and lines of text
 * by a template that names their keys, so that no number is written twice.
 */
public final class Values extends LinkedHashMap<String, Object> {
  private static final Pattern PLACE = Pattern.compile("\\{(\\w+)(?::([^}]*))?}");

  /** Puts a value and returns this. */
  public Values with(String key, Object value) {
    put(key, value);
    return this;
  }

  /**
   * A template with its places filled: <code>{key}</code> by the value, <code>{key:%,.1f}</code> by
   * the value in a format, <code>{key:%,.2f MiB}</code> by a count of bytes in MiB.
   *
   * @throws IllegalArgumentException if a place names no value
   */
  public String text(String template) {
    return PLACE
        .matcher(template)
        .replaceAll(
            place ->
                java.util.regex.Matcher.quoteReplacement(shown(place.group(1), place.group(2))));
  }

  private String shown(String key, String format) {
    if (!containsKey(key)) throw new IllegalArgumentException("there is no value " + key);
    Object value = get(key);
    if (format == null) return String.valueOf(value);
    if (format.endsWith("MiB")) value = Bytes.mib(((Number) value).doubleValue());
    return String.format(Locale.ROOT, format, value);
  }
}
