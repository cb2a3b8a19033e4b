package slimvox.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Supplier;

/**
 * An exercise of a notebook: its answer, which is computed, and wrong ones that are often given.
 */
final class Exercise {
  /**
   * An answer that is often given, which may depend on the right one, and what is wrong with it.
   */
  record Wrong(Supplier<Object> answer, String says) {}

  private static final Map<String, Exercise> ALL = new LinkedHashMap<>();

  static {
    LessonsOnMemory.addAll();
    LessonsOnBits.addAll();
    LessonsOnEvidence.addAll();
  }

  private final String unit;
  private final double tolerance;
  private final Supplier<Object> answer;
  private final List<Wrong> wrong = new ArrayList<>();
  private Object right;

  private Exercise(String unit, double tolerance, Supplier<Object> answer) {
    this.unit = unit;
    this.tolerance = tolerance;
    this.answer = answer;
  }

  /**
   * Adds an exercise.
   *
   * @param name the number of the notebook, a point and its own number
   * @param unit empty for none
   * @param tolerance of each number, as a share of itself; a tenth of it as a share of the largest
   *     one
   */
  static Exercise add(String name, String unit, double tolerance, Supplier<Object> answer) {
    Exercise exercise = new Exercise(unit, tolerance, answer);
    if (ALL.put(name, exercise) != null) throw new IllegalStateException("twice: " + name);
    return exercise;
  }

  /** Adds a wrong answer. */
  Exercise not(Object answer, String says) {
    wrong.add(new Wrong(() -> answer, says));
    return this;
  }

  /** Adds a wrong answer that is made from the right number. */
  Exercise not(DoubleUnaryOperator mistake, String says) {
    wrong.add(new Wrong(() -> mistake.applyAsDouble(((Number) right()).doubleValue()), says));
    return this;
  }

  /** Adds a wrong answer that has to be computed. */
  Exercise notThat(Supplier<Object> answer, String says) {
    wrong.add(new Wrong(answer, says));
    return this;
  }

  /** The exercise with this number; IllegalArgumentException if there is none. */
  static Exercise named(String name) {
    Exercise exercise = ALL.get(name);
    if (exercise == null) {
      throw new IllegalArgumentException(
          "there is no exercise '" + name + "'; they are " + String.join(", ", ALL.keySet()));
    }
    return exercise;
  }

  static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  String unit() {
    return unit;
  }

  double tolerance() {
    return tolerance;
  }

  synchronized Object right() {
    if (right == null) right = answer.get();
    return right;
  }

  List<Wrong> wrong() {
    return wrong;
  }
}
