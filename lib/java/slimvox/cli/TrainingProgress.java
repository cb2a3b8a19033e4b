package slimvox.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import slimvox.report.Bytes;
import slimvox.train.Listener;
import slimvox.verify.Verification;

/** Shows a training run in the terminal. */
final class TrainingProgress implements Listener, AutoCloseable {
  /** Weight of the newest step in the running means of speed, loss and accuracies. */
  private static final double NEWEST = 0.1;

  private final Subcommand command;
  private final Path folder;
  private Progress progress;
  private double loss = Double.NaN;
  private double accuracy;
  private double accuracyWithoutMargin;
  private double computeSeconds;
  private double waitSeconds;
  private Path checkpoint;

  TrainingProgress(Subcommand command, Path folder) {
    this.command = command;
    this.folder = folder;
  }

  @Override
  public void started(Start s) {
    command.note(s.recipe().toYaml().strip());
    command.note(
        String.format(
            Locale.ROOT,
            "# recipe %s, results in %s%n# %,d parameters, %,d classes, %,d steps an epoch, on %s%n"
                + "# a step lies in one planned block of %,.1f MiB%n"
                + "# accuracy with the margin (without it); wait: for data; MiB: the peak so far",
            s.recipe().hash(),
            folder,
            s.parameters(),
            s.classes(),
            s.stepsPerEpoch(),
            s.device(),
            Bytes.mib(s.plan().bytes())));
    if (s.firstStep() > 0) {
      command.note(String.format(Locale.ROOT, "# goes on after step %,d", s.firstStep()));
    }
    progress = Progress.of(command, "training", " steps", s.firstStep(), s.steps());
  }

  @Override
  public void noted(String note) {
    command.note("# " + note);
  }

  @Override
  public void stepped(Step s) {
    double newest = Double.isNaN(loss) ? 1 : NEWEST;
    loss = Double.isNaN(loss) ? s.result().loss() : mean(loss, s.result().loss(), newest);
    accuracy = mean(accuracy, s.result().accuracy(), newest);
    accuracyWithoutMargin = mean(accuracyWithoutMargin, s.result().accuracyWithoutMargin(), newest);
    computeSeconds = mean(computeSeconds, s.result().nanos() / 1e9, newest);
    waitSeconds = mean(waitSeconds, s.dataWaitNanos() / 1e9, newest);
    double seconds = computeSeconds + waitSeconds;
    progress.at(
        s.step(),
        s.steps(),
        String.format(
            Locale.ROOT,
            "loss %.3f, accuracy %.1f %% (%.1f %%), %.0f utterances/s, wait %.0f %%, %,.0f MiB",
            loss,
            100 * accuracy,
            100 * accuracyWithoutMargin,
            s.utterances() / seconds,
            100 * waitSeconds / seconds,
            Bytes.mib(s.memory().totalPeak())));
  }

  private static double mean(double before, double value, double weight) {
    return before + weight * (value - before);
  }

  @Override
  public void validated(long step, Map<String, Verification> lists) {
    for (Verification v : lists.values()) {
      progress.note(String.format(Locale.ROOT, "step %,d: %s", step, v));
    }
  }

  @Override
  public void saved(long step, Path file) {
    checkpoint = file;
  }

  @Override
  public void finished(End end) {
    close();
  }

  /** The last checkpoint written; null before the first. */
  Path checkpoint() {
    return checkpoint;
  }

  @Override
  public void close() {
    if (progress != null) progress.close();
    progress = null;
  }
}
