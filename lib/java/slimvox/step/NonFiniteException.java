package slimvox.step;

import slimvox.optim.UpdateTime;

/** Training met NaN or infinity; the message names the first layer where it appeared. */
public class NonFiniteException extends RuntimeException {
  private NonFiniteException(String message, String changed) {
    super(message + "; " + changed + ". Lower the learning rate or look at the features");
  }

  /** Seen before backward. */
  static NonFiniteException inForward(String what) {
    return new NonFiniteException(what, "parameters and running statistics were not changed");
  }

  /** Something that was not finite some steps ago, when parameters have moved since. */
  static NonFiniteException seenLater(String what, long step) {
    return new NonFiniteException(
        what,
        "it was seen after step %d, parameters have changed: resume from the last checkpoint, with"
                .formatted(step)
            + " run.lossEvery=1 to have the layer named");
  }

  static NonFiniteException inGradient(String parameter, UpdateTime update) {
    return new NonFiniteException(
        "the gradient of " + parameter + " is not finite",
        update == UpdateTime.AFTER_BACKWARD
            ? "parameters were not changed, running statistics have taken the batch in"
            : "it was not changed, but those behind it were (update in-backward)");
  }
}
