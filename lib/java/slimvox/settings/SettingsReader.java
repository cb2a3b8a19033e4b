package slimvox.settings;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;

/**
 * YAML and {@code key=value} to a record of settings.
 *
 * <p>Values are collected, each with the place it came from; {@link #build} lays them over the
 * defaults. A value that is none is kept as the {@link InvalidSetting} that says so: a setting
 * given later may take its place.
 */
final class SettingsReader<T extends Record> {
  /** What other programs call a setting, without underscores: for hints only. */
  private static final Map<String, String> ELSEWHERE =
      Map.of(
          "lr", "learningRate",
          "batchsize", "batch",
          "epochs", "length",
          "steps", "length",
          "numworkers", "loaderThreads",
          "device", "backend",
          "dtype", "precision");

  private static final int MOST_BYTES = 1 << 20;

  private static final Pattern SIMPLE = Pattern.compile("-?(0|[1-9][0-9]*)(\\.[0-9]+)?|true|false");

  /** Loaded when it is needed first. */
  private static final class Yaml {
    static final YAMLFactory FACTORY =
        YAMLFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
  }

  private final Declared<T> declared;
  private final String name;
  private final Map<String, Object> values;
  private final Map<String, String> places;

  private SettingsReader(
      Declared<T> declared, String name, Map<String, Object> values, Map<String, String> places) {
    this.declared = declared;
    this.name = name;
    this.values = values;
    this.places = places;
  }

  static <T extends Record> SettingsReader<T> of(Declared<T> declared, T record) {
    return new SettingsReader<>(declared, "recipe", declared.values(record), new HashMap<>());
  }

  static <T extends Record> SettingsReader<T> read(Declared<T> declared, Path file) {
    if (Files.isDirectory(file)) throw new InputException(file + ": is a folder, not a recipe");
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MOST_BYTES + 1); // a device has no size
      if (bytes.length > MOST_BYTES) {
        throw new InputException(file + ": is not a recipe: larger than " + MOST_BYTES + " bytes");
      }
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      if (text.startsWith("\uFEFF")) text = text.substring(1); // some editors begin so
      return parse(declared, text, file.toString());
    } catch (NoSuchFileException e) {
      throw new InputException(file + ": no such file", e);
    } catch (CharacterCodingException e) {
      throw new InputException(file + ": is not text in UTF-8", e);
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read (" + firstLine(e.getMessage()) + ")", e);
    }
  }

  static <T extends Record> SettingsReader<T> parse(
      Declared<T> declared, String text, String name) {
    SettingsReader<T> reader =
        new SettingsReader<>(declared, name, new LinkedHashMap<>(), new HashMap<>());
    try (YAMLParser parser = Yaml.FACTORY.createParser(text)) {
      JsonToken first = parser.nextToken();
      if (first == null) throw new InputException(name + ": holds no settings");
      if (first != JsonToken.START_OBJECT) {
        throw new InputException(name + ": line 1: is not a recipe, lines of key: value");
      }
      reader.section(parser, "");
      if (parser.nextToken() != null) {
        throw new InputException(
            name + ": line " + line(parser) + ": a second document; a recipe is one");
      }
      return reader;
    } catch (JsonProcessingException e) {
      if (e.getCause() instanceof MarkedYAMLException yaml && yaml.getProblem().contains("TAB")) {
        int line = yaml.getProblemMark().getLine() + 1;
        throw new InputException(
            name + ": line " + line + ": not valid YAML (a tab; indent with blanks)", e);
      }
      String place = e.getLocation() == null ? "" : "line " + e.getLocation().getLineNr() + ": ";
      throw new InputException(
          name + ": " + place + "not valid YAML (" + firstLine(e.getOriginalMessage()) + ")", e);
    } catch (IOException | YAMLException e) {
      throw new InputException(name + ": not valid YAML (" + firstLine(e.getMessage()) + ")", e);
    }
  }

  /** Reads the entries of one section and notes the line of each. */
  private void section(YAMLParser parser, String prefix) throws IOException {
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = prefix + parser.currentName();
      String place = this.name + ": line " + line(parser);
      places.put(name, place);
      Key key = known(name, place);
      parser.nextToken();
      requirePlain(parser, place + ": " + name);
      if (key.isSection() && parser.currentToken() == JsonToken.START_OBJECT) {
        section(parser, name + ".");
      } else {
        values.put(name, value(parser, key, place + ": " + name));
      }
    }
  }

  /** Reads a value as its setting means it: in YAML 1.1 no is false, and 010 is 8. */
  private static Object value(YAMLParser parser, Key key, String place) throws IOException {
    requirePlain(parser, place);
    JsonToken token = parser.currentToken();
    if (token == JsonToken.VALUE_NULL) return null;
    if (token == JsonToken.START_ARRAY && key.isList()) return list(parser, key, place);
    if (!token.isScalarValue()) {
      return key.wrong(firstLine(new YAMLMapper().readTree(parser).toString()));
    }
    String text = parser.getText();
    if (key.isOrOne()) return List.of(key.element().value(text, true));
    if (!key.isSection() && !key.isList()) {
      return key.value(text, !token.isNumeric() && !token.isBoolean());
    }
    return key.wrong(firstLine(token.isNumeric() ? text : "'" + text + "'"));
  }

  private static Object list(YAMLParser parser, Key key, String place) throws IOException {
    List<Object> values = new ArrayList<>();
    List<String> found = new ArrayList<>();
    boolean wrong = false;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      Object value = value(parser, key.element(), place);
      boolean isNull = parser.currentToken() == JsonToken.VALUE_NULL;
      String text = isNull || value instanceof InvalidSetting ? parser.getText() : "";
      if (isNull && key.element().isText()) {
        value = text.length() > 1 ? text : null; // the word null, but not ~
      } else if (isNull) {
        value = Double.NaN;
      }
      wrong |= value instanceof InvalidSetting;
      found.add(value instanceof Number ? value.toString() : "\"" + text + "\"");
      values.add(value);
    }
    return wrong ? key.wrong(firstLine("[" + String.join(",", found) + "]")) : values;
  }

  private static void requirePlain(YAMLParser parser, String place) throws IOException {
    if (parser.isCurrentAlias()) {
      throw new InputException(place + ": aliases are not read; write the value");
    }
    if (parser.getTypeId() != null) {
      throw new InputException(place + ": tags (!) are not read; write the value");
    }
  }

  private static int line(YAMLParser parser) {
    return parser.currentTokenLocation().getLineNr();
  }

  private Key known(String name, String place) {
    Map<String, Key> keys = declared.keys();
    if (keys.containsKey(name)) return keys.get(name);
    // A key under the wrong section is nearer than one with similar letters.
    String word = name.substring(name.lastIndexOf('.') + 1);
    String last = ELSEWHERE.getOrDefault(word.replace("_", "").toLowerCase(Locale.ROOT), word);
    List<String> near = keys.keySet().stream().filter(k -> k.endsWith("." + last)).toList();
    if (near.isEmpty()) near = NearestNames.of(name, keys.keySet(), 1);
    throw new InputException(
        place
            + ": "
            + firstLine(name)
            + " is not a setting; the nearest is "
            + String.join(", ", near));
  }

  /** Lays {@code key=value} settings over those read so far. */
  SettingsReader<T> with(String... settings) {
    Map<String, String> changedPlaces = new HashMap<>(places);
    Map<String, Object> set = new LinkedHashMap<>();
    for (String setting : settings) {
      String place = "setting " + firstLine(setting);
      int equals = setting.indexOf('=');
      if (equals < 1) {
        throw new InputException(place + ": write key=value, for example model.width=8");
      }
      String key = setting.substring(0, equals).strip();
      Object value = value(known(key, place), setting.substring(equals + 1).strip(), place);
      if (set.containsKey(key)) {
        throw new InputException(place + ": " + key + " is given twice");
      }
      set.put(key, value);
      changedPlaces.put(key, place);
    }
    Map<String, Object> changed = new LinkedHashMap<>(values);
    changed.putAll(set);
    changed
        .keySet()
        .removeIf(
            name ->
                !set.containsKey(name)
                    && !declared.keys().get(name).isSection()
                    && declared.isDropped(
                        declared.keys().get(name), set.keySet(), values, changed));
    return new SettingsReader<>(declared, name, changed, changedPlaces);
  }

  private static Object value(Key key, String text, String place) {
    if (key.isSection()) {
      throw new InputException(place + ": " + key.name() + " is a section; set the keys below it");
    }
    if (key.isText() || key.isOrOne() && !text.startsWith("[")) {
      boolean quoted = text.length() > 1 && text.startsWith("\"") && text.endsWith("\"");
      String word = quoted ? text.substring(1, text.length() - 1) : text;
      if (text.equals("null")) return null;
      Object value = key.element().value(word, true);
      return key.isOrOne() ? List.of(value) : value;
    }
    // What YAML reads the same way; a parser's classes take a tenth of a second to load.
    if (!key.isList() && SIMPLE.matcher(text).matches()) return key.value(text, false);
    try (YAMLParser parser = Yaml.FACTORY.createParser(text)) {
      if (parser.nextToken() == null) return key.value("", true);
      Object value = value(parser, key, place + ": " + key.name());
      if (parser.nextToken() == null) return value;
      throw new InputException(place + ": more than one value");
    } catch (IOException | YAMLException e) {
      throw new InputException(
          place + ": the value is not valid YAML (" + firstLine(e.getMessage()) + ")", e);
    }
  }

  /** Builds the record: defaults, and over them what was read; refuses by the setting's place. */
  T build() {
    try {
      return declared.build(values);
    } catch (InvalidSetting e) {
      throw new InputException(place(e.key()) + ": " + firstLine(e.getMessage()), e);
    }
  }

  /** Where a setting, or the nearest section above it, was given. */
  private String place(String key) {
    for (String k = key; !k.isEmpty(); k = k.substring(0, Math.max(0, k.lastIndexOf('.')))) {
      if (places.containsKey(k)) return places.get(k);
    }
    return name;
  }

  private static String firstLine(String text) {
    if (text == null) return "no reason given";
    String line = text.lines().findFirst().orElse("");
    StringBuilder clean = new StringBuilder();
    line.codePoints()
        .limit(400) // all model names fit
        .forEach(c -> clean.appendCodePoint(Character.isISOControl(c) ? '?' : c));
    return clean.toString();
  }
}
