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
public final class RunsPanel implements RunsProgress, AutoCloseable {
  private final String title;
  private final Map<Run, String> goingOn = new LinkedHashMap<>();
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

  @Override
  public synchronized void began(int total) {
    if (total > 0) panel = new LivePanel(title + ": runs", total);
  }

  @Override
  public synchronized void noted(String note) {
    if (panel != null) panel.metric("note", note);
  }

  @Override
  public synchronized void stepped(Run run, Listener.Step step) {
    String text =
        String.format(
            Locale.ROOT,
            "%s %d/%d, loss %.2f",
            run.name(),
            step.step(),
            step.steps(),
            step.result().loss());
    goingOn.put(run, text);
    draw();
  }

  @Override
  public synchronized void finished(Run run, Summary summary, int done) {
    this.done = done;
    goingOn.remove(run);
    panel.metric("last finished", run.name());
    panel.metric("its EER", summary == null ? "none" : first(summary));
    draw();
  }

  private static String first(Summary summary) {
    double eer = summary.lists().values().iterator().next().eerPercent();
    return String.format(Locale.ROOT, "%.2f %%", eer);
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
