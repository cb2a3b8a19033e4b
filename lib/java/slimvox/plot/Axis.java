package slimvox.plot;

import java.util.Arrays;
import org.apache.commons.math3.distribution.NormalDistribution;

/**
 * One axis of a {@link Figure}: its label with the unit, its scale, its ticks and its range.
 *
 * @param label what is measured and its unit, for example {@code "step time (ms)"}
 * @param scale how a value becomes a place on the axis
 * @param ticks where ticks stand, in data units; empty for ticks chosen from the range
 * @param tickLabels the text at each of {@code ticks}
 * @param low the lower end in data units; NaN to take it from the data
 * @param high the upper end in data units; NaN to take it from the data
 */
public record Axis(
    String label, Scale scale, double[] ticks, String[] tickLabels, double low, double high) {
  /** How a value becomes a place on the axis. */
  public enum Scale {
    /** the value itself */
    LINEAR,
    /** log10 of the value; values of 0 and less have no place */
    LOG,
    /** the normal quantile of a probability in (0, 1), the scale of DET curves */
    PROBIT
  }

  private static final NormalDistribution NORMAL = new NormalDistribution();
  private static final double[] PROBIT_PERCENT = {0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90};

  /** Checks that every tick has a label and that a given range is not empty. */
  public Axis {
    if (ticks.length != tickLabels.length) {
      throw new IllegalArgumentException(
          "axis '%s': %d ticks but %d tick labels"
              .formatted(label, ticks.length, tickLabels.length));
    }
    if (low >= high) {
      throw new IllegalArgumentException(
          "axis '%s': the range [%s, %s] is empty".formatted(label, low, high));
    }
  }

  /** An axis with a linear scale. */
  public static Axis linear(String label) {
    return new Axis(label, Scale.LINEAR, new double[0], new String[0], Double.NaN, Double.NaN);
  }

  /** An axis with a logarithmic scale; values of 0 and less are left out of the figure. */
  public static Axis log(String label) {
    return new Axis(label, Scale.LOG, new double[0], new String[0], Double.NaN, Double.NaN);
  }

  /**
   * An axis of probabilities on the scale of the normal quantile, with ticks in percent.
   *
   * <p>On two such axes the DET curve of two normal score distributions is a straight line (Martin
   * et al. 1997, "The DET curve in assessment of detection task performance").
   *
   * @param label for example {@code "false alarms (%)"}
   */
  public static Axis probit(String label) {
    double[] ticks = Arrays.stream(PROBIT_PERCENT).map(p -> p / 100).toArray();
    String[] labels = Arrays.stream(PROBIT_PERCENT).mapToObj(Ticks::number).toArray(String[]::new);
    return new Axis(label, Scale.PROBIT, ticks, labels, Double.NaN, Double.NaN);
  }

  /** The same axis with these ticks, in data units. */
  public Axis ticks(double[] at, String[] labels) {
    return new Axis(label, scale, at.clone(), labels.clone(), low, high);
  }

  /** The same axis from {@code low} to {@code high}, in data units. */
  public Axis range(double low, double high) {
    return new Axis(label, scale, ticks, tickLabels, low, high);
  }

  /**
   * The place of a value on this axis, in the axis's own unit (the value, its log10, or its normal
   * quantile); NaN where the scale has no place for it.
   */
  double place(double value) {
    return switch (scale) {
      case LINEAR -> Double.isFinite(value) ? value : Double.NaN;
      case LOG -> value > 0 && Double.isFinite(value) ? Math.log10(value) : Double.NaN;
      case PROBIT ->
          value > 0 && value < 1 ? NORMAL.inverseCumulativeProbability(value) : Double.NaN;
    };
  }
}
