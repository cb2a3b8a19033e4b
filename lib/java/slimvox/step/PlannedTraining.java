package slimvox.step;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.models.Network;
import slimvox.nn.Mode;

/**
 * A {@link TrainingStep} whose memory is planned before it runs.
 *
 * <p>The step is built twice: once on the backend, and once on a dry backend that asks the same
 * device for its workspace sizes. Running the dry one lists every allocation of a step of a given
 * shape; {@link ArenaPlan} gives them places in one block.
 */
public final class PlannedTraining implements AutoCloseable {
  private record Form(int batch, int frames) {}

  private final Backend backend;
  private final TrainingStep step;
  private final Backend dryBackend;
  private final TrainingStep dryStep;
  private Tensor staging; // null where there is none
  private Tensor dryStaging;
  private UnreadSteps unread; // null where every step is waited for
  private UnreadSteps dryUnread;
  private final List<TrainingStep.Result> results = new ArrayList<>();
  private final Map<Form, ArenaPlan> plans = new LinkedHashMap<>();

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
    this.dryBackend = new Backend(new DryDevice(backend.device()), new MemoryLedger(budget));
    this.dryStep = build.apply(dryBackend);
    this.step = backend.owning(() -> build.apply(backend));
  }

  /** The step itself. */
  public TrainingStep step() {
    return step;
  }

  /** The events of one step of this shape, from a dry run. */
  public List<MemoryLedger.Event> timeline(int batch, int frames) {
    List<MemoryLedger.Event> events = timeline(() -> dryStep.rehearse(batch, frames));
    if (dryUnread != null) dryStep.readResults(); // room for the next
    return events;
  }

  private List<MemoryLedger.Event> timeline(Runnable work) {
    dryBackend.ledger().startTimeline();
    List<MemoryLedger.Event> events;
    try {
      work.run();
    } finally {
      events = dryBackend.ledger().stopTimeline();
    }
    return events;
  }

  /**
   * The plan of one step of this shape.
   *
   * @throws slimvox.memory.OutOfBudgetException naming the category that does not fit
   */
  public ArenaPlan plan(int batch, int frames) {
    return plans.computeIfAbsent(
        new Form(batch, frames),
        f -> {
          ArenaPlan plan = ArenaPlan.of(timeline(f.batch, f.frames));
          dryBackend.ledger().requireRoom(Category.ACTIVATION, "block of the step", plan.bytes());
          return plan;
        });
  }

  /** One step in planned memory, waited for; see {@link TrainingStep#run}. */
  public TrainingStep.Result run(
      float[] features, int[] labels, double margin, double learningRate) {
    queue(features, labels, margin, learningRate);
    return results().getLast();
  }

  /**
   * Leaves the results of up to {@code steps} steps on the device, so that it is waited for when
   * {@link #results} reads them and not in every step. With 1 every step is waited for, which is
   * the default; a loss that is not finite then changes no parameter.
   *
   * @param batch utterances of a step at most
   */
  public void readEvery(int steps, int batch) {
    closeUnread();
    plans.clear();
    if (steps == 1) return;
    List<String> names = List.copyOf(step.state().parameters().keySet());
    dryUnread = dryBackend.owning(() -> new UnreadSteps(dryBackend, steps, batch, names));
    unread = backend.owning(() -> new UnreadSteps(backend, steps, batch, names));
    step.leaveResults(unread);
    dryStep.leaveResults(dryUnread);
  }

  /** One step in planned memory; its result is among the next {@link #results}. */
  public void queue(float[] features, int[] labels, double margin, double learningRate) {
    int frames = features.length / labels.length / step.network().spec().bins();
    try {
      TrainingStep.Result result =
          backend.step(
              plan(labels.length, frames), () -> step.run(features, labels, margin, learningRate));
      if (result != null) results.add(result);
    } catch (RuntimeException | Error e) {
      step.abandon();
      throw e;
    }
  }

  /**
   * The results of the steps queued since the last call, in order. Of steps read together those
   * before a fault are returned, and the next call throws it.
   *
   * @throws NonFiniteException naming step and parameter, see {@link #readEvery}
   */
  public List<TrainingStep.Result> results() {
    if (unread != null) return step.readResults();
    List<TrainingStep.Result> taken = List.copyOf(results);
    results.clear();
    return taken;
  }

  /**
   * Reserves what {@link #stage} needs for so many features: a buffer of the backend's own, on both
   * sides. Does nothing where staging is of no use.
   */
  public void prepareStaging(int features) {
    if (!backend.device().stages() || (staging != null && staging.size() >= features)) return;
    closeStaging();
    dryStaging = dryBackend.allocate(Category.WORKSPACE, "features.next", features);
    staging = backend.allocate(Category.WORKSPACE, "features.next", features);
  }

  /**
   * Has the features of the step after the next copied to the device while the next one computes.
   * The array must not change until then. Does nothing where that is of no use.
   */
  public void stage(float[] features) {
    if (!backend.device().stages()) return;
    prepareStaging(features.length);
    step.beside(() -> backend.device().stage(features, staging));
  }

  private void closeStaging() {
    if (staging != null) staging.close();
    if (dryStaging != null) dryStaging.close();
    staging = null;
    dryStaging = null;
  }

  private void closeUnread() {
    step.leaveResults(null);
    dryStep.leaveResults(null);
    if (unread != null) unread.close();
    if (dryUnread != null) dryUnread.close();
    unread = null;
    dryUnread = null;
  }

  /** Runs one batch forward in {@link Mode#CALIBRATE}, in planned memory. */
  public void calibrate(float[] features, int batch) {
    Network dry = dryStep.network();
    var events = timeline(() -> dryBackend.owning(() -> calibrate(dry, features, batch)));
    backend.step(ArenaPlan.of(events), () -> calibrate(step.network(), features, batch));
  }

  private static Void calibrate(Network network, float[] features, int batch) {
    Backend backend = network.backend();
    int bins = network.spec().bins();
    int frames = features.length / batch / bins;
    try (Tensor x = backend.allocate(Category.INPUT, "features", batch, bins, frames, 1)) {
      backend.ops().upload(features, x);
      network.forward(x, Mode.CALIBRATE).close();
      return null;
    }
  }

  @Override
  public void close() {
    closeStaging();
    closeUnread();
    step.close();
    dryStep.close();
    dryBackend.close();
  }
}
