package slimvox.step;

import java.util.List;
import slimvox.backend.Tensor;
import slimvox.loss.Classifier;
import slimvox.loss.Distillation;
import slimvox.nn.Parameter;

/**
 * What steps give, from the device to who asks for it: the one way out of a {@link TrainingStep}.
 *
 * <p>A step calls {@link #begin}, {@link #classify}, {@link #gradients}, {@link #end}, and in any
 * case {@link #leave}. When each looks at the device decides what a fault leaves unchanged.
 */
sealed interface PendingResults extends AutoCloseable permits AwaitedResults, GatheredResults {
  /** A step begins. */
  default void begin() {}

  /**
   * The loss of a batch.
   *
   * @param distillation null without a teacher
   * @param embedding borrowed, as are the labels
   */
  void classify(
      Classifier classifier,
      Distillation distillation,
      Tensor embedding,
      Tensor labels,
      double margin);

  /** Looks whether complete gradients are finite, before they move their parameters. */
  void gradients(List<Parameter> complete);

  /** The step is complete; times of its parts in nanoseconds. */
  void end(int[] labels, long forward, long backward, long optimizer);

  /** Lets go what the step was given, complete or not. */
  default void leave() {}

  /**
   * The results of the steps since the last call, in order, up to the first with a fault; that
   * fault is thrown when there is none before it.
   */
  List<TrainingStep.Result> read();

  @Override
  default void close() {}
}
