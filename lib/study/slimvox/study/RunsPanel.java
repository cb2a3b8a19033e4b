package slimvox.study;

import java.util.Locale;
import slimvox.notebook.LivePanel;
import slimvox.study.Experiment.Run;

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
public final class RunsPanel extends GoingOn {
  private final String title;
  private LivePanel panel; // null as long as there is nothing to be made

  /** A panel that nothing is shown in yet, with the title of what is trained. */
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
  void ended(Run run, Summary summary) {
    panel.metric("last finished", run.name());
    panel.metric("its EER", summary == null ? "none" : first(summary));
  }

  private static String first(Summary summary) {
    double eer = summary.lists().values().iterator().next().eerPercent();
    return String.format(Locale.ROOT, "%.2f %%", eer);
  }

  @Override
  void draw(int done, String goingOn) {
    panel.metric("going on", goingOn.isEmpty() ? "none" : goingOn);
    panel.step(done);
  }

  /** Draws the final state. */
  @Override
  public synchronized void close() {
    if (panel != null) panel.close();
  }
}
