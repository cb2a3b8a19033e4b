package slimvox.study;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import slimvox.study.Experiment.Run;
import slimvox.train.Listener;

/** Keeps at which step those runs are that go on; how it is shown is left to others. */
abstract class GoingOn implements RunsProgress, AutoCloseable {
  private final Map<Run, String> steps = new LinkedHashMap<>();
  private int done;

  /** Shows how many runs have ended, and the others: names, steps and losses. */
  abstract void draw(int done, String goingOn);

  /** Shows a run that has ended. */
  abstract void ended(Run run, Summary summary);

  final void draw() {
    draw(done, String.join(" | ", steps.values()));
  }

  @Override
  public final synchronized void stepped(Run run, Listener.Step s) {
    String text = "%s %,d/%,d, loss %.2f";
    double loss = s.result().loss();
    steps.put(run, String.format(Locale.ROOT, text, run.name(), s.step(), s.steps(), loss));
    draw();
  }

  @Override
  public final synchronized void finished(Run run, Summary summary, int done) {
    this.done = done;
    steps.remove(run);
    ended(run, summary);
    draw();
  }

  @Override
  public abstract void close();
}
