package slimvox.train;

import java.util.List;
import slimvox.memory.MemoryLedger;
import slimvox.step.PlannedTraining;
import slimvox.step.TrainingStep;

/** The steps of a run of so many whose results have not been read, to be told in their order. */
record QueuedSteps(
    PlannedTraining training,
    MemoryLedger ledger,
    Listener listener,
    int stepsPerEpoch,
    long steps,
    List<Queued> queued) {
  /** A step whose result has not been read. */
  record Queued(long step, double rate, double margin, int utterances, long waitNanos) {}

  /** Reads the results of all queued steps and tells them. */
  void report() {
    while (!queued.isEmpty()) {
      List<TrainingStep.Result> results = training.results();
      if (results.isEmpty()) {
        throw new IllegalStateException(queued.size() + " steps without result");
      }
      for (TrainingStep.Result result : results) {
        Queued q = queued.removeFirst();
        listener.stepped(
            new Listener.Step(
                q.step,
                steps,
                (int) ((q.step - 1) / stepsPerEpoch) + 1,
                result,
                q.rate,
                q.margin,
                q.utterances,
                q.waitNanos,
                ledger.report()));
      }
    }
  }

  /** Tells the steps that were taken before something failed. */
  void reportDespite(Throwable failure) {
    try {
      report();
    } catch (RuntimeException e) {
      if (e != failure) failure.addSuppressed(e);
    }
  }
}
