package slimvox.recipe;

import slimvox.loss.Classifier;
import slimvox.loss.MarginSchedule;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;

/** Section {@code loss} of a {@link Recipe}. */
public record LossSettings(
    @Setting(
            value =
                "The loss: aam-softmax (additive angular margin); or one of your own, see"
                    + " Classifier.register.",
            byDefault = "aam-softmax",
            range = "aam-softmax",
            omitDefault = true)
        String name,
    @Setting(value = "Factor of the cosines, s.", byDefault = "32", range = ">0") double scale,
    Margin margin,
    @Setting(
            value = "Whether the margin applies only to angles under 90 degrees.",
            byDefault = "false")
        boolean easyMargin) {
  public LossSettings {
    Classifier.REGISTRY.require(name);
    if (easyMargin && !name.equals("aam-softmax")) {
      throw new InvalidSetting("loss.easyMargin", "true has no effect with loss.name " + name);
    }
  }

  /**
   * Section {@code margin}: a margin that grows from one value to another.
   *
   * <p>WeSpeaker's increase from epoch 20 to epoch 40, which counts from 1, is {@code start: 19
   * epochs} and {@code end: 39 epochs}.
   */
  public record Margin(
      @Setting(
              value = "The angular margin before the start, in radians.",
              byDefault = "0",
              range = "0..1.5",
              mayChange = true)
          double initial,
      @Setting(
              value = "The margin from the end on, in radians.",
              key = "final",
              byDefault = "0.2",
              range = "0..1.5",
              mayChange = true)
          double last,
      @Setting(
              value = "When it begins to grow, from the beginning of the run.",
              byDefault = "40 %",
              mayChange = true)
          RunLength start,
      @Setting(value = "When it has its final value.", byDefault = "70 %", mayChange = true)
          RunLength end,
      @Setting(
              value = "The form between; WeSpeaker's is exponential.",
              byDefault = "exponential",
              mayChange = true)
          MarginSchedule.Increase increase) {
    public Margin {
      if (start.unit() == end.unit() && start.amount() > end.amount()) {
        throw new InvalidSetting(
            "loss.margin.end", end + " is not possible; the margin starts to grow at " + start);
      }
    }

    /** The margin by iteration; refused if in a run of this length it ends before it starts. */
    public MarginSchedule schedule(long stepsPerEpoch, long runSteps) {
      long from = start.toSteps(stepsPerEpoch, runSteps);
      long to = end.toSteps(stepsPerEpoch, runSteps);
      if (from > to) {
        throw new InvalidSetting(
            "loss.margin.end",
            end + " (step " + to + ") comes before loss.margin.start, step " + from);
      }
      return new MarginSchedule(initial, last, from, to, increase);
    }
  }
}
