package slimvox.study;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import slimvox.data.Corpus;
import slimvox.report.Bytes;
import slimvox.report.Rows;
import slimvox.storage.InputException;
import slimvox.study.Experiment.Run;
import slimvox.verify.Comparison;
import slimvox.verify.Estimate;
import slimvox.verify.Measure;
import slimvox.verify.Replicates;
import slimvox.verify.Variant;

/**
 * What the runs of an experiment gave: a table for each trial list, and the verdicts in it.
 *
 * <p>A variant has a verdict if all of its runs are there and have converged, and so have those of
 * what it is compared with. Converged: by the accuracy, and where the experiment states a run of
 * twice the length by that; a variant without such a run could still be trained further. What has
 * not converged is shown as such; it has no error rate here.
 */
public final class ExperimentResults {
  private final Experiment experiment;
  private final Map<Run, Summary> summaries;
  private final List<String> notes;
  private final List<String> deciding;
  private final Map<String, List<Row>> rows = new ConcurrentHashMap<>();

  ExperimentResults(Experiment experiment, Map<Run, Summary> summaries, List<String> notes) {
    this(experiment, summaries, notes, deciding(experiment.statement().lists()));
  }

  private ExperimentResults(
      Experiment experiment,
      Map<Run, Summary> summaries,
      List<String> notes,
      List<String> deciding) {
    this.experiment = experiment;
    this.summaries = Map.copyOf(summaries);
    this.notes = List.copyOf(notes);
    this.deciding = deciding;
  }

  private static List<String> deciding(List<String> lists) {
    List<String> behind = lists.stream().filter(list -> list.contains(Corpus.CHANNEL)).toList();
    return behind.isEmpty() ? lists : behind;
  }

  /**
   * A variant on a trial list.
   *
   * @param variant its name
   * @param seeds runs that are there
   * @param eer mean over the runs with its 95 % interval over seeds and speakers, in %; null
   *     without runs or where they have not converged
   * @param minDcf the mean over the runs; null as eer
   * @param against what the variant is compared with; null for the reference and without a network
   * @param comparison with that, corrected by Holm's method for all rows of the table, those whose
   *     runs are missing too, but those of twice the length, which ask whether another has
   *     converged; null where none can be made
   * @param verdict its verdict, or why there is none; {@code reference} and {@code baseline} for
   *     what has none to get
   * @param accuracy the lowest accuracy without margin, in %; null without runs or training
   * @param training means over the runs; null without runs or training
   */
  public record Row(
      String variant,
      int seeds,
      Estimate eer,
      Double minDcf,
      String against,
      Comparison comparison,
      String verdict,
      Double accuracy,
      Summary.Training training) {
    /** The EER and the ends of its 95 % interval, in %; null without one. */
    double[] errorRate() {
      if (eer == null) return null;
      double low = Math.max(0, eer.low(Comparison.LEVEL));
      return new double[] {eer.value(), low, eer.high(Comparison.LEVEL)};
    }

    /** The difference and its ends, in % of the EER of what is compared with; null without one. */
    double[] difference() {
      if (comparison == null) return null;
      return new double[] {comparison.percent(), comparison.percentLow(), comparison.percentHigh()};
    }

    /** The EER and its interval, {@code 8.80 (8.11 to 9.49)}; null without one. */
    public String eerText() {
      double[] values = errorRate();
      if (values == null) return null;
      return String.format(Locale.ROOT, "%.2f (%.2f to %.2f)", values[0], values[1], values[2]);
    }

    /** The difference and its interval, {@code -12.1 (-20.3 to -3.9)}; null without one. */
    public String differenceText() {
      return comparison == null ? null : comparison.percentText();
    }

    /** Whether the comparison is one of single runs, over speakers only. */
    boolean ofOneRun() {
      return comparison != null && !comparison.overSeeds();
    }

    private double value(Measure measure) {
      return measure == Measure.EER ? eer.value() : minDcf;
    }

    private static Double at(double[] values, int index) {
      return values == null ? null : values[index];
    }

    private <T> T of(Function<Summary.Training, T> value) {
      return training == null ? null : value.apply(training);
    }

    private Double mib(ToDoubleFunction<Summary.Training> bytes) {
      return training == null ? null : Bytes.mib(bytes.applyAsDouble(training));
    }
  }

  /** The experiment. */
  public Experiment experiment() {
    return experiment;
  }

  /** Sentences about files that were left out, runs without result, and mixed versions. */
  public List<String> notes() {
    return notes;
  }

  /** The lists that verdicts are made of: those behind channels, or all where there is none. */
  public List<String> decidingLists() {
    return deciding;
  }

  /** The summary of a run; null if it is missing. */
  public Summary summary(Run run) {
    return summaries.get(run);
  }

  /** The same results, of which one trial list of the experiment alone decides. */
  public ExperimentResults only(String list) {
    return new ExperimentResults(experiment, summaries, notes, List.of(list));
  }

  /** Where what has no network has fewer errors than every network, or some, a sentence each. */
  public List<String> baselinesAhead() {
    List<String> sentences = new ArrayList<>();
    for (String list : experiment.statement().lists()) {
      String name = ExperimentFigures.shortName(list) + (deciding.contains(list) ? "" : ", clean");
      List<Row> rows = networks(list).stream().filter(row -> row.eer != null).toList();
      List<Row> networks = rows.stream().filter(r -> r.training != null).toList();
      for (Row row : rows) {
        if (row.training != null) continue;
        Map<String, List<String>> ahead = new LinkedHashMap<>(); // of whom, by what
        for (Measure m : Measure.values()) {
          List<String> behind =
              networks.stream().filter(n -> row.value(m) < n.value(m)).map(Row::variant).toList();
          if (behind.isEmpty()) continue;
          boolean every = behind.size() == networks.size();
          String whom = every ? "every network" : String.join("; ", behind);
          ahead.computeIfAbsent(whom, _ -> new ArrayList<>()).add(m.toString());
        }
        ahead.forEach(
            (whom, by) ->
                sentences.add(
                    "%s: %s has fewer errors than %s, by %s (in the mean, not tested)"
                        .formatted(name, row.variant, whom, String.join(" and ", by))));
      }
    }
    return sentences;
  }

  /** The runs that have no summary. */
  public List<Run> missing() {
    return experiment.runs().stream().filter(run -> !summaries.containsKey(run)).toList();
  }

  /** A row for each variant on a trial list; one that the experiment lacks is refused. */
  public List<Row> rows(String list) {
    List<String> lists = experiment.statement().lists();
    if (!lists.contains(list)) {
      throw InputException.of(
          "%s has no list '%s'; it has %s", experiment.name(), list, String.join(", ", lists));
    }
    return rows.computeIfAbsent(list, this::made);
  }

  private List<Row> made(String list) {
    List<Candidate> candidates = experiment.candidates();
    List<Comparison> all = new ArrayList<>();
    for (Candidate c : candidates) all.add(comparison(c, list));
    List<Comparison> claims = new ArrayList<>();
    int open = 0;
    for (int i = 0; i < all.size(); i++) {
      if (!claims(candidates.get(i))) continue;
      if (all.get(i) != null) claims.add(all.get(i));
      else if (toCome(candidates.get(i))) open++;
    }
    var family = Comparison.family(claims, open).iterator();
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      boolean corrected = all.get(i) != null && claims(candidates.get(i));
      rows.add(row(candidates.get(i), list, corrected ? family.next() : all.get(i)));
    }
    return List.copyOf(rows);
  }

  /** Whether runs are missing that a comparison, or what has to be known before it, is made of. */
  private boolean toCome(Candidate candidate) {
    Candidate other = experiment.against(candidate);
    return Stream.of(List.of(candidate, other), longer(candidate), longer(other))
        .flatMap(List::stream)
        .flatMap(c -> experiment.runs(c).stream())
        .anyMatch(run -> !summaries.containsKey(run));
  }

  /**
   * Whether a variant is stated to be compared over seeds: a member of the family of Holm's
   * correction, whether its runs are there yet or not, but not if it or the other has not
   * converged.
   */
  private boolean claims(Candidate candidate) {
    Candidate other = experiment.against(candidate);
    return other != null
        && candidate.twice() == null
        && Math.min(experiment.runs(candidate).size(), experiment.runs(other).size()) > 1;
  }

  /** The rows of a list, of a network that stands there under several names the first one. */
  List<Row> networks(String list) {
    Set<String> seen = new HashSet<>();
    List<Row> rows = new ArrayList<>(rows(list));
    rows.removeIf(row -> !seen.add(experiment.hash(experiment.runs(candidate(row)).getFirst())));
    return rows;
  }

  private Candidate candidate(Row row) {
    return experiment.candidate(row.variant);
  }

  /** The rows of the variants that are compared with another. */
  List<Row> compared(String list) {
    List<Row> rows = new ArrayList<>(rows(list));
    rows.removeIf(row -> experiment.against(candidate(row)) == null);
    return rows;
  }

  /** The row of a variant; unknown lists and variants are refused. */
  public Row row(String list, String variant) {
    int index = experiment.candidates().indexOf(experiment.candidate(variant));
    return rows(list).get(index);
  }

  private Comparison comparison(Candidate candidate, String list) {
    Candidate other = experiment.against(candidate);
    if (other == null || fault(candidate, list) != null || fault(other, list) != null) return null;
    List<Summary> runs = runs(candidate);
    List<Summary> others = runs(other);
    if (candidate.paired()) {
      others = common(others, runs);
      runs = common(runs, others);
    }
    return Comparison.of(
        variant(other, others, list),
        variant(candidate, runs, list),
        Measure.EER,
        experiment.statement().margin() / 100,
        candidate.paired());
  }

  private Row row(Candidate candidate, String list, Comparison comparison) {
    List<Summary> runs = runs(candidate);
    Candidate other = experiment.against(candidate);
    String against = other == null ? null : other.name();
    String fault = fault(candidate, list);
    String verdict;
    if (fault != null) {
      verdict = fault;
    } else if (other == null) {
      verdict = candidate.isBaseline() ? "baseline" : "reference";
    } else if (comparison == null) {
      verdict = other.name() + ": " + fault(other, list);
    } else {
      verdict = comparison.overSeeds() ? comparison.verdict().toString() : "one seed: not tested";
    }
    if (runs.isEmpty()) {
      return new Row(candidate.name(), 0, null, null, against, null, verdict, null, null);
    }
    Variant variant = notConverged(candidate, list) == null ? variant(candidate, list) : null;
    return new Row(
        candidate.name(),
        runs.size(),
        variant == null ? null : variant.estimate(Measure.EER),
        variant == null ? null : variant.mean(Measure.MIN_DCF),
        against,
        comparison,
        verdict,
        candidate.isBaseline() ? null : accuracy(runs),
        candidate.isBaseline() ? null : means(runs));
  }

  private List<Summary> runs(Candidate candidate) {
    return experiment.runs(candidate).stream()
        .map(summaries::get)
        .filter(Objects::nonNull)
        .toList();
  }

  private Variant variant(Candidate candidate, String list) {
    return variant(candidate, runs(candidate), list);
  }

  private static Variant variant(Candidate candidate, List<Summary> runs, String list) {
    List<Replicates> rates = runs.stream().map(s -> s.lists().get(list)).toList();
    return new Variant(candidate.name(), rates, !candidate.isBaseline());
  }

  /** The runs whose seeds others have, too. */
  private static List<Summary> common(List<Summary> runs, List<Summary> others) {
    return runs.stream()
        .filter(run -> others.stream().anyMatch(other -> other.seed() == run.seed()))
        .toList();
  }

  private static double accuracy(List<Summary> runs) {
    return runs.stream().mapToDouble(s -> s.training().accuracy()).min().orElseThrow();
  }

  private static Summary.Training means(List<Summary> runs) {
    List<Summary.Training> all = runs.stream().map(Summary::training).toList();
    Summary.Training first = all.getFirst();
    boolean timed = all.stream().allMatch(t -> t.cpuSeconds() != null);
    return new Summary.Training(
        first.steps(),
        mean(all, Summary.Training::accuracy),
        mean(all, Summary.Training::loss),
        mean(all, Summary.Training::seconds),
        timed ? mean(all, Summary.Training::cpuSeconds) : null,
        first.peakBytes(),
        first.stateBytes(),
        first.parameters());
  }

  private static double mean(List<Summary.Training> runs, ToDoubleFunction<Summary.Training> of) {
    return runs.stream().mapToDouble(of).average().orElseThrow();
  }

  /** Why a variant cannot be compared; null if it can. */
  private String fault(Candidate candidate, String list) {
    List<Integer> missing =
        experiment.runs(candidate).stream()
            .filter(run -> !summaries.containsKey(run))
            .map(Run::seed)
            .toList();
    if (!missing.isEmpty()) {
      if (candidate.isBaseline()) return "missing";
      return "missing: seed "
          + missing.stream().map(String::valueOf).collect(Collectors.joining(", "));
    }
    for (Candidate longer : longer(candidate)) {
      if (runs(longer).isEmpty()) return "convergence not tested, missing: " + longer.name();
    }
    return notConverged(candidate, list);
  }

  /** The variants of twice the length, which ask whether one has converged. */
  private List<Candidate> longer(Candidate candidate) {
    return experiment.candidates().stream()
        .filter(other -> candidate.name().equals(other.twice()))
        .toList();
  }

  /** Why the runs that are there have not converged; null if they have. */
  private String notConverged(Candidate candidate, String list) {
    List<Summary> runs = runs(candidate);
    if (runs.isEmpty() || candidate.isBaseline()) return null;
    Statement statement = experiment.statement();
    if (accuracy(runs) < statement.accuracy()) {
      return String.format(Locale.ROOT, "not converged: accuracy %.1f %%", accuracy(runs));
    }
    for (Candidate longer : longer(candidate)) {
      List<Summary> same = common(runs, runs(longer));
      if (same.isEmpty()) continue;
      double once = variant(candidate, same, list).mean(Measure.EER);
      double twice = variant(longer, common(runs(longer), same), list).mean(Measure.EER);
      double less = 100 * (once - twice) / once;
      if (less >= statement.margin()) {
        return String.format(
            Locale.ROOT,
            "not converged: twice the steps have %.0f %% less EER (%d seed%s)",
            less,
            same.size(),
            same.size() == 1 ? "" : "s");
      }
    }
    return null;
  }

  /** A p-value after Holm's correction; null where nothing is tested, or convergence only. */
  private Double p(Row row, Function<Comparison, Double> value) {
    boolean asked = row.comparison != null && claims(candidate(row));
    return asked ? value.apply(row.comparison) : null;
  }

  /**
   * The table of a trial list: lines of text, JSON, CSV or a Tablesaw table. Intervals are those of
   * 95 %; differences are in % of the EER of what is compared with, and below 0 better.
   */
  public Rows<Row> table(String list) {
    return Rows.of(rows(list))
        .column("variant", "variant", "%-28s", Row::variant)
        .column("seeds", "seeds", " %5d", Row::seeds)
        .column("eer_percent", r -> Row.at(r.errorRate(), 0))
        .column("eer_low", r -> Row.at(r.errorRate(), 1))
        .column("eer_high", r -> Row.at(r.errorRate(), 2))
        .column("EER (%)", "  %-22s", Row::eerText)
        .column("min_dcf", "minDCF", " %6.3f", Row::minDcf)
        .column("against", Row::against)
        .column("difference_percent", r -> Row.at(r.difference(), 0))
        .column("difference_low", r -> Row.at(r.difference(), 1))
        .column("difference_high", r -> Row.at(r.difference(), 2))
        .column("difference (%)", "  %-24s", Row::differenceText)
        .column("p_different", r -> p(r, Comparison::pDifferent))
        .column("p_not_worse", r -> p(r, Comparison::pNotWorse))
        .column("p_equivalent", r -> p(r, Comparison::pEquivalent))
        .column("verdict", "verdict", "  %-12s", Row::verdict)
        .column("p of the verdict (Holm)", " %7.3f", r -> p(r, Comparison::pVerdict))
        .column("accuracy_percent", "accuracy (%)", " %12.1f", Row::accuracy)
        .column("parameters", r -> r.of(Summary.Training::parameters))
        .column("peak_bytes", r -> r.of(Summary.Training::peakBytes))
        .column("state_bytes", r -> r.of(Summary.Training::stateBytes))
        .column("peak (MiB)", " %10.1f", r -> r.mib(Summary.Training::peakBytes))
        .column("state (MiB)", " %11.2f", r -> r.mib(Summary.Training::stateBytes))
        .column("seconds", r -> r.of(Summary.Training::seconds))
        .column("cpu_seconds", "CPU (s)", " %7.0f", r -> r.of(Summary.Training::cpuSeconds));
  }
}
