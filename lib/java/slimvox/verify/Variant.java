package slimvox.verify;

import java.util.List;
import java.util.Locale;
import org.apache.commons.math3.stat.StatUtils;
import slimvox.storage.InputException;

/**
 * A system on one trial list: the results of its training runs, which differ in their seed only.
 *
 * @param name what tables call it
 * @param runs one a seed
 * @param trained whether another run would give another result; not so for what has no training, or
 *     none that is drawn by chance
 */
public record Variant(String name, List<Replicates> runs, boolean trained) {
  /** Refuses runs that cannot be taken together: none, or of other lists or draws. */
  public Variant {
    runs = List.copyOf(runs);
    if (runs.isEmpty()) throw InputException.of("%s: no run; score one or more", name);
    if (!trained && runs.size() > 1) {
      throw InputException.of(
          "%s: %d runs of what has no training; give one of them", name, runs.size());
    }
    for (Replicates run : runs) requireSame(name, run, name, runs.getFirst());
  }

  /** A system that is trained with random numbers: one result a seed. */
  public static Variant trained(String name, List<Replicates> runs) {
    return new Variant(name, runs, true);
  }

  /** A system without randomness in it, such as {@code no network}: its one result. */
  public static Variant untrained(String name, Replicates result) {
    return new Variant(name, List.of(result), false);
  }

  static void requireSame(String a, Replicates x, String b, Replicates y) {
    if (!x.trials().equals(y.trials())) {
      throw InputException.of(
          "%s is scored on trial list %s, %s on %s; score both on the same list",
          a, Replicates.shortened(x.trials()), b, Replicates.shortened(y.trials()));
    }
    if (!x.draws().equals(y.draws())) {
      throw InputException.of(
          "%s has draws of other speakers (%s) than %s (%s); evaluate both with the same speakers",
          a, Replicates.shortened(x.draws()), b, Replicates.shortened(y.draws()));
    }
  }

  /** Whether its variance over seeds is known: there are two runs or more, or it has none. */
  public boolean overSeeds() {
    return !trained || runs.size() > 1;
  }

  /** The mean of the runs, in the unit of the measure. */
  public double mean(Measure measure) {
    return StatUtils.mean(values(measure));
  }

  /** The standard deviation of one run over seeds; NaN with one run, 0 without training. */
  public double seedDeviation(Measure measure) {
    if (!trained) return 0;
    return runs.size() == 1 ? Double.NaN : Math.sqrt(StatUtils.variance(values(measure)));
  }

  /**
   * The mean over seeds and speakers with its error, by the formula of {@link Comparison}: its
   * {@code low} and {@code high} are the interval in which the mean of all seeds lies, for all
   * speakers of this kind. With one run ({@link #overSeeds} is false) of that run, for all
   * speakers.
   */
  public Estimate estimate(Measure measure) {
    return Estimate.sum(runs.getFirst().speakers(), overSeeds(), List.of(rates(measure)));
  }

  /**
   * One line, for example {@code vanilla: EER 9.89 % (95 % interval 8.31 to 11.47; 5 runs, 150
   * speakers)}.
   */
  public String text(Measure measure) {
    Estimate estimate = estimate(measure);
    String number = measure.number();
    return String.format(
        Locale.ROOT,
        "%s: %s "
            + number
            + "%s (95 %% interval "
            + number
            + " to "
            + number
            + "; %s, %d speakers)",
        name,
        measure,
        estimate.value(),
        measure == Measure.EER ? " %" : "",
        Math.max(0, estimate.low(Comparison.LEVEL)),
        estimate.high(Comparison.LEVEL),
        trained ? runs.size() + (overSeeds() ? " runs" : " run, over speakers only") : "untrained",
        runs.getFirst().speakers());
  }

  private double[] values(Measure measure) {
    return runs.stream().mapToDouble(run -> run.value(measure)).toArray();
  }

  /** The runs in one measure. */
  Runs rates(Measure measure) {
    double[][] draws = runs.stream().map(run -> run.values(measure)).toArray(double[][]::new);
    return new Runs(values(measure), draws);
  }
}
