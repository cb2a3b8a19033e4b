package slimvox.settings;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.function.Predicate;
import slimvox.storage.InputException;

/**
 * The settings that a record and the records in it declare, see {@link Setting}.
 *
 * <p>Settings that were given are a map from dotted keys to values; what it lacks has its default.
 *
 * @param <T> the record
 */
public final class Declared<T extends Record> {
  private final Class<T> type;
  private final Map<String, Key> keys = new LinkedHashMap<>();

  private Declared(Class<T> type) {
    this.type = type;
    addKeys(type, "");
  }

  /** The settings of a record. */
  public static <T extends Record> Declared<T> of(Class<T> type) {
    return new Declared<>(type);
  }

  private void addKeys(Class<?> section, String prefix) {
    for (RecordComponent c : section.getRecordComponents()) {
      Setting setting = c.getAnnotation(Setting.class);
      String name = name(prefix, c);
      keys.put(name, new Key(name, c.getGenericType(), setting));
      if (setting == null) addKeys(c.getType(), name + ".");
    }
  }

  private static String name(String prefix, RecordComponent c) {
    Setting setting = c.getAnnotation(Setting.class);
    return prefix + (setting == null || setting.key().isEmpty() ? c.getName() : setting.key());
  }

  /** All keys, sections before what is in them, in the order of the records. */
  public Map<String, Key> keys() {
    return Collections.unmodifiableMap(keys);
  }

  /** The settings below a prefix of keys, without sections; all of them where it is empty. */
  public List<Key> settings(String prefix) {
    return keys.values().stream()
        .filter(k -> !k.isSection())
        .filter(k -> k.name().startsWith(prefix))
        .toList();
  }

  // ---- reading

  /** Everything at its default. */
  public T defaults() {
    return build(Map.of());
  }

  /** Reads a file; {@code key=value} pairs in YAML win over it. What cannot be used is refused. */
  public T read(Path file, String... settings) {
    return SettingsReader.read(this, file).with(settings).build();
  }

  /** Reads a text, which messages call by the name; refuses as {@link #read}. */
  public T parse(String text, String name, String... settings) {
    return SettingsReader.parse(this, text, name).with(settings).build();
  }

  /** The same with other settings; one that cannot be used is refused. */
  public T with(T record, String... settings) {
    return SettingsReader.of(this, record).with(settings).build();
  }

  // ---- building

  /** Builds the record; a value may be the {@link InvalidSetting} to throw for it. */
  T build(Map<String, Object> given) {
    return build(type, "", given);
  }

  private <R> R build(Class<R> section, String prefix, Map<String, Object> given) {
    RecordComponent[] components = section.getRecordComponents();
    Object[] arguments =
        Arrays.stream(components)
            .map(
                c -> {
                  String name = name(prefix, c);
                  if (given.get(name) instanceof InvalidSetting wrong) throw wrong;
                  return keys.get(name).isSection()
                      ? build(c.getType(), name + ".", given)
                      : value(keys.get(name), given);
                })
            .toArray();
    try {
      return section
          .getDeclaredConstructor(
              Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new))
          .newInstance(arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException refused) throw refused;
      throw new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private Object value(Key key, Map<String, Object> given) {
    Object value = given.get(key.name());
    for (String condition : key.setting().onlyWith()) {
      Condition c = Condition.of(condition, key);
      if (holds(c, given)) continue;
      if (value == null) return null;
      Object other = valueOf(c.key(), given);
      throw InvalidSetting.noEffect(
          key.name(), Key.text(value), c.words(other), c.key(), Key.text(other));
    }
    String condition = key.setting().defaultWith();
    if (value == null) {
      boolean holds = condition.isEmpty() || holds(Condition.of(condition, key), given);
      return holds ? key.byDefault() : null;
    }
    key.check(value);
    return value;
  }

  // ---- conditions

  /** Whether the value of a key is, or is not, one of some. */
  private record Condition(String key, boolean is, Set<String> values) {
    static Condition of(String text, Key of) {
      String[] parts = text.split("!?=");
      String section = of.name().substring(0, of.name().lastIndexOf('.') + 1);
      String key = parts[0].contains(".") ? parts[0] : section + parts[0];
      return new Condition(key, !text.contains("!="), Set.of(parts[1].split("\\|")));
    }

    /** A value of the key as in "has no effect with scheme none". */
    String words(Object value) {
      String last = key.substring(key.lastIndexOf('.') + 1);
      String text = Key.text(value);
      if (value instanceof Number) return text + " " + last;
      return last.equals("name") ? text : last + " " + text;
    }
  }

  private Object valueOf(String name, Map<String, Object> given) {
    Object value = given.get(name);
    return value == null ? keys.get(name).byDefault() : value;
  }

  private boolean holds(Condition c, Map<String, Object> given) {
    return c.values().contains(Key.text(valueOf(c.key(), given))) == c.is();
  }

  /** Whether a setting is of no use any more, or has another default, after some were set. */
  boolean isDropped(
      Key key, Set<String> set, Map<String, Object> before, Map<String, Object> after) {
    for (String condition : key.setting().onlyWith()) {
      Condition c = Condition.of(condition, key);
      if (set.contains(c.key()) && !holds(c, after)) return true;
    }
    if (key.setting().defaultWith().isEmpty()) return false;
    Condition c = Condition.of(key.setting().defaultWith(), key);
    return set.contains(c.key()) && holds(c, before) != holds(c, after);
  }

  // ---- values

  /** All values of a record that are not null, by key. */
  public Map<String, Object> values(T record) {
    Map<String, Object> values = new LinkedHashMap<>();
    addValues(record, "", values);
    values.values().removeIf(Objects::isNull);
    return values;
  }

  private void addValues(Record section, String prefix, Map<String, Object> values) {
    for (RecordComponent c : section.getClass().getRecordComponents()) {
      String name = name(prefix, c);
      Object value;
      try {
        value = c.getAccessor().invoke(section);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
      if (keys.get(name).isSection()) {
        addValues((Record) value, name + ".", values);
      } else {
        values.put(name, value);
      }
    }
  }

  /** The settings {@code key=value} that make one record of another; null where it has none. */
  public List<String> difference(T from, T to) {
    return difference(from, to, _ -> true);
  }

  /** Those of them that are of some kind. */
  public List<String> difference(T from, T to, Predicate<Setting> kind) {
    Map<String, Object> before = values(from);
    Map<String, Object> after = values(to);
    return settings("").stream()
        .filter(key -> kind.test(key.setting()))
        .filter(key -> !Objects.equals(before.get(key.name()), after.get(key.name())))
        .map(key -> key.name() + "=" + Key.text(key.written(after.get(key.name()))))
        .toList();
  }

  // ---- writing

  private static final class Yaml {
    static final YAMLFactory FACTORY =
        YAMLFactory.builder()
            .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
            .disable(YAMLGenerator.Feature.SPLIT_LINES)
            .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
            .enable(YAMLGenerator.Feature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
            .build();
  }

  /** All settings as YAML, defaults included: the same record gives the same text. */
  public String toYaml(T record) {
    return yaml(values(record), Declared::isOmitted);
  }

  /** As YAML the fewest settings that give the same record. */
  public String toShortYaml(T record) {
    Map<String, Object> said = values(record);
    for (String name : List.copyOf(said.keySet())) {
      Object value = said.remove(name);
      if (!gives(said, record)) said.put(name, value);
    }
    return yaml(said, (key, values) -> !values.containsKey(key.name()));
  }

  private boolean gives(Map<String, Object> said, T record) {
    try {
      return build(said).equals(record);
    } catch (InputException e) {
      return false; // not without this setting
    }
  }

  private String yaml(Map<String, Object> values, BiPredicate<Key, Map<String, Object>> omitted) {
    StringWriter text = new StringWriter();
    try (JsonGenerator yaml = Yaml.FACTORY.createGenerator(text)) {
      writeSection(yaml, type, "", values, omitted);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory only: cannot happen
    }
    return text.toString();
  }

  private void writeSection(
      JsonGenerator yaml,
      Class<?> section,
      String prefix,
      Map<String, Object> values,
      BiPredicate<Key, Map<String, Object>> isOmitted)
      throws IOException {
    yaml.writeStartObject();
    for (RecordComponent c : section.getRecordComponents()) {
      Key key = keys.get(name(prefix, c));
      Object value = key.written(values.get(key.name()));
      boolean omitted =
          key.isSection()
              ? settings(key.name() + ".").stream().allMatch(k -> isOmitted.test(k, values))
              : isOmitted.test(key, values);
      if (omitted) continue;
      yaml.writeFieldName(key.name().substring(prefix.length()));
      if (key.isSection()) {
        writeSection(yaml, c.getType(), key.name() + ".", values, isOmitted);
      } else {
        write(yaml, value);
      }
    }
    yaml.writeEndObject();
  }

  /** Whether a file that says nothing of a setting says the same. */
  private static boolean isOmitted(Key key, Map<String, Object> values) {
    Object value = key.written(values.get(key.name()));
    Object usual = key.byDefault();
    if (value == null && usual != null) return true;
    return key.setting().omitDefault() && Objects.equals(value, usual);
  }

  private static void write(JsonGenerator yaml, Object value) throws IOException {
    switch (value) {
      case null -> yaml.writeNull();
      case Integer i -> yaml.writeNumber(i);
      case Long l -> yaml.writeNumber(l);
      case Double d -> yaml.writeNumber(d);
      case Boolean b -> yaml.writeBoolean(b);
      case List<?> list -> {
        yaml.writeStartArray();
        for (Object element : list) write(yaml, element);
        yaml.writeEndArray();
      }
      default -> yaml.writeString(Key.text(value));
    }
  }
}
