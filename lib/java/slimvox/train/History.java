package slimvox.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.commons.csv.CSVRecord;
import slimvox.verify.Verification;

/**
 * The course of a run, as its trainer remembers it: what a panel is drawn from whenever somebody
 * asks for it. A run that goes on begins with what its folder's log says.
 *
 * <p>Of runs longer than 20,000 steps it keeps every second, fourth or eighth step, and so on.
 */
public final class History implements Listener {
  private static final int MOST = 20_000;

  /**
   * One training step.
   *
   * @param step from 1
   * @param margin radians
   * @param dataWait share of the time that was spent waiting for data, from 0 to 1
   */
  public record Point(
      long step,
      double loss,
      double accuracy,
      double accuracyWithoutMargin,
      double learningRate,
      double margin,
      double utterancesPerSecond,
      double dataWait) {
    /** What is kept of a step. */
    public static Point of(Step s) {
      return new Point(
          s.step(),
          s.result().loss(),
          s.result().accuracy(),
          s.result().accuracyWithoutMargin(),
          s.learningRate(),
          s.margin(),
          s.utterancesPerSecond(),
          share(s.dataWaitNanos(), s.result().nanos()));
    }

    private static Point of(CSVRecord line) {
      return new Point(
          Long.parseLong(line.get("step")),
          number(line, "loss"),
          number(line, "accuracy"),
          number(line, "accuracy_without_margin"),
          number(line, "learning_rate"),
          number(line, "margin"),
          number(line, "utterances_per_second"),
          share(number(line, "data_wait_ms"), number(line, "step_ms")));
    }

    private static double share(double wait, double step) {
      return wait / (wait + step);
    }
  }

  /** The equal error rate of the first or another list of trials after a step, in per cent. */
  public record Eer(long step, String list, double percent) {}

  private final Path folder; // null for a run that leaves nothing on disk
  private final List<Point> points = new ArrayList<>();
  private final List<Eer> eers = new ArrayList<>();
  private int every = 1;
  private Start start;
  private End end;
  private Throwable failed;
  private long beganNs;
  private double seconds;
  private Path checkpoint;

  /** A run that has not begun; its folder, or null for one that leaves nothing on disk. */
  public History(Path folder) {
    this.folder = folder;
  }

  private static double number(CSVRecord line, String column) {
    return Double.parseDouble(line.get(column));
  }

  /** The steps so far, oldest first. */
  public synchronized List<Point> points() {
    return List.copyOf(points);
  }

  /** The validations so far, oldest first. */
  public synchronized List<Eer> eers() {
    return List.copyOf(eers);
  }

  /** How the run began the last time; null before. */
  public synchronized Start start() {
    return start;
  }

  /** How the run ended the last time; null while it goes on, and if an error ended it. */
  public synchronized End end() {
    return end;
  }

  /** The error that ended the run the last time; null while it goes on, and if none did. */
  public synchronized Throwable failed() {
    return failed;
  }

  /** How long the run has gone on, or went on the last time; 0 before. */
  public synchronized double seconds() {
    return start == null || end != null || failed != null ? seconds : sinceBegin();
  }

  private double sinceBegin() {
    return (System.nanoTime() - beganNs) / 1e9;
  }

  /** Steps and the latest equal error rate. */
  @Override
  public synchronized String toString() {
    String steps = points.isEmpty() ? "no steps" : points.getLast().step() + " steps";
    if (eers.isEmpty()) return steps;
    Eer last = eers.getLast();
    return String.format(Locale.ROOT, "%s, EER %.2f %% on %s", steps, last.percent(), last.list());
  }

  /** The latest checkpoint that this trainer wrote; null without any. */
  public synchronized Path checkpoint() {
    return checkpoint;
  }

  @Override
  public synchronized void started(Start start) {
    this.start = start;
    end = null;
    failed = null;
    beganNs = System.nanoTime();
    if (folder == null || !points.isEmpty() || start.firstStep() == 0) return;
    RunLog.steps(folder, line -> add(Point.of(line)));
    RunLog.validations(
        folder,
        line ->
            eers.add(
                new Eer(
                    Long.parseLong(line.get("step")),
                    line.get("trial_list"),
                    number(line, "eer_percent"))));
  }

  @Override
  public synchronized void stepped(Step step) {
    add(Point.of(step));
  }

  private void add(Point point) {
    if (point.step() % every != 0) return;
    points.add(point);
    if (points.size() < MOST) return;
    every *= 2;
    points.removeIf(p -> p.step() % every != 0);
  }

  @Override
  public synchronized void validated(long step, Map<String, Verification> lists) {
    lists.forEach((list, v) -> eers.add(new Eer(step, list, v.eerPercent())));
  }

  @Override
  public synchronized void saved(long step, Path file) {
    checkpoint = file;
  }

  @Override
  public synchronized void finished(End end) {
    this.end = end;
    seconds = end.seconds();
  }

  @Override
  public synchronized void failed(Throwable error) {
    failed = error;
    seconds = sinceBegin();
  }
}
