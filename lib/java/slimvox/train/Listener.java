package slimvox.train;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import slimvox.memory.ArenaPlan;
import slimvox.memory.MemoryReport;
import slimvox.recipe.Recipe;
import slimvox.recipe.RunSettings;
import slimvox.step.TrainingStep;
import slimvox.verify.Verification;

/** Told what happens in a run, on the training thread. */
public interface Listener {
  /**
   * A run that is about to start or to go on.
   *
   * @param parameters of the network, without the classifier
   * @param classes speakers times speeds
   * @param stepsPerEpoch steps of one epoch
   * @param firstStep steps taken before, 0 unless resumed
   * @param steps steps of the whole run
   * @param plan where every buffer of a step lies
   * @param device what computes, one line
   * @param history the course of the run so far
   */
  record Start(
      Recipe recipe,
      long parameters,
      int classes,
      int stepsPerEpoch,
      long firstStep,
      long steps,
      ArenaPlan plan,
      String device,
      History history) {}

  /**
   * One training step; where several are read together ({@link RunSettings#lossEvery}), they are
   * told one after the other.
   *
   * @param step number of steps taken, from 1
   * @param steps steps of the whole run
   * @param epoch from 1
   * @param result loss, accuracies and times
   * @param learningRate of the step
   * @param margin of the step, radians
   * @param utterances of the batch
   * @param dataWaitNanos time spent waiting for the batch
   * @param memory of the ledger after the step; its peak is the run's so far
   */
  record Step(
      long step,
      long steps,
      int epoch,
      TrainingStep.Result result,
      double learningRate,
      double margin,
      int utterances,
      long dataWaitNanos,
      MemoryReport memory) {
    /** Utterances a second, waiting for data included. */
    public double utterancesPerSecond() {
      return utterances * 1e9 / (result.nanos() + dataWaitNanos);
    }
  }

  /**
   * The end of a run.
   *
   * @param step steps taken in all
   * @param interrupted true if the run was stopped before its last step
   * @param seconds wall time of this part of the run
   * @param dataWaitSeconds of it, waiting for data
   * @param verifications the last validation, by list of trials; empty before the first
   * @param memory the ledger, its peak is the run's
   */
  record End(
      long step,
      boolean interrupted,
      double seconds,
      double dataWaitSeconds,
      Map<String, Verification> verifications,
      MemoryReport memory) {
    /** How it ended, and a line for each list of the last validation. */
    @Override
    public String toString() {
      StringBuilder text = new StringBuilder();
      text.append(interrupted ? "stopped at" : "ended at");
      text.append(String.format(Locale.ROOT, " step %,d after %,.1f s%n", step, seconds));
      verifications.values().forEach(v -> text.append(v).append('\n'));
      return text.toString();
    }
  }

  /** The first step comes next. */
  default void started(Start start) {}

  /** Something that the user should know, one line. */
  default void noted(String note) {}

  /** A step was taken and its result read. */
  default void stepped(Step step) {}

  /** Embeddings for a validation: {@code done} of {@code total} utterances. */
  default void validating(int done, int total) {}

  /** The trials were scored after {@code step} steps, by the lists' names, in that order. */
  default void validated(long step, Map<String, Verification> verifications) {}

  /** A checkpoint lies on disk. */
  default void saved(long step, Path checkpoint) {}

  /** The run has ended. */
  default void finished(End end) {}

  /** The run was ended by an error, which {@link Trainer#run} throws. */
  default void failed(Throwable error) {}

  /** Tells several; null stands for none. */
  static Listener all(Listener... all) {
    InvocationHandler each =
        (self, method, arguments) -> {
          if (method.getName().equals("equals")) return self == arguments[0];
          if (method.getDeclaringClass() == Object.class) return method.invoke(all, arguments);
          for (Listener listener : all) {
            try {
              if (listener != null) method.invoke(listener, arguments);
            } catch (InvocationTargetException e) {
              throw e.getCause();
            }
          }
          return null;
        };
    ClassLoader loader = Listener.class.getClassLoader();
    return (Listener) Proxy.newProxyInstance(loader, new Class<?>[] {Listener.class}, each);
  }
}
