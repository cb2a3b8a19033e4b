package slimvox.recipe;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import slimvox.loss.MarginSchedule;

/**
 * Section {@code loss} of a {@link Recipe}: AAM-softmax.
 *
 * @param scale factor of the cosines, s. Default 32
 * @param margin the additive angular margin and how it grows
 * @param easyMargin whether the margin applies only to angles under 90 degrees. Default false
 */
public record LossSettings(double scale, Margin margin, boolean easyMargin) {

  /**
   * A margin that grows from one value to another.
   *
   * <p>WeSpeaker's increase from epoch 20 to epoch 40, which counts from 1, is {@code start: 19
   * epochs} and {@code end: 39 epochs}.
   *
   * @param initial margin before the start, in radians. Default 0
   * @param last key {@code final}: margin from the end on, in radians. Default 0.2
   * @param start when it begins to grow, as a {@link Span} from the beginning of the run. Default
   *     40 %
   * @param end when it has its final value. Default 70 %
   * @param increase {@code exponential} (WeSpeaker's) or {@code linear}. Default exponential
   */
  public record Margin(
      double initial, @JsonProperty("final") double last, Span start, Span end, String increase) {
    public Margin {
      InvalidSetting.range("loss.margin.initial", initial, 0, 1.5);
      InvalidSetting.range("loss.margin.final", last, 0, 1.5);
      InvalidSetting.oneOf("loss.margin.increase", increase, List.of("exponential", "linear"));
      if (start.unit() == end.unit() && start.amount() > end.amount()) {
        throw new InvalidSetting(
            "loss.margin.end", end + " is not possible; the margin starts to grow at " + start);
      }
    }

    /**
     * The margin by iteration.
     *
     * @throws slimvox.storage.InputException if for a run of this length the end comes before the
     *     start
     */
    public MarginSchedule schedule(long stepsPerEpoch, long runSteps) {
      long from = start.toSteps(stepsPerEpoch, runSteps);
      long to = end.toSteps(stepsPerEpoch, runSteps);
      if (from > to) {
        throw new InvalidSetting(
            "loss.margin.end",
            end + " (step " + to + ") comes before loss.margin.start, step " + from);
      }
      MarginSchedule.Increase form =
          increase.equals("linear")
              ? MarginSchedule.Increase.LINEAR
              : MarginSchedule.Increase.EXPONENTIAL;
      return new MarginSchedule(initial, last, from, to, form);
    }
  }

  public LossSettings {
    InvalidSetting.above("loss.scale", scale, 0);
  }
}
