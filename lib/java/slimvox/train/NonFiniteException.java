package slimvox.train;

import slimvox.backend.NotFiniteException;
import slimvox.backend.Tensor;
import slimvox.models.Network;
import slimvox.nn.Mode;

/** Training met NaN or infinity; the message names the first layer where it appeared. */
public class NonFiniteException extends RuntimeException {
  private static final String UNCHANGED = "parameters were not changed";

  NonFiniteException(String message) {
    this(message, UNCHANGED);
  }

  private NonFiniteException(String message, String changed) {
    super(message + "; " + changed + ". Lower the learning rate or look at the features");
  }

  /** Runs the network again, layer by layer, to find where it starts. */
  static NonFiniteException inForward(Network network, Tensor x, double loss) {
    if (!x.backend().ops().isFinite(x)) {
      return new NonFiniteException("the features of a batch are not finite");
    }
    String layer = "projection (the classifier)";
    x.backend().ops().watch(true);
    try {
      x.backend().unplanned(() -> network.forward(x, Mode.REPEAT).close());
    } catch (NotFiniteException e) {
      layer = e.label();
    } finally {
      x.backend().ops().watch(false);
    }
    return new NonFiniteException("the loss is " + loss + ", first not finite at " + layer);
  }

  /** Something that was not finite some steps ago, when parameters have moved since. */
  static NonFiniteException seenLater(String what, long step) {
    return new NonFiniteException(
        what,
        "it was seen after step %d, parameters have changed: resume from the last checkpoint, with"
                .formatted(step)
            + " run.lossEvery=1 to have the layer named");
  }

  static NonFiniteException inGradient(String parameter, TrainingStep.Update update) {
    return new NonFiniteException(
        "the gradient of " + parameter + " is not finite",
        update == TrainingStep.Update.AFTER_BACKWARD
            ? UNCHANGED
            : "it was not changed, but those behind it were (update in-backward)");
  }
}
