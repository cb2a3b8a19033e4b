package slimvox.step;

import java.util.List;

/** Takes training steps whose results come in batches, see {@link PendingResults}. */
public interface StepRunner {
  /**
   * One step; its result is among the next {@link #results}.
   *
   * @param features batch x bins x frames
   * @param labels one speaker index an utterance
   * @param margin of the angular softmax, radians
   * @param following features of the next step, copied to the device while this one computes if
   *     there is {@linkplain TrainingStep#prepareStaging room}; they must not change until then.
   *     Null: none
   * @throws NonFiniteException naming the first layer concerned, before any parameter has changed
   *     and, where the loss is not finite, before running statistics have; see {@link
   *     slimvox.optim.UpdateTime#IN_BACKWARD} and {@link TrainingStep#readEvery} for the exceptions
   */
  void queue(float[] features, int[] labels, double margin, double learningRate, float[] following);

  /**
   * The results of the steps queued since the last call, in order. Of steps read together those
   * before a fault are returned, and the next call throws it.
   *
   * @throws NonFiniteException naming step and parameter, see {@link TrainingStep#readEvery}
   */
  List<TrainingStep.Result> results();

  /** One step, waited for; see {@link #queue}. */
  default TrainingStep.Result run(
      float[] features, int[] labels, double margin, double learningRate) {
    queue(features, labels, margin, learningRate, null);
    return results().getLast();
  }
}
