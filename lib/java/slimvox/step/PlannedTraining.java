package slimvox.step;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import slimvox.backend.Backend;
import slimvox.backend.dry.Rehearsal;
import slimvox.memory.ArenaPlan;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;

/**
 * A {@link TrainingStep} whose memory is planned before it runs: its {@link Rehearsal} lists every
 * allocation of a step of a given shape, and {@link ArenaPlan} gives them places in one block.
 */
public final class PlannedTraining implements StepRunner, AutoCloseable {
  private record Form(int batch, int frames) {}

  private TrainingStep.Result latest; // null before the first
  private final Backend backend;
  private final TrainingStep step;
  private final Rehearsal<TrainingStep> rehearsal;
  private final Map<Form, ArenaPlan> plans = new HashMap<>();

  /** Builds the step on {@code backend} and its dry twin, without a limit. */
  public PlannedTraining(Backend backend, Function<Backend, TrainingStep> build) {
    this(backend, MemoryBudget.UNLIMITED, build);
  }

  /**
   * Builds the step on {@code backend} and its dry twin.
   *
   * @param budget what a step may use; {@link #plan} refuses one that needs more
   */
  public PlannedTraining(
      Backend backend, MemoryBudget budget, Function<Backend, TrainingStep> build) {
    this.backend = backend;
    this.rehearsal = new Rehearsal<>(backend.device(), budget, build);
    this.step = backend.owning(() -> build.apply(backend));
  }

  /** The step itself. */
  public TrainingStep step() {
    return step;
  }

  /** The events of one step of this shape, from a dry run. */
  public List<MemoryLedger.Event> timeline(int batch, int frames) {
    return rehearsal.timeline(s -> s.rehearse(batch, frames));
  }

  /**
   * The plan of one step of this shape.
   *
   * @throws slimvox.memory.OutOfBudgetException naming the category that does not fit
   */
  public ArenaPlan plan(int batch, int frames) {
    return plans.computeIfAbsent(
        new Form(batch, frames), _ -> rehearsal.plan(s -> s.rehearse(batch, frames)));
  }

  /** One step in planned memory. */
  @Override
  public void queue(
      float[] features, int[] labels, double margin, double learningRate, float[] following) {
    int frames = step.frames(features, labels);
    try {
      backend.step(
          plan(labels.length, frames),
          () -> {
            step.queue(features, labels, margin, learningRate, following);
            return null;
          });
    } catch (RuntimeException | Error e) {
      step.abandon();
      throw e;
    }
  }

  @Override
  public List<TrainingStep.Result> results() {
    List<TrainingStep.Result> results = step.results();
    if (!results.isEmpty()) latest = results.getLast();
    return results;
  }

  /** Model, steps taken of so many, batch, backend, and the latest loss if one was read. */
  public String at(long steps, int batch) {
    String loss = latest == null ? "" : String.format(Locale.ROOT, ", loss %.3f", latest.loss());
    return String.format(
        Locale.ROOT,
        "%s, step %,d of %,d, batch %d on %s%s",
        step.network().name(),
        step.optimizer().steps(),
        steps,
        batch,
        backend.name(),
        loss);
  }

  /** Steps taken. */
  @Override
  public String toString() {
    return step.optimizer().steps() + " steps of " + step.network();
  }

  /** See {@link TrainingStep#readEvery}. */
  public void readEvery(int steps, int batch) {
    plans.clear();
    rehearsal.twin().readEvery(steps, batch);
    step.readEvery(steps, batch);
  }

  /** See {@link TrainingStep#prepareStaging}. */
  public void prepareStaging(int batch, int frames) {
    rehearsal.twin().prepareStaging(batch, frames);
    step.prepareStaging(batch, frames);
  }

  @Override
  public void close() {
    step.close();
  }
}
