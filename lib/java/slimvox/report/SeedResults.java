package slimvox.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.plot.Figure;
import slimvox.verify.Verification;
import tech.tablesaw.api.Table;

/**
 * Results of systems that were each trained several times, with other seeds or other test speakers:
 * means, ranges, and differences run by run.
 *
 * <p>Runs of two systems with the same number have the same seed and test speakers, so that their
 * difference is worth more than that of the means.
 */
public final class SeedResults {
  /** Right of a bar's middle, where its value is written. */
  private static final double ASIDE = 0.28;

  private final Map<String, Map<Integer, Verification>> systems = new LinkedHashMap<>();

  /**
   * Adds the result of one run.
   *
   * @param run its number, the same for the same seed and speakers
   * @throws IllegalArgumentException if this run of the system is there already
   */
  public void add(String system, int run, Verification verification) {
    Map<Integer, Verification> runs = systems.computeIfAbsent(system, _ -> new LinkedHashMap<>());
    if (runs.putIfAbsent(run, verification) != null) {
      throw new IllegalArgumentException("run %d of %s is there already".formatted(run, system));
    }
  }

  /** The systems in the order they came. */
  public String[] systems() {
    return systems.keySet().toArray(String[]::new);
  }

  private Map<Integer, Verification> runs(String system) {
    Map<Integer, Verification> runs = systems.get(system);
    if (runs != null) return runs;
    throw new IllegalArgumentException(
        "no run of '%s'; there are %s".formatted(system, String.join(", ", systems.keySet())));
  }

  /** EERs of a system's runs in percent, in the order they came. */
  public double[] eers(String system) {
    return runs(system).values().stream().mapToDouble(Verification::eerPercent).toArray();
  }

  /** Mean EER of a system in percent. */
  public double meanEer(String system) {
    return mean(eers(system));
  }

  /** Mean EERs of all systems in percent. */
  public double[] meanEers() {
    return systems.keySet().stream().mapToDouble(this::meanEer).toArray();
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) sum += value;
    return sum / values.length;
  }

  /** For example {@code 7.95 % (7.10 to 8.80, 3 runs)}. */
  public String text(String system) {
    return text("%.2f %% (%.2f to %.2f, %d %s)", eers(system));
  }

  /**
   * How many points of EER a system has more than another, run by run; below 0 it is better. For
   * example {@code +0.50 (-0.20 to +1.10, 3 runs)}.
   *
   * @throws IllegalArgumentException if they have no run in common
   */
  public String difference(String system, String than) {
    List<Double> differences = new ArrayList<>();
    Map<Integer, Verification> others = runs(than);
    runs(system)
        .forEach(
            (run, v) -> {
              Verification other = others.get(run);
              if (other != null) differences.add(v.eerPercent() - other.eerPercent());
            });
    if (differences.isEmpty()) {
      throw new IllegalArgumentException(
          "'%s' and '%s' have no run in common".formatted(system, than));
    }
    double[] d = differences.stream().mapToDouble(x -> x).toArray();
    return text("%+.2f (%+.2f to %+.2f, %d %s)", d);
  }

  private static String text(String format, double[] runs) {
    String unit = runs.length == 1 ? "run" : "runs";
    return String.format(
        Locale.ROOT, format, mean(runs), lowest(runs), highest(runs), runs.length, unit);
  }

  private static double lowest(double[] values) {
    return Arrays.stream(values).min().orElse(Double.POSITIVE_INFINITY);
  }

  private static double highest(double[] values) {
    return Arrays.stream(values).max().orElse(Double.NEGATIVE_INFINITY);
  }

  /** One line a system: runs, EER (mean, lowest, highest, in %), mean minDCF. */
  public Table table() {
    return Rows.of(systems.keySet())
        .column("system", null, s -> s)
        .column("runs", null, s -> eers(s).length)
        .column("EER, mean (%)", null, s -> rounded(meanEer(s), 100))
        .column("lowest", null, s -> rounded(lowest(eers(s)), 100))
        .column("highest", null, s -> rounded(highest(eers(s)), 100))
        .column("minDCF(0.05), mean", null, s -> rounded(mean(costs(s)), 1000))
        .table();
  }

  private double[] costs(String system) {
    return runs(system).values().stream().mapToDouble(Verification::minDcf).toArray();
  }

  private static double rounded(double value, int parts) {
    return Math.round(value * parts) / (double) parts;
  }

  /** The mean EERs as bars, and every run as a point on its bar. */
  public Figure bars(String title) {
    List<double[]> points = new ArrayList<>();
    int bar = 0;
    for (String system : systems.keySet()) {
      for (double eer : eers(system)) points.add(new double[] {bar + ASIDE, eer});
      bar++;
    }
    return Figure.of(title)
        .y("EER (%)")
        .bars("mean", systems(), meanEers())
        .scatter(
            "single runs",
            points.stream().mapToDouble(p -> p[0]).toArray(),
            points.stream().mapToDouble(p -> p[1]).toArray());
  }
}
