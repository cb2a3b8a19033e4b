package slimvox.storage;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The JSON header of a safetensors file: what it holds and where.
 *
 * <p>Offsets count from the first byte after the header. The header is accepted only if its tensors
 * cover the rest of the file exactly: no byte twice, none left over.
 *
 * @param metadata the {@code __metadata__} entry
 * @param tensors by name, in the order of their data
 */
record SafetensorsHeader(Map<String, String> metadata, Map<String, Entry> tensors) {
  static final String METADATA = "__metadata__";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .build();

  /**
   * Where one tensor lies.
   *
   * @param type the element type as the header names it
   * @param dtype the element type; null for one whose values cannot be read here
   * @param begin first byte, counted from the end of the header
   * @param end one past the last byte
   */
  record Entry(String name, String type, Dtype dtype, long[] shape, long begin, long end) {}

  /** Reads and checks a header, the JSON of a file with so many bytes of data behind it. */
  static SafetensorsHeader parse(Path file, byte[] header, long dataBytes) {
    return new Parser(file).parse(header, dataBytes);
  }

  private record Parser(Path file) {
    SafetensorsHeader parse(byte[] header, long dataBytes) {
      JsonNode root;
      try {
        root = JSON.readTree(header);
      } catch (IOException e) {
        boolean isJson = e instanceof JsonProcessingException;
        String message =
            isJson ? ((JsonProcessingException) e).getOriginalMessage() : e.getMessage();
        var location = isJson ? ((JsonProcessingException) e).getLocation() : null;
        long place = location == null ? -1 : location.getByteOffset();
        String at = place < 0 ? "" : " at byte " + (8 + place);
        throw bad("header is not valid JSON%s (%s)", at, oneLine(message));
      }
      if (root == null || !root.isObject()) throw bad("header is not a JSON object");
      Map<String, String> metadata = new LinkedHashMap<>();
      List<Entry> entries = new ArrayList<>();
      for (Map.Entry<String, JsonNode> field : root.properties()) {
        if (field.getKey().equals(METADATA)) readMetadata(field.getValue(), metadata);
        else entries.add(entry(field.getKey(), field.getValue()));
      }
      entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
      checkCover(entries, 8L + header.length, dataBytes);
      Map<String, Entry> tensors = new LinkedHashMap<>();
      for (Entry entry : entries) tensors.put(entry.name(), entry);
      return new SafetensorsHeader(metadata, tensors);
    }

    private void readMetadata(JsonNode node, Map<String, String> metadata) {
      if (!node.isObject()) throw bad("%s is not a JSON object", METADATA);
      for (Map.Entry<String, JsonNode> field : node.properties()) {
        if (!field.getValue().isTextual()) {
          throw bad("%s entry %s is not a text", METADATA, field.getKey());
        }
        metadata.put(field.getKey(), field.getValue().textValue());
      }
    }

    private Entry entry(String name, JsonNode node) {
      String tensor = oneLine(name);
      if (!node.isObject()) throw bad("tensor %s is not a JSON object", tensor);
      for (String key : (Iterable<String>) node::fieldNames) {
        if (List.of("dtype", "shape", "data_offsets").contains(key)) continue;
        throw bad("tensor %s has the unknown entry %s", tensor, oneLine(key));
      }
      JsonNode type = node.get("dtype");
      if (type == null || !type.isTextual()) throw bad("tensor %s has no dtype", tensor);
      Dtype dtype = Dtype.named(type.textValue());
      long[] shape = longs(tensor, "shape", node);
      long[] offsets = longs(tensor, "data_offsets", node);
      if (offsets.length != 2 || offsets[0] > offsets[1]) {
        throw bad("tensor %s needs data_offsets [begin, end] with begin <= end", tensor);
      }
      long data = offsets[1] - offsets[0];
      long bytes;
      try {
        bytes = dtype == null ? 1 : dtype.bytes; // an element may also take a part of a byte
        for (long size : shape) bytes = Math.multiplyExact(bytes, size);
      } catch (ArithmeticException e) {
        throw bad("tensor %s has a shape with more bytes than a file can hold", tensor);
      }
      if (dtype != null && bytes != data) {
        throw bad(
            "tensor %s of %d bytes by type and shape has %d bytes of data", tensor, bytes, data);
      }
      return new Entry(name, type.textValue(), dtype, shape, offsets[0], offsets[1]);
    }

    private long[] longs(String tensor, String key, JsonNode of) {
      JsonNode node = of.get(key);
      if (node == null || !node.isArray()) throw bad("tensor %s has no list %s", tensor, key);
      long[] values = new long[node.size()];
      for (int i = 0; i < values.length; i++) {
        JsonNode value = node.get(i);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
          throw bad("tensor %s: %s holds something that is not a size", tensor, key);
        }
        values[i] = value.longValue();
      }
      return values;
    }

    private void checkCover(List<Entry> entries, long start, long dataBytes) {
      long covered = 0;
      String previous = null;
      for (Entry entry : entries) {
        String tensor = oneLine(entry.name());
        long begin = start + entry.begin();
        if (entry.begin() < covered) {
          throw bad("tensors %s and %s overlap at byte %d", previous, tensor, begin);
        }
        if (entry.begin() > covered) {
          throw bad(
              "no tensor owns the bytes from %d to %d, before tensor %s",
              start + covered, begin, tensor);
        }
        if (entry.end() > dataBytes) {
          throw InputException.of(
              "%s: cut short: tensor %s ends %d bytes after the file, which has %d; copy it again"
                  + " or use an earlier checkpoint",
              file, tensor, entry.end() - dataBytes, start + dataBytes);
        }
        covered = entry.end();
        previous = tensor;
      }
      if (covered < dataBytes) {
        long left = dataBytes - covered;
        throw bad("no tensor owns the last %d bytes, from %d", left, start + covered);
      }
    }

    private InputException bad(String format, Object... values) {
      return InputException.at(file + ": not a valid safetensors file", format, values);
    }
  }

  /** Text from a file or a library as part of a one-line message. */
  static String oneLine(String text) {
    if (text == null) return "no reason given";
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < Math.min(text.length(), 200); i++) {
      char c = text.charAt(i);
      line.append(c < ' ' || c == 0x7f || c == '\u0085' || c == '\u2028' ? '?' : c);
    }
    return text.length() > 200 ? line + "..." : line.toString();
  }
}
