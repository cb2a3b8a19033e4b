package slimvox.recipe;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import slimvox.storage.InputException;
import slimvox.storage.NearestNames;

/**
 * YAML and settings to {@link Recipe}, and back.
 *
 * <p>Settings are collected in a tree, each with the place it came from; {@link #recipe} lays the
 * tree over the defaults and lets Jackson build the records, whose constructors check the values.
 */
final class RecipeReader {
  private static final int MOST_BYTES = 1 << 20;

  private static final YAMLMapper YAML =
      YAMLMapper.builder()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
          .disable(YAMLGenerator.Feature.SPLIT_LINES)
          .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
          .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
          .withCoercionConfig(
              LogicalType.Integer,
              c ->
                  c.setCoercion(CoercionInputShape.String, CoercionAction.Fail)
                      .setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail)
                      .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
          .withCoercionConfig(
              LogicalType.Float,
              c ->
                  c.setCoercion(CoercionInputShape.String, CoercionAction.Fail)
                      .setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail)
                      .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
          .withCoercionConfig(
              LogicalType.Boolean,
              c ->
                  c.setCoercion(CoercionInputShape.String, CoercionAction.Fail)
                      .setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail)
                      .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail))
          .build();

  /** Every key and its type, sections included, in the order of the records. */
  private static final Map<String, Type> KEYS = keys(Recipe.class, "", new LinkedHashMap<>());

  /** No leading zeros, which are octal in YAML 1.1, no hexadecimal and no sexagesimal numbers. */
  private static final Pattern WHOLE = Pattern.compile("[-+]?(0|[1-9][0-9]*(_[0-9]+)*)");

  /** YAML 1.1 takes 5e-5, without a point, for a text. */
  private static final Pattern NUMBER =
      Pattern.compile("(" + WHOLE + "(\\.[0-9]*)?|[-+]?\\.[0-9]+)([eE][-+]?[0-9]+)?");

  private final String name;
  private final ObjectNode settings;
  private final Map<String, String> places;

  private RecipeReader(String name, ObjectNode settings, Map<String, String> places) {
    this.name = name;
    this.settings = settings;
    this.places = places;
  }

  static RecipeReader of(Recipe recipe) {
    return new RecipeReader("recipe", YAML.valueToTree(recipe), new HashMap<>());
  }

  static RecipeReader read(Path file) {
    if (Files.isDirectory(file)) throw new InputException(file + ": is a folder, not a recipe");
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MOST_BYTES + 1); // a device has no size
      if (bytes.length > MOST_BYTES) {
        throw new InputException(file + ": is not a recipe: larger than " + MOST_BYTES + " bytes");
      }
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      if (text.startsWith("\uFEFF")) text = text.substring(1); // some editors begin so
      return parse(text, file.toString());
    } catch (NoSuchFileException e) {
      throw new InputException(file + ": no such file", e);
    } catch (CharacterCodingException e) {
      throw new InputException(file + ": is not text in UTF-8", e);
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read (" + firstLine(e.getMessage()) + ")", e);
    }
  }

  static RecipeReader parse(String text, String name) {
    Map<String, String> places = new HashMap<>();
    try (YAMLParser parser = YAML.getFactory().createParser(text)) {
      JsonToken first = parser.nextToken();
      if (first == null) throw new InputException(name + ": holds no settings");
      if (first != JsonToken.START_OBJECT) {
        throw new InputException(name + ": line 1: is not a recipe, lines of key: value");
      }
      ObjectNode settings = object(parser, name, "", places);
      if (parser.nextToken() != null) {
        throw new InputException(
            name + ": line " + line(parser) + ": a second document; a recipe is one");
      }
      return new RecipeReader(name, settings, places);
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
  private static ObjectNode object(
      YAMLParser parser, String name, String prefix, Map<String, String> places)
      throws IOException {
    ObjectNode object = YAML.createObjectNode();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = prefix + parser.currentName();
      String place = name + ": line " + line(parser);
      places.put(key, place);
      checkKnown(key, place);
      boolean section = parser.nextToken() == JsonToken.START_OBJECT && isSection(KEYS.get(key));
      requirePlain(parser, place + ": " + key);
      object.set(
          key.substring(prefix.length()),
          section
              ? object(parser, name, key + ".", places)
              : value(parser, KEYS.get(key), place + ": " + key));
    }
    return object;
  }

  /** Reads a value as its setting means it: in YAML 1.1 no is false, and 010 is 8. */
  private static JsonNode value(YAMLParser parser, Type type, String place) throws IOException {
    requirePlain(parser, place);
    JsonToken token = parser.currentToken();
    if (token == JsonToken.START_ARRAY) {
      Type element =
          type instanceof ParameterizedType list ? list.getActualTypeArguments()[0] : type;
      ArrayNode array = YAML.createArrayNode();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        JsonNode value = value(parser, element, place);
        boolean isWord = value.isNull() && element == String.class && parser.getTextLength() > 1;
        array.add(isWord ? TextNode.valueOf(parser.getText()) : value); // null, but not ~
      }
      return array;
    }
    if (!token.isScalarValue()) return parser.readValueAsTree();
    if (token == JsonToken.VALUE_NULL) return YAML.nullNode();
    String text = parser.getText();
    if (type == String.class) return TextNode.valueOf(text);
    boolean isNumber = (isFloat(type) ? NUMBER : WHOLE).matcher(text).matches();
    if (isFloat(type) && isNumber) {
      return DoubleNode.valueOf(Double.parseDouble(text.replace("_", "")));
    }
    if (token.isNumeric() && !NUMBER.matcher(text).matches()) return TextNode.valueOf(text);
    JsonNode value = parser.readValueAsTree();
    boolean meant = token.isNumeric() ? isNumber : token.isBoolean() && isBoolean(type);
    return meant || value.asText().equals(text) ? value : TextNode.valueOf(text);
  }

  private static void requirePlain(YAMLParser parser, String place) throws IOException {
    if (parser.isCurrentAlias()) {
      throw new InputException(place + ": aliases are not read; write the value");
    }
    if (parser.getTypeId() != null) {
      throw new InputException(place + ": tags (!) are not read; write the value");
    }
  }

  private static boolean isBoolean(Type type) {
    return type == boolean.class || type == Boolean.class;
  }

  private static boolean isFloat(Type type) {
    return type == double.class || type == Double.class;
  }

  private static int line(YAMLParser parser) {
    return parser.currentTokenLocation().getLineNr();
  }

  private static void checkKnown(String key, String place) {
    if (KEYS.containsKey(key)) return;
    // A key under the wrong section is nearer than one with similar letters.
    String last = key.substring(key.lastIndexOf('.') + 1);
    List<String> near = KEYS.keySet().stream().filter(k -> k.endsWith("." + last)).toList();
    if (near.isEmpty()) near = NearestNames.of(key, KEYS.keySet(), 1);
    throw new InputException(
        place
            + ": "
            + firstLine(key)
            + " is not a setting; the nearest is "
            + String.join(", ", near));
  }

  /** Lays {@code key=value} settings over those read so far. */
  RecipeReader with(String... overrides) {
    ObjectNode changed = settings.deepCopy();
    Map<String, String> changedPlaces = new HashMap<>(places);
    Map<String, JsonNode> values = new LinkedHashMap<>();
    for (String override : overrides) {
      String place = "setting " + firstLine(override);
      int equals = override.indexOf('=');
      if (equals < 1) {
        throw new InputException(place + ": write key=value, for example model.width=8");
      }
      String key = override.substring(0, equals).strip();
      checkKnown(key, place);
      JsonNode value = value(key, override.substring(equals + 1).strip(), place);
      if (values.put(key, value) != null) {
        throw new InputException(place + ": " + key + " is given twice");
      }
      changedPlaces.keySet().removeIf(k -> k.startsWith(key + "."));
      changedPlaces.put(key, place);
    }
    dropWhatBelongedToTheReplaced(values, changed);
    values.forEach((key, value) -> put(changed, key, value));
    return new RecipeReader(name, changed, changedPlaces);
  }

  private static JsonNode value(String key, String text, String place) {
    if (KEYS.get(key) == String.class) {
      return text.equals("null") ? YAML.nullNode() : TextNode.valueOf(unquoted(text));
    }
    if (isSection(KEYS.get(key))) {
      throw new InputException(place + ": " + key + " is a section; set the keys below it");
    }
    try (YAMLParser parser = YAML.getFactory().createParser(text)) {
      if (parser.nextToken() == null) return TextNode.valueOf("");
      JsonNode node = value(parser, KEYS.get(key), place + ": " + key);
      if (parser.nextToken() == null) return node;
      throw new InputException(place + ": more than one value");
    } catch (IOException | YAMLException e) {
      throw new InputException(
          place + ": the value is not valid YAML (" + firstLine(e.getMessage()) + ")", e);
    }
  }

  private static String unquoted(String text) {
    boolean quoted = text.length() > 1 && text.startsWith("\"") && text.endsWith("\"");
    return quoted ? text.substring(1, text.length() - 1) : text;
  }

  private static void dropWhatBelongedToTheReplaced(
      Map<String, JsonNode> values, ObjectNode settings) {
    JsonNode rule = values.get("optimizer.name");
    if (rule != null && settings.get("optimizer") instanceof ObjectNode optimizer) {
      String old = optimizer.path("name").asText("sgd"); // null is the default, too
      if (old.equals("sgd") != rule.asText("sgd").equals("sgd")) {
        optimizer.remove(OptimizerSettings.OF_ONE_RULE);
        if (optimizer.get("learningRate") instanceof ObjectNode rate) rate.remove("initial");
      }
    }
    if (settings.at("/optimizer/state") instanceof ObjectNode state) {
      JsonNode bits = values.get("optimizer.state.bits");
      if (bits != null && !bits.asText().equals("8")) {
        state.remove(OptimizerSettings.State.OF_8_BITS);
      }
      JsonNode scale = values.get("optimizer.state.scale");
      if (scale != null && scale.asText().equals("tensor")) state.remove("block");
    }
    JsonNode schedule = values.get("optimizer.learningRate.schedule");
    if (schedule != null
        && schedule.asText().equals("constant")
        && settings.at("/optimizer/learningRate") instanceof ObjectNode rate) {
      rate.remove("final");
    }
  }

  private static void put(ObjectNode root, String key, JsonNode value) {
    ObjectNode section = root;
    String[] parts = key.split("\\.");
    for (int i = 0; i < parts.length - 1; i++) {
      JsonNode below = section.get(parts[i]);
      if (below == null || below.isNull()) below = section.putObject(parts[i]);
      if (!below.isObject()) return; // a wrong type in the file, which recipe() will refuse
      section = (ObjectNode) below;
    }
    section.set(parts[parts.length - 1], value);
  }

  /** Builds the recipe: defaults, and over them what was read. */
  Recipe recipe() {
    ObjectNode all = YAML.valueToTree(Recipe.defaults());
    // These defaults depend on other settings: the records know them.
    ObjectNode optimizer = (ObjectNode) all.get("optimizer");
    optimizer.remove(OptimizerSettings.OF_ONE_RULE);
    ((ObjectNode) optimizer.get("learningRate")).remove("final");
    String rule = settings.at("/optimizer/name").asText("sgd");
    JsonNode rate = settings.at("/optimizer/learningRate/initial");
    if ((rule.equals("adam") || rule.equals("adamw")) && (rate.isMissingNode() || rate.isNull())) {
      throw new InputException(
          place("optimizer.name")
              + ": optimizer.learningRate.initial is needed with "
              + rule
              + ", for example 0.001");
    }
    overlay(all, settings);
    try {
      return YAML.treeToValue(all, Recipe.class);
    } catch (JsonMappingException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof InvalidSetting invalid) {
          throw new InputException(
              place(invalid.key) + ": " + firstLine(invalid.getMessage()), invalid);
        }
      }
      throw wrongType(e);
    } catch (JsonProcessingException e) {
      throw new InputException(name + ": " + firstLine(e.getOriginalMessage()), e);
    }
  }

  private InputException wrongType(JsonMappingException e) {
    String key =
        String.join(
            ".",
            e.getPath().stream()
                .map(JsonMappingException.Reference::getFieldName)
                .filter(field -> field != null)
                .toList());
    JsonNode found = settings.at("/" + key.replace('.', '/'));
    return new InputException(
        place(key)
            + ": "
            + key
            + ": needs "
            + wanted(KEYS.getOrDefault(key, Object.class))
            + ", found "
            + firstLine(found.isTextual() ? "'" + found.textValue() + "'" : found.toString()),
        e);
  }

  private static String wanted(Type type) {
    if (type == int.class || type == Integer.class || type == long.class) return "a whole number";
    if (isFloat(type)) return "a number";
    if (isBoolean(type)) return "true or false";
    if (type instanceof ParameterizedType) return "a list, as in [0.9, 1.0]";
    if (type == Span.class) return "steps, epochs or %, as in 500 steps, 6 epochs or 40 %";
    return isSection(type) ? "the settings below it" : "a text";
  }

  /** Where a setting, or the nearest section above it, was given. */
  private String place(String key) {
    for (String k = key; !k.isEmpty(); k = k.substring(0, Math.max(0, k.lastIndexOf('.')))) {
      if (places.containsKey(k)) return places.get(k);
    }
    return name;
  }

  private static void overlay(ObjectNode base, ObjectNode over) {
    for (Map.Entry<String, JsonNode> field : over.properties()) {
      JsonNode value = field.getValue();
      if (value.isNull()) continue; // null means the default
      if (value instanceof ObjectNode below
          && base.get(field.getKey()) instanceof ObjectNode section) {
        overlay(section, below);
      } else {
        base.set(field.getKey(), value);
      }
    }
  }

  static String toYaml(Recipe recipe) {
    try {
      return YAML.writeValueAsString(recipe);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e); // plain records: cannot happen
    }
  }

  private static Map<String, Type> keys(Class<?> type, String prefix, Map<String, Type> keys) {
    for (RecordComponent component : type.getRecordComponents()) {
      JsonProperty renamed = component.getAccessor().getAnnotation(JsonProperty.class);
      String key = prefix + (renamed == null ? component.getName() : renamed.value());
      keys.put(key, component.getGenericType());
      if (isSection(component.getType())) {
        keys(component.getType(), key + ".", keys);
      }
    }
    return keys;
  }

  private static boolean isSection(Type type) {
    return type instanceof Class<?> c && c.isRecord() && c != Span.class;
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
