package slimvox.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.memory.Category;

/**
 * The values of a result by key. They become JSON as they are, and lines of text by a template that
 * names their keys, so that no number is written twice.
 *
 * <p>JSON is written with Jackson's generator alone: its object mapper takes a quarter of a second
 * to load, half of what {@code slimvox memory} needs.
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
   * the value in a format, <code>{key:%,.2f MiB}</code> by a count of bytes in MiB, <code>{key:s}
   * </code> by the s of a plural, by nothing where the value is 1.
   *
   * @throws IllegalArgumentException if a place names no value
   */
  public String text(String template) {
    return PLACE
        .matcher(template)
        .replaceAll(place -> Matcher.quoteReplacement(shown(place.group(1), place.group(2))));
  }

  private String shown(String key, String format) {
    if (!containsKey(key)) throw new IllegalArgumentException("there is no value " + key);
    Object value = get(key);
    if (format == null) return String.valueOf(value);
    if (format.equals("s")) return ((Number) value).longValue() == 1 ? "" : "s";
    if (format.endsWith("MiB")) value = Bytes.mib(((Number) value).doubleValue());
    return String.format(Locale.ROOT, format, value);
  }

  /**
   * One line of JSON; values are maps (also by {@link Category}), lists, texts, numbers (NaN:
   * null), booleans or null.
   */
  public String json() {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      write(json, this);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory only: cannot happen
    }
    return text.toString();
  }

  private static void write(JsonGenerator json, Object value) throws IOException {
    switch (value) {
      case null -> json.writeNull();
      case Map<?, ?> map -> {
        json.writeStartObject();
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          json.writeFieldName(entry.getKey() instanceof Category c ? c.key() : entry.getKey() + "");
          write(json, entry.getValue());
        }
        json.writeEndObject();
      }
      case List<?> list -> {
        json.writeStartArray();
        for (Object element : list) write(json, element);
        json.writeEndArray();
      }
      case Boolean truth -> json.writeBoolean(truth);
      case Integer number -> json.writeNumber(number);
      case Long number -> json.writeNumber(number);
      case Number number when Double.isFinite(number.doubleValue()) ->
          json.writeNumber(number.doubleValue());
      case Number _ -> json.writeNull(); // JSON has no NaN
      default -> json.writeString(value.toString());
    }
  }
}
