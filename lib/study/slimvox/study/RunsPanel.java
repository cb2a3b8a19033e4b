package slimvox.study;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import slimvox.notebook.LivePanel;
import slimvox.train.Listener;

/**
 * Follows several training runs in a notebook: how many are finished, what the last one gave, and
 * at which step those are that go on.
 *
 * <pre>{@code
 * try (RunsPanel panel = new RunsPanel("Four networks", runs.size())) {
 *   outcomes = runs.run(2, panel);
 * }
 * }</pre>
 */
public final class RunsPanel implements TrainingRuns.Progress, AutoCloseable {
  private final LivePanel panel;
  private final Map<String, String> goingOn = new LinkedHashMap<>();
  private int done;

  /**
   * A panel for {@code runs} runs.
   *
   * @param title what is trained
   */
  public RunsPanel(String title, int runs) {
    panel = new LivePanel(title + ": runs", runs);
  }

  @Override
  public synchronized void stepped(String run, Listener.Step step) {
    goingOn.put(
        run,
        String.format(
            Locale.ROOT,
            "%s %d/%d, loss %.2f",
            run,
            step.step(),
            step.steps(),
            step.result().loss()));
    draw();
  }

  @Override
  public synchronized void finished(TrainingRuns.Outcome run, int done, int total) {
    this.done = done;
    goingOn.remove(run.name());
    String list = run.scores().keySet().iterator().next();
    panel.metric("last finished", run.name());
    panel.metric("its EER", String.format(Locale.ROOT, "%.2f %%", run.eer(list)));
    draw();
  }

  private void draw() {
    panel.metric("going on", goingOn.isEmpty() ? "none" : String.join(" | ", goingOn.values()));
    panel.step(done);
  }

  /** Draws the final state. */
  @Override
  public synchronized void close() {
    panel.close();
  }
}
