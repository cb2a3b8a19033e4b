package slimvox.report;

import java.util.ArrayList;
import java.util.List;
import slimvox.plot.Figure;
import slimvox.verify.DetectionCurve.DetPoint;
import slimvox.verify.Scores;
import slimvox.verify.Verification;
import tech.tablesaw.api.Table;

/** Verification results of several systems: a table with their trial lists, and DET curves. */
public final class Results {
  private static final int CURVE_POINTS = 400;

  private record Row(String system, Scores scores, Verification verification) {}

  private final List<Row> rows = new ArrayList<>();

  /** Adds a system's scores and returns them measured, with p_target 0.05. */
  public Verification add(String system, Scores scores) {
    Verification verification = Verification.of(scores);
    rows.add(new Row(system, scores, verification));
    return verification;
  }

  /** One line a system and trial list: EER in %, minDCF, number of trials, name and hash. */
  public Table table() {
    return Rows.of(rows)
        .column("system", null, Row::system)
        .column("trial list", null, r -> shortName(r.verification.trialList()))
        .column("EER (%)", "%.2f", r -> r.verification.eerPercent())
        .column("minDCF(p_target 0.05)", "%.3f", r -> r.verification.minDcf())
        .column("targets", null, r -> r.verification.targets())
        .column("nontargets", null, r -> r.verification.nontargets())
        .column("list sha256", null, r -> r.verification.sha256().substring(0, 12))
        .table();
  }

  /** The DET curves of these systems on one trial list, of all if none is named. */
  public Figure det(String trialList, String... systems) {
    Figure figure = Figure.det("DET curves, trials " + trialList);
    for (Row row : rows) {
      if (!shortName(row.verification.trialList()).equals(trialList)) continue;
      if (systems.length > 0 && !List.of(systems).contains(row.system)) continue;
      List<DetPoint> points = row.scores.curve().detPoints(CURVE_POINTS);
      double[] falseAlarms = points.stream().mapToDouble(DetPoint::falseAlarmRate).toArray();
      double[] misses = points.stream().mapToDouble(DetPoint::missRate).toArray();
      figure = figure.line(row.system, falseAlarms, misses);
    }
    if (figure.series().size() <= Math.max(1, systems.length)) { // one is the diagonal
      String asked = systems.length == 0 ? "any system" : String.join(", ", systems);
      throw new IllegalArgumentException("no scores of " + asked + " on " + trialList);
    }
    return figure;
  }

  /** A list's name without folders and ending. */
  private static String shortName(String trialList) {
    String name = trialList.substring(trialList.lastIndexOf('/') + 1);
    return name.endsWith(".txt") ? name.substring(0, name.length() - 4) : name;
  }

  /** The table. */
  @Override
  public String toString() {
    return Tables.text(table());
  }
}
