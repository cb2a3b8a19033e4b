package slimvox.settings;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * What a component of a settings record means to people and programs. A component without it is a
 * section: a record of settings. On a class that is read from one text (by its static {@code
 * parse(String)}) the value says what it is read from, for "needs ...".
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.RECORD_COMPONENT, ElementType.TYPE})
public @interface Setting {
  /** What it is, in sentences; the default and the range are not repeated. */
  String value();

  /** The key in YAML, where it is no name in Java; empty: the component's name. */
  String key() default "";

  /** The value of a file that says nothing, as in YAML; empty: null, explained by the sentence. */
  String byDefault() default "";

  /**
   * The numbers that are possible: {@code 1..4096}, {@code >0} or {@code 32, 8}; other words are
   * for people, and the record checks. Enumerations, truth values and texts need none.
   */
  String range() default "";

  /** The short option of {@code memory} and {@code bench}, for example {@code --keep}. */
  String flag() default "";

  /**
   * Conditions, as {@code optimizer.name=sgd} or, of the same section, {@code scheme!=none|w32a1}:
   * without one of them the setting is null and refused; a {@code --set} that ends one drops it.
   */
  String[] onlyWith() default {};

  /** The condition under which the default holds; a {@code --set} that changes it drops a value. */
  String defaultWith() default "";

  /**
   * False: may change when a run is resumed; the bits then stay those of a run without a stop,
   * unless it is the batch or how numbers are held (run.precision, optimizer.state).
   */
  boolean decidesBits() default true;

  /** Decides bits, and may yet change when a run is resumed, which a note in the run says. */
  boolean mayChange() default false;

  /**
   * A list of texts that may be one text: a list of one is written so, and an empty one as null.
   */
  boolean orOne() default false;

  /** Left out of a written recipe where it is the default: earlier recipes keep their hashes. */
  boolean omitDefault() default false;
}
