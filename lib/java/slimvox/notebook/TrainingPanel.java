package slimvox.notebook;

import java.util.Locale;
import java.util.Map;
import java.util.function.BiFunction;
import slimvox.memory.Category;
import slimvox.memory.MemoryReport;
import slimvox.report.Bytes;
import slimvox.train.Listener;
import slimvox.verify.Verification;

/**
 * Shows a training run in a notebook while it happens: loss and EER as small plots, and below the
 * progress bar loss, accuracy with and without margin, learning rate, margin, utterances a second,
 * the share of time spent waiting for data, and memory by category at the peak.
 *
 * <p>Loss and accuracies are running means with a memory of about 20 steps; single batches jump too
 * much to be read.
 */
public final class TrainingPanel implements Listener {
  private static final double SMOOTHING = 0.05;

  private final BiFunction<String, Long, LivePanel> panels;
  private LivePanel panel;
  private double loss = Double.NaN;
  private double accuracy;
  private double accuracyWithoutMargin;
  private double waiting;
  private double utterancesPerSecond;
  private long firstStep;
  private long step;

  /** A panel that nothing is shown in yet. */
  public TrainingPanel() {
    this(LivePanel::new);
  }

  /** A panel in a live one of this title and number of steps. */
  TrainingPanel(BiFunction<String, Long, LivePanel> panels) {
    this.panels = panels;
  }

  @Override
  public void started(Start start) {
    firstStep = start.firstStep();
    panel = panels.apply("Training " + start.recipe().model().name(), start.steps());
    panel.metric("speakers x speeds", Integer.toString(start.classes()));
    draw(start.firstStep());
  }

  @Override
  public void noted(String note) {
    panel.metric("note", note);
    panel.step(step);
  }

  @Override
  public void stepped(Step step) {
    double wait = (double) step.dataWaitNanos() / (step.dataWaitNanos() + step.result().nanos());
    boolean first = Double.isNaN(loss);
    loss = smooth(first, loss, step.result().loss());
    accuracy = smooth(first, accuracy, step.result().accuracy());
    accuracyWithoutMargin =
        smooth(first, accuracyWithoutMargin, step.result().accuracyWithoutMargin());
    waiting = smooth(first, waiting, wait);
    utterancesPerSecond = smooth(first, utterancesPerSecond, step.utterancesPerSecond());
    panel
        .metric("loss", format("%.3f", loss))
        .metric("accuracy", format("%.1f %%", 100 * accuracy))
        .metric("without margin", format("%.1f %%", 100 * accuracyWithoutMargin))
        .metric("learning rate", format("%.2e", step.learningRate()))
        .metric("margin", format("%.3f", step.margin()))
        .metric("utterances/s", format("%.0f", utterancesPerSecond))
        .metric("data wait", format("%.1f %%", 100 * waiting));
    memory(step.memory());
    // A thousand points are more than a small plot can show.
    if ((step.step() - firstStep) % Math.max(1, step.steps() / 1000) == 0) {
      panel.point("loss", "training", step.step(), loss);
    }
    draw(step.step());
  }

  private void draw(long step) {
    this.step = step;
    panel.step(step);
  }

  private void memory(MemoryReport memory) {
    for (Category category : Category.values()) {
      panel.metric(category.title(), Bytes.format(memory.atTotalPeak().get(category)));
    }
    panel.metric("peak", Bytes.format(memory.totalPeak()));
  }

  private static double smooth(boolean first, double old, double value) {
    return first ? value : old + SMOOTHING * (value - old);
  }

  private static String format(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }

  @Override
  public void validating(int done, int total) {
    panel.metric("validation", done < total ? done + " of " + total + " utterances" : "done");
    panel.step(step);
  }

  @Override
  public void validated(long step, Map<String, Verification> lists) {
    boolean one = lists.size() == 1;
    lists.forEach(
        (list, v) -> {
          String scoring = v.scoring() == null ? "" : " (" + v.scoring() + ")";
          String eer = format("%.2f %%", v.eerPercent()) + scoring;
          panel.metric(one ? "EER" : "EER, " + list, eer);
          panel.point("EER (%)", one ? "validation" : list, step, v.eerPercent());
        });
    draw(step);
  }

  @Override
  public void finished(End end) {
    panel.metric("seconds", format("%.0f", end.seconds()));
    panel.close();
  }
}
