package slimvox.study;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import slimvox.notebook.LivePanel;
import slimvox.study.Experiment.Run;
import slimvox.train.Listener;

/**
 * Follows the runs of an experiment in a notebook: how many are finished, what the last one gave,
 * and at which step those are that go on.
 *
 * <pre>{@code
 * try (RunsPanel panel = new RunsPanel("Four networks")) {
 *   results = runs.run(List.of(), 2, panel);
 * }
 * }</pre>
 */
public final class RunsPanel implements RunsProgress, TrainingRuns.Progress, AutoCloseable {
  private final String title;
  private final Map<String, String> goingOn = new LinkedHashMap<>();
  private LivePanel panel; // null as long as there is nothing to be made
  private int done;

  /**
   * A panel that nothing is shown in yet.
   *
   * @param title what is trained
   */
  public RunsPanel(String title) {
    this.title = title;
  }

  /** A panel for {@code runs} runs. */
  public RunsPanel(String title, int runs) {
    this(title);
    began(runs);
  }

  @Override
  public synchronized void began(int total) {
    if (total > 0) panel = new LivePanel(title + ": runs", total);
  }

  @Override
  public synchronized void noted(String note) {
    if (panel != null) panel.metric("note", note);
  }

  @Override
  public void stepped(Run run, Listener.Step step) {
    stepped(run.name(), step);
  }

  @Override
  public synchronized void stepped(String run, Listener.Step step) {
    double loss = step.result().loss();
    goingOn.put(
        run,
        String.format(Locale.ROOT, "%s %d/%d, loss %.2f", run, step.step(), step.steps(), loss));
    draw();
  }

  @Override
  public void finished(Run run, Summary summary, int done) {
    finished(run.name(), summary == null ? null : first(summary), done);
  }

  private static Double first(Summary summary) {
    return summary.lists().values().iterator().next().eerPercent();
  }

  @Override
  public void finished(TrainingRuns.Outcome run, int done, int total) {
    finished(run.name(), run.eer(run.scores().keySet().iterator().next()), done);
  }

  private synchronized void finished(String run, Double eer, int done) {
    this.done = done;
    goingOn.remove(run);
    panel.metric("last finished", run);
    panel.metric("its EER", eer == null ? "none" : String.format(Locale.ROOT, "%.2f %%", eer));
    draw();
  }

  private void draw() {
    panel.metric("going on", goingOn.isEmpty() ? "none" : String.join(" | ", goingOn.values()));
    panel.step(done);
  }

  /** Draws the final state. */
  @Override
  public synchronized void close() {
    if (panel != null) panel.close();
  }
}
