package slimvox.recipe;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.settings.Setting;

/**
 * A stretch of a training run: {@code 1000 steps}, {@code 6 epochs} or {@code 40 %} of the run.
 *
 * @param amount how many, at least 0; steps are whole
 * @param unit of what
 */
@Setting("steps, epochs or %, as in 500 steps, 6 epochs or 40 %")
public record RunLength(double amount, Unit unit) {
  private static final Pattern TEXT =
      Pattern.compile("([0-9]{1,10}(?:\\.[0-9]{1,6})?)\\s*(steps?|epochs?|%)");

  /** What a length counts. */
  public enum Unit {
    STEPS,
    EPOCHS,
    PERCENT
  }

  public RunLength {
    double most = unit == Unit.PERCENT ? 100 : 9_999_999_999.0;
    if (!(amount >= 0 && amount <= most) || (unit == Unit.STEPS && amount % 1 != 0)) {
      throw new IllegalArgumentException(text(amount, unit) + " is not a part of a run");
    }
  }

  /**
   * Reads what {@link #toString} writes; {@code 1 step} and {@code 1 epoch} too.
   *
   * @throws IllegalArgumentException if the text is no such length
   */
  public static RunLength parse(String text) {
    Matcher m = TEXT.matcher(text.strip().toLowerCase(Locale.ROOT));
    if (!m.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a number of steps, epochs or %, as in 500 steps");
    }
    Unit unit =
        switch (m.group(2).charAt(0)) {
          case 's' -> Unit.STEPS;
          case 'e' -> Unit.EPOCHS;
          default -> Unit.PERCENT;
        };
    return new RunLength(Double.parseDouble(m.group(1)), unit);
  }

  /** The length in optimizer steps, to the nearest, where epoch and run have so many. */
  public long toSteps(long stepsPerEpoch, long runSteps) {
    return Math.round(
        switch (unit) {
          case STEPS -> amount;
          case EPOCHS -> amount * stepsPerEpoch;
          case PERCENT -> amount / 100 * runSteps;
        });
  }

  /**
   * Whether something that happens this often, and at the end, happens after {@code step} steps.
   */
  public boolean isDue(long step, long stepsPerEpoch, long runSteps) {
    long period = toSteps(stepsPerEpoch, runSteps);
    return step == runSteps || (period > 0 && step % period == 0);
  }

  @Override
  public String toString() {
    return text(amount, unit);
  }

  private static String text(double amount, Unit unit) {
    String number =
        Double.isFinite(amount)
            ? new BigDecimal(Double.toString(amount)).stripTrailingZeros().toPlainString()
            : Double.toString(amount);
    if (unit == Unit.PERCENT) return number + " %";
    String name = unit.name().toLowerCase(Locale.ROOT);
    return number + " " + (amount == 1 ? name.substring(0, name.length() - 1) : name);
  }
}
