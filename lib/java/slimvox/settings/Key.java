package slimvox.settings;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A setting, or a section of settings.
 *
 * @param name dotted, for example {@code model.width}
 * @param type of its values
 * @param setting how it is declared; null for a section
 */
public record Key(String name, Type type, Setting setting) {
  /** No leading zeros, which are octal in YAML 1.1, no hexadecimal and no sexagesimal numbers. */
  private static final Pattern WHOLE = Pattern.compile("[-+]?(0|[1-9][0-9]*(_[0-9]+)*)");

  /** YAML 1.1 takes 5e-5, without a point, for a text. */
  private static final Pattern NUMBER =
      Pattern.compile("(" + WHOLE + "(\\.[0-9]*)?|[-+]?\\.[0-9]+)([eE][-+]?[0-9]+)?");

  private static final Pattern NO_NUMBER = Pattern.compile("[-+]?(NaN|Infinity)");

  /** The name of a constant in recipes: {@code in-backward} for {@code IN_BACKWARD}. */
  public static String of(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Whether settings are below it. */
  public boolean isSection() {
    return setting == null;
  }

  /** Whether any word is a value, so that none is null, false or a number. */
  boolean isText() {
    return type == String.class || isEnum(type);
  }

  /** The type of the elements of a list; the type itself of anything else. */
  Key element() {
    return type instanceof ParameterizedType list
        ? new Key(name, list.getActualTypeArguments()[0], setting)
        : this;
  }

  /** Whether a text alone stands for a list of it. */
  boolean isOrOne() {
    return isList() && setting.orOne();
  }

  /** A value as it is written. */
  Object written(Object value) {
    if (!isOrOne() || !(value instanceof List<?> list) || list.size() > 1) return value;
    return list.isEmpty() ? null : list.getFirst();
  }

  boolean isList() {
    return type instanceof ParameterizedType;
  }

  /** The default; null where there is none. */
  Object byDefault() {
    String text = setting.byDefault();
    if (text.isEmpty()) return null;
    if (!isList()) return value(text, false);
    return Arrays.stream(text.replaceAll("[\\[\\]]", "").split(", *"))
        .filter(element -> !element.isEmpty())
        .map(element -> element().value(element, false))
        .toList();
  }

  /** The default as in YAML. */
  public String shownDefault() {
    return setting.byDefault().isEmpty() ? "null" : setting.byDefault();
  }

  /** The value of a text, which YAML may take for a word, or the {@link InvalidSetting} of it. */
  Object value(String text, boolean word) {
    if (type == String.class) return text;
    if (isEnum(type)) {
      for (Object constant : constants()) if (text(constant).equals(text)) return constant;
      return InvalidSetting.notAllowed(name, text, allowed());
    }
    boolean truth = text.matches("(?i)true|false");
    boolean number = NUMBER.matcher(text).matches();
    String digits = text.replace("_", "");
    if (isFloat() && (number || NO_NUMBER.matcher(text).matches())) return Double.valueOf(digits);
    if (isWhole() && !word && WHOLE.matcher(text).matches()) {
      BigInteger whole = new BigInteger(digits);
      if (type == long.class && whole.bitLength() < 64) return whole.longValue();
      if (type != long.class && whole.bitLength() < 32) return whole.intValue();
    }
    if (isTruth() && !word && truth) return Boolean.valueOf(text);
    if (type instanceof Class<?> own && !own.isPrimitive()) {
      try {
        return own.getMethod("parse", String.class).invoke(null, text);
      } catch (ReflectiveOperationException e) {
        if (!(e instanceof NoSuchMethodException || e instanceof InvocationTargetException)) {
          throw new IllegalStateException(e);
        }
      }
    }
    return wrong(!word && (number || truth) ? text : "'" + text + "'");
  }

  /** What to say of a value of another type. */
  InvalidSetting wrong(String found) {
    return new InvalidSetting(name, "needs " + wanted() + ", found " + found);
  }

  private String wanted() {
    if (isSection()) return "the settings below it";
    if (isWhole()) return "a whole number";
    if (isFloat()) return "a number";
    if (isTruth()) return "true or false";
    if (isOrOne()) return "a text or a list of texts";
    if (isList()) return "a list, as in [0.9, 1.0]";
    Setting own = type instanceof Class<?> c ? c.getAnnotation(Setting.class) : null;
    return own == null ? "a text" : own.value();
  }

  /** What is possible, in words; empty where any text is. */
  public String allowed() {
    if (!setting.range().isEmpty()) return Range.of(setting.range()).words();
    if (isEnum(element().type)) {
      return Arrays.stream(element().constants()).map(Key::text).collect(Collectors.joining(", "));
    }
    return type == String.class ? "" : wanted();
  }

  /** Values to write: each that is possible, where they can be counted, or else the default. */
  public List<String> examples() {
    if (isEnum(type)) return Arrays.stream(constants()).map(Key::text).toList();
    if (isTruth()) return List.of("true", "false");
    List<String> counted = Range.of(setting.range()).counted();
    if (!counted.isEmpty()) return counted;
    return setting.byDefault().isEmpty() ? List.of() : List.of(setting.byDefault());
  }

  /** Refuses a value, or one of a list, outside the range, and an empty or unprintable text. */
  void check(Object value) {
    if (value instanceof List<?> list) {
      for (Object element : list) element().check(element);
    } else if (type == String.class) {
      if (setting.range().isEmpty()) checkText((String) value);
    } else if (value instanceof Number n) {
      Range range = Range.of(setting.range());
      if (!range.holds().test(n.doubleValue())) {
        throw InvalidSetting.notAllowed(name, Range.text(n.doubleValue()), range.words());
      }
    }
  }

  private void checkText(String text) {
    if (text == null || text.isBlank()) throw new InvalidSetting(name, "is empty");
    // Line ends and the like would also come back changed from a YAML file.
    if (text.codePoints().anyMatch(Key::isInvisible)) {
      throw new InvalidSetting(name, "holds a control character");
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

  /** A value as in a recipe; lists in brackets. */
  public static String text(Object value) {
    return switch (value) {
      case Enum<?> constant -> of(constant);
      case List<?> list -> list.stream().map(Key::text).toList().toString();
      case null, default -> Objects.toString(value);
    };
  }

  /** Values by key as {@code key=value}. */
  public static String[] settings(Map<String, Object> values) {
    return values.entrySet().stream()
        .map(e -> e.getKey() + "=" + text(e.getValue()))
        .toArray(String[]::new);
  }

  private Object[] constants() {
    return ((Class<?>) type).getEnumConstants();
  }

  private boolean isEnum(Type type) {
    return type instanceof Class<?> c && c.isEnum();
  }

  private boolean isWhole() {
    return type == int.class || type == Integer.class || type == long.class;
  }

  private boolean isFloat() {
    return type == double.class || type == Double.class;
  }

  private boolean isTruth() {
    return type == boolean.class || type == Boolean.class;
  }
}
