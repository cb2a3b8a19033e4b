package slimvox.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;

/**
 * Writes JSON in one line with Jackson's generator alone: its object mapper takes a quarter of a
 * second to load, half of what {@code slimvox memory} needs.
 */
public final class JsonLine {
  private JsonLine() {}

  /** The map as one line; values are maps, lists, texts, numbers (NaN: null), booleans or null. */
  public static String of(Map<String, Object> values) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      write(json, values);
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
          json.writeFieldName(entry.getKey().toString());
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
