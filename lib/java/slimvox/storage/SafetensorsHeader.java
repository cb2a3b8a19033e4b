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

  /**
   * Reads and checks a header.
   *
   * @param header the JSON text as it stands in the file
   * @param dataBytes bytes of the file after the header
   */
  static SafetensorsHeader parse(Path file, byte[] header, long dataBytes) {
    JsonNode root;
    try {
      root = JSON.readTree(header);
    } catch (JsonProcessingException e) {
      long place = e.getLocation() == null ? -1 : e.getLocation().getByteOffset();
      throw bad(
          file,
          "header is not valid JSON"
              + (place < 0 ? "" : " at byte " + (8 + place))
              + " ("
              + oneLine(e.getOriginalMessage())
              + ")");
    } catch (IOException e) {
      throw bad(file, "header is not valid JSON (" + oneLine(e.getMessage()) + ")");
    }
    if (root == null || !root.isObject()) throw bad(file, "header is not a JSON object");
    Map<String, String> metadata = new LinkedHashMap<>();
    List<Entry> entries = new ArrayList<>();
    for (Map.Entry<String, JsonNode> field : root.properties()) {
      if (field.getKey().equals(METADATA)) {
        readMetadata(file, field.getValue(), metadata);
      } else {
        entries.add(readEntry(file, field.getKey(), field.getValue()));
      }
    }
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    checkCover(file, entries, 8L + header.length, dataBytes);
    Map<String, Entry> tensors = new LinkedHashMap<>();
    for (Entry entry : entries) tensors.put(entry.name(), entry);
    return new SafetensorsHeader(metadata, tensors);
  }

  private static void readMetadata(Path file, JsonNode node, Map<String, String> metadata) {
    if (!node.isObject()) throw bad(file, METADATA + " is not a JSON object");
    for (Map.Entry<String, JsonNode> field : node.properties()) {
      if (!field.getValue().isTextual()) {
        throw bad(file, METADATA + " entry " + field.getKey() + " is not a text");
      }
      metadata.put(field.getKey(), field.getValue().textValue());
    }
  }

  private static Entry readEntry(Path file, String name, JsonNode node) {
    String tensor = "tensor " + oneLine(name);
    if (!node.isObject()) throw bad(file, tensor + " is not a JSON object");
    for (String key : (Iterable<String>) node::fieldNames) {
      if (!List.of("dtype", "shape", "data_offsets").contains(key)) {
        throw bad(file, tensor + " has the unknown entry " + oneLine(key));
      }
    }
    JsonNode type = node.get("dtype");
    if (type == null || !type.isTextual()) throw bad(file, tensor + " has no dtype");
    Dtype dtype = Dtype.named(type.textValue());
    long[] shape = longs(file, tensor, "shape", node.get("shape"));
    long[] offsets = longs(file, tensor, "data_offsets", node.get("data_offsets"));
    if (offsets.length != 2 || offsets[0] > offsets[1]) {
      throw bad(file, tensor + " needs data_offsets [begin, end] with begin <= end");
    }
    long bytes;
    try {
      bytes = dtype == null ? 1 : dtype.bytes; // an element may also take a part of a byte
      for (long size : shape) bytes = Math.multiplyExact(bytes, size);
    } catch (ArithmeticException e) {
      throw bad(file, tensor + " has a shape with more bytes than a file can hold");
    }
    if (dtype != null && bytes != offsets[1] - offsets[0]) {
      throw bad(
          file,
          tensor
              + " of "
              + bytes
              + " bytes by type and shape has "
              + (offsets[1] - offsets[0])
              + " bytes of data");
    }
    return new Entry(name, type.textValue(), dtype, shape, offsets[0], offsets[1]);
  }

  private static long[] longs(Path file, String tensor, String key, JsonNode node) {
    if (node == null || !node.isArray()) throw bad(file, tensor + " has no list " + key);
    long[] values = new long[node.size()];
    for (int i = 0; i < values.length; i++) {
      JsonNode value = node.get(i);
      if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
        throw bad(file, tensor + ": " + key + " holds something that is not a size");
      }
      values[i] = value.longValue();
    }
    return values;
  }

  private static void checkCover(Path file, List<Entry> entries, long start, long dataBytes) {
    long covered = 0;
    String previous = null;
    for (Entry entry : entries) {
      if (entry.begin() < covered) {
        throw bad(
            file,
            "tensors "
                + oneLine(previous)
                + " and "
                + oneLine(entry.name())
                + " overlap at byte "
                + (start + entry.begin()));
      }
      if (entry.begin() > covered) {
        throw bad(
            file,
            "no tensor owns the bytes from "
                + (start + covered)
                + " to "
                + (start + entry.begin())
                + ", before tensor "
                + oneLine(entry.name()));
      }
      if (entry.end() > dataBytes) {
        throw InputException.of(
            "%s: cut short: tensor %s ends %s bytes after the file, which has %s; copy it again or"
                + " use an earlier checkpoint",
            file, oneLine(entry.name()), entry.end() - dataBytes, start + dataBytes);
      }
      covered = entry.end();
      previous = entry.name();
    }
    if (covered < dataBytes) {
      throw bad(
          file,
          "no tensor owns the last " + (dataBytes - covered) + " bytes, from " + (start + covered));
    }
  }

  private static InputException bad(Path file, String what) {
    return InputException.at(file, "not a valid safetensors file: %s", what);
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
