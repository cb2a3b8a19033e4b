package slimvox.study;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import slimvox.data.Corpus;
import slimvox.notebook.Notebook;
import slimvox.plot.Axis;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.report.Rows;
import slimvox.study.ExperimentResults.Row;
import slimvox.verify.Verdict;
import tech.tablesaw.api.Table;

/**
 * Figures of an experiment: a row for each variant, a menu for the trial list. Recordings behind
 * channels stand above the clean ones, where the experiment has both.
 */
public final class ExperimentFigures {
  /** The least EER in % that has a place on the logarithmic axis. */
  private static final double LEAST = 0.1;

  private static final int LONGEST = 80; // letters of a title

  private final ExperimentResults results;
  private final List<String> lists;
  private final boolean differences;

  private ExperimentFigures(ExperimentResults results, boolean differences) {
    this.results = results;
    this.differences = differences;
    lists = results.experiment().statement().lists();
  }

  /** Shows an experiment: differences and verdicts on every list, tables, notes. */
  public static void show(ExperimentResults results) {
    Notebook.show(differences(results));
    tables(results);
    results.baselinesAhead().forEach(Notebook::text);
    results.notes().forEach(Notebook::text);
  }

  /** Shows verdicts, the EERs of all lists, and what else the table of the first list has. */
  public static void tables(ExperimentResults results) {
    Notebook.show(verdicts(results));
    Notebook.show(errorRates(results));
    String list = results.decidingLists().getFirst();
    Table all = results.table(list).table();
    Notebook.show(
        all.removeColumns("EER (%)", "difference (%)", "verdict")
            .setName("Training; minDCF, and p of the verdict on the EER, of " + list));
  }

  /** Differences and verdicts on every deciding list, a row for each variant that is compared. */
  public static Table verdicts(ExperimentResults results) {
    List<String> lists = results.decidingLists();
    List<String> compared = results.compared(lists.getFirst()).stream().map(Row::variant).toList();
    Rows<String> rows =
        Rows.of(compared)
            .column("variant", null, variant -> variant)
            .column("against", null, v -> results.row(lists.getFirst(), v).against());
    for (String list : lists) {
      rows.column(shortName(list) + " (%)", null, v -> results.row(list, v).differenceText());
      rows.column(shortName(list) + ", verdict", null, v -> results.row(list, v).verdict());
    }
    return rows.table().setName(results.experiment().statement().title());
  }

  /** The EER of each variant on every list, behind channels and clean, with its 95 % interval. */
  public static Table errorRates(ExperimentResults results) {
    List<String> lists = results.experiment().statement().lists();
    Rows<Row> rows =
        Rows.of(results.networks(lists.getFirst())).column("variant", null, Row::variant);
    for (String list : lists) {
      String name = shortName(list) + (list.contains(Corpus.CHANNEL) ? "" : ", clean");
      rows.column(name, null, row -> results.row(list, row.variant()).eerText());
    }
    return rows.table().setName("EER (%), behind channels and clean");
  }

  /** The EER of each variant with its 95 % interval over seeds and speakers. */
  public static Gallery errors(ExperimentResults results) {
    return new ExperimentFigures(results, false).gallery();
  }

  /**
   * The EER of some variants with its 95 % interval, in rows of other names, such as depths; a menu
   * for the list.
   *
   * @param variants of each series the variant of each row
   */
  public static Gallery errors(
      ExperimentResults results, List<String> names, Map<String, List<String>> variants) {
    List<Figure> figures = new ArrayList<>();
    for (String list : results.decidingLists()) {
      List<Row> all =
          variants.values().stream().flatMap(List::stream).map(v -> results.row(list, v)).toList();
      Figure figure = Figure.of(lowest(list, all)).x("EER (%)");
      double up = 0.14 * (variants.size() - 1);
      for (var series : variants.entrySet()) {
        List<double[]> rates =
            series.getValue().stream().map(v -> results.row(list, v).errorRate()).toList();
        figure = intervals(figure, series.getKey(), up, names, rates, 0);
        up -= 0.28;
      }
      figures.add(figure.size(900, 130 + 36 * names.size()));
    }
    return menu(results, figures);
  }

  private static Gallery menu(ExperimentResults results, List<Figure> figures) {
    List<String> lists = results.decidingLists();
    return Gallery.menu("list", lists.stream().map(ExperimentFigures::shortName).toList(), figures);
  }

  /**
   * The difference of each variant from what it is compared with, its 95 % interval and the margin:
   * a forest plot. Left of zero there are fewer errors.
   */
  public static Gallery differences(ExperimentResults results) {
    return new ExperimentFigures(results, true).gallery();
  }

  private Gallery gallery() {
    List<String> deciding = results.decidingLists();
    boolean both = deciding.stream().map(ExperimentFigures::clean).allMatch(lists::contains);
    List<Figure> figures = new ArrayList<>();
    for (String list : deciding) {
      List<Row> rows = rows(list);
      List<String> names = rows.stream().map(this::name).toList();
      double least = differences ? Double.NEGATIVE_INFINITY : LEAST;
      Figure figure = frame(list, rows);
      figure = intervals(figure, "behind channels", both ? 0.14 : 0, names, values(rows), least);
      if (both) {
        List<double[]> clean = values(rows(clean(list)));
        figure = intervals(figure, "clean", -0.14, names, clean, least);
      }
      figures.add(figure.size(900, 130 + 36 * rows.size()));
    }
    return menu(results, figures);
  }

  private List<Row> rows(String list) {
    return differences ? results.compared(list) : results.networks(list);
  }

  private Figure frame(String list, List<Row> rows) {
    if (!differences) return Figure.of(lowest(list, rows)).x(Axis.log("EER (%)"));
    double margin = results.experiment().statement().margin();
    double top = rows.size() + 0.6;
    double gap = Double.NaN;
    double[] across = {-margin, -margin, gap, 0, 0, gap, margin, margin};
    return Figure.of(verdicts(list, rows))
        .x("difference (% of the reference's EER)")
        .span("", -margin, margin)
        .dashed("margin", across, new double[] {0.4, top, gap, 0.4, top, gap, 0.4, top});
  }

  private List<double[]> values(List<Row> rows) {
    return rows.stream().map(differences ? Row::difference : Row::errorRate).toList();
  }

  /** Adds a value and the ends of its interval for each name; null where there is none. */
  private static Figure intervals(
      Figure figure,
      String series,
      double up,
      List<String> names,
      List<double[]> values,
      double least) {
    double[][] columns = new double[3][values.size()];
    for (int i = 0; i < values.size(); i++) {
      double[] interval = values.get(i);
      for (int k = 0; k < 3; k++) {
        double value = interval == null ? Double.NaN : Math.round(100 * interval[k]) / 100.0;
        columns[k][i] = Math.clamp(value, least, 1000); // an interval may have no end
      }
    }
    return figure.intervals(
        series, up, names.toArray(String[]::new), columns[0], columns[1], columns[2]);
  }

  private String name(Row row) {
    boolean told = differences || row.eer() == null;
    return told && !row.ofOneRun() ? row.variant() + ": " + brief(row) : row.variant();
  }

  /** A verdict, or why there is none without the numbers, which are in the table. */
  private static String brief(Row row) {
    String verdict = row.verdict();
    for (String fault : List.of("missing", "not converged")) {
      if (verdict.startsWith(fault)) return fault;
      if (verdict.contains(fault)) return "no verdict (%s: %s)".formatted(row.against(), fault);
    }
    return verdict;
  }

  private static String lowest(String list, List<Row> rows) {
    Comparator<Row> byErrors = Comparator.comparingDouble(row -> row.eer().value());
    List<Row> rated = rows.stream().filter(row -> row.eer() != null).toList();
    return rated.stream()
        .filter(row -> row.training() != null)
        .min(byErrors)
        .map(
            row -> {
              Row least = rated.stream().min(byErrors).orElseThrow();
              String lower =
                  least == row
                      ? ""
                      : "; %s %.2f %%".formatted(least.variant(), least.eer().value());
              return "%s: lowest of the networks: %s, %s %%%s"
                  .formatted(shortName(list), row.variant(), row.eerText(), lower);
            })
        .orElse(shortName(list) + ": no run yet");
  }

  /** Who is better, equivalent and so on; of single runs, which have no verdict, the extreme. */
  private String verdicts(String list, List<Row> rows) {
    Map<String, List<String>> groups =
        rows.stream()
            .filter(row -> row.comparison() != null && !row.ofOneRun())
            .collect(
                Collectors.groupingBy(
                    Row::verdict, Collectors.mapping(Row::variant, Collectors.toList())));
    if (!groups.isEmpty()) {
      String names = told(groups, variants -> ": " + String.join(", ", variants));
      String numbers = told(groups, variants -> " " + variants.size());
      return shortName(list) + " — " + (names.length() <= LONGEST ? names : numbers);
    }
    return rows.stream()
        .filter(Row::ofOneRun)
        .max(Comparator.comparingDouble(row -> row.difference()[0]))
        .map(
            row ->
                "%s: most with %s, %s %%"
                    .formatted(shortName(list), row.variant(), row.differenceText()))
        .orElseGet(
            () ->
                results.missing().isEmpty()
                    ? "%s: no verdict, %s".formatted(shortName(list), rows.getLast().verdict())
                    : "%s: no verdict yet, missing runs: %d"
                        .formatted(shortName(list), results.missing().size()));
  }

  private static String told(Map<String, List<String>> groups, Function<List<String>, String> who) {
    return Stream.of(Verdict.values())
        .map(Verdict::toString)
        .filter(groups::containsKey)
        .map(verdict -> verdict + who.apply(groups.get(verdict)))
        .collect(Collectors.joining("; "));
  }

  private static String clean(String list) {
    return list.replace(Corpus.CHANNEL, "");
  }

  /** The name of a list without what the lists of an experiment share, such as same-word. */
  static String shortName(String list) {
    return clean(list).replaceFirst("^(test|val)-", "");
  }
}
