package slimvox.notebook;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.Category;
import slimvox.memory.MemoryReport;
import slimvox.report.Bytes;
import slimvox.train.History;
import slimvox.train.Listener;
import slimvox.verify.Verification;

/**
 * Shows a training run in a notebook while it happens: loss, EER (the last and the best), speed and
 * memory in large numbers, loss and EER as small plots, and folded below them accuracy with and
 * without margin, learning rate, margin, and memory by category at the peak.
 *
 * <p>Loss and accuracies are running means with a memory of about 20 steps; single batches jump too
 * much to be read. A run that goes on keeps its curve.
 */
public final class TrainingPanel implements Listener {
  private static final double SMOOTHING = 0.05;
  private static final long LEAST_BYTES = 100_000; // of a category that is worth a number

  /** Makes the panel of a run. */
  interface Panels {
    LivePanel of(String title, long firstStep, long steps);
  }

  private final Panels panels;
  private LivePanel panel;
  private Start start;
  private double weight; // of all steps in the running means; tends to 1
  private double loss;
  private double accuracy;
  private double accuracyWithoutMargin;
  private double waiting;
  private double utterancesPerSecond;
  private String firstList;
  private History.Eer best;
  private long steps;
  private long step;
  private Path checkpoint;
  private String note = "";

  /** A panel that nothing is shown in yet. */
  public TrainingPanel() {
    this(LivePanel::new);
  }

  TrainingPanel(Panels panels) {
    this.panels = panels;
  }

  /** Draws a run from its history: as it is now, as it ended, or as it failed. */
  void draw(History history) {
    started(history.start());
    if (history.end() != null) finished(history.end());
    if (history.failed() != null) failed(history.failed());
  }

  @Override
  public void started(Start start) {
    this.start = start;
    weight = 0;
    steps = 0;
    best = null;
    firstList = null;
    step = start.firstStep();
    note = "";
    panel = panels.of("Training " + start.recipe().model().name(), step, start.steps());
    panel.began(start.history().seconds());
    panel.headline("loss", "none yet", "").headline("EER", "none yet", "");
    panel.metric("classes", "%,d (speakers at all speeds)".formatted(start.classes()));
    History history = start.history();
    history.points().forEach(this::add);
    history.eers().forEach(this::add);
    checkpoint = history.checkpoint();
    panel.step(step);
  }

  @Override
  public void noted(String note) {
    this.note += this.note.isEmpty() ? note : "; " + note;
    panel.message(this.note).step(step);
  }

  @Override
  public void stepped(Step step) {
    add(History.Point.of(step));
    memory(step.memory());
    panel.step(this.step);
  }

  private void add(History.Point p) {
    step = p.step();
    weight += SMOOTHING * (1 - weight);
    loss = smooth(loss, p.loss());
    accuracy = smooth(accuracy, p.accuracy());
    accuracyWithoutMargin = smooth(accuracyWithoutMargin, p.accuracyWithoutMargin());
    waiting = smooth(waiting, p.dataWait());
    utterancesPerSecond = smooth(utterancesPerSecond, p.utterancesPerSecond());
    panel
        .headline("loss", format("%.3f", loss), "mean of 20 steps")
        .headline(
            "utterances/s",
            format("%,.0f", utterancesPerSecond),
            format("%.1f %% waiting for data", 100 * waiting))
        .metric("accuracy", format("%.1f %%", 100 * accuracy))
        .metric("accuracy without margin", format("%.1f %%", 100 * accuracyWithoutMargin))
        .metric("learning rate", format("%.2e", p.learningRate()))
        .metric("margin", format("%.3f rad", p.margin()));
    // A mean of few steps says nothing; a thousand points are more than a small plot can show.
    long few = Math.min(10, start.steps() / 10);
    if (++steps > few && step % Math.max(1, start.steps() / 1000) == 0) {
      panel.point("loss (mean of 20 steps)", "training", step, loss);
    }
  }

  /** A running mean, whose first values count alike. */
  private double smooth(double old, double value) {
    return old + SMOOTHING / weight * (value - old);
  }

  private void memory(MemoryReport memory) {
    long planned = start.plan().bytes() + memory.totalNow();
    // A step never takes more than its plan; embeddings of whole recordings can.
    String beside =
        memory.totalPeak() > planned
            ? mib(planned) + " planned for a step; validation takes more"
            : "of " + mib(planned) + " planned";
    panel.headline("memory at the peak", mib(memory.totalPeak()), beside);
    for (Category category : Category.values()) {
      long bytes = memory.atTotalPeak().get(category);
      if (bytes >= LEAST_BYTES) panel.metric(category.title(), mib(bytes));
    }
  }

  private static String mib(long bytes) {
    return format("%,.1f MiB", Bytes.mib(bytes));
  }

  private static String format(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }

  @Override
  public void validating(int done, int total) {
    String progress = "validating: %,d of %,d utterances".formatted(done, total);
    panel.message(done < total ? progress : note).step(step);
  }

  @Override
  public void validated(long step, Map<String, Verification> lists) {
    lists.forEach((list, v) -> add(new History.Eer(step, list, v.eerPercent())));
    panel.message(note).step(step);
  }

  /** The large number is that of the first list. */
  private void add(History.Eer eer) {
    if (firstList == null) firstList = eer.list();
    panel.point("EER (%)", eer.list(), eer.step(), eer.percent());
    if (!eer.list().equals(firstList)) {
      panel.metric("EER, " + eer.list(), format("%.2f %%", eer.percent()));
      return;
    }
    if (best == null || eer.percent() < best.percent()) best = eer;
    panel.headline(
        "EER",
        format("%.2f %%", eer.percent()),
        String.format(Locale.ROOT, "best %.2f %% at step %,d", best.percent(), best.step()));
  }

  @Override
  public void saved(long step, Path file) {
    checkpoint = file;
  }

  @Override
  public void finished(End end) {
    step = end.step();
    memory(end.memory());
    String text = end.interrupted() ? "run the cell again to go on" : note;
    if (checkpoint != null) text += (text.isEmpty() ? "" : "; ") + "checkpoint: " + checkpoint;
    panel.message(text).step(step);
    panel.close();
  }

  @Override
  public void failed(Throwable error) {
    panel.fail(String.valueOf(error.getMessage()));
  }
}
