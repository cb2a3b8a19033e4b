package slimvox.step;

import java.util.List;
import java.util.function.BiConsumer;
import java.util.random.RandomGenerator;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.NotFiniteException;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.loss.Classifier;
import slimvox.loss.Distillation;
import slimvox.memory.Category;
import slimvox.models.Network;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.ReversibleSequence;
import slimvox.nn.StateDict;
import slimvox.optim.Optimizer;
import slimvox.optim.UpdateTime;

/**
 * One step of training: forward, loss, backward, optimizer.
 *
 * <p>After a step only parameters and optimizer state are in memory. The same code runs on the dry
 * backend, which is how a step's memory is planned ({@link PlannedTraining}).
 */
public final class TrainingStep implements StepRunner, AutoCloseable {
  /**
   * What one step gave.
   *
   * @param loss mean cross entropy of the batch; with a teacher, its loss added
   * @param accuracy share of the batch classified right, margin included
   * @param accuracyWithoutMargin share of the batch classified right by the plain cosine
   * @param forwardNanos time of forward and loss; of several steps that were read together, the
   *     mean time of one
   * @param backwardNanos time of backward
   * @param optimizerNanos time of the parameter update
   */
  public record Result(
      double loss,
      double accuracy,
      double accuracyWithoutMargin,
      long forwardNanos,
      long backwardNanos,
      long optimizerNanos) {
    /** Time of the whole step. */
    public long nanos() {
      return forwardNanos + backwardNanos + optimizerNanos;
    }
  }

  /** Builds the optimizer of a list of parameters. */
  @FunctionalInterface
  public interface OptimizerFactory {
    /** The optimizer of {@code parameters}. */
    Optimizer of(Backend backend, List<Parameter> parameters);
  }

  private final Backend backend;
  private final Network network;
  private final Classifier classifier;
  private final Optimizer optimizer;
  private final StateDict state = new StateDict();
  private final List<Parameter> parameters;
  private final UpdateTime update;
  private Network teacher;
  private Distillation distillation;
  private long keptForBackward;
  private long updateNanos;
  private PendingResults results;
  private Tensor staging; // null: features are not copied while a step computes
  private boolean asOne;

  /** A step that moves the parameters after backward. */
  public TrainingStep(Network network, Classifier classifier, OptimizerFactory optimizer) {
    this(network, classifier, optimizer, UpdateTime.AFTER_BACKWARD);
  }

  /**
   * A step on a network.
   *
   * @param classifier null to leave it out: the embeddings' gradient is then 1 everywhere, which is
   *     good for counting memory and for nothing else
   */
  public TrainingStep(
      Network network, Classifier classifier, OptimizerFactory optimizer, UpdateTime update) {
    this.backend = network.backend();
    this.network = network;
    this.classifier = classifier;
    network.describe(state);
    if (classifier != null) classifier.describe(state);
    this.parameters = List.copyOf(state.parameters().values());
    this.optimizer = backend.owning(() -> optimizer.of(backend, parameters));
    this.update = update;
    this.results = new AwaitedResults(backend.ops(), update);
    if (update == UpdateTime.IN_BACKWARD) {
      for (Parameter p : parameters) p.onGradientComplete(this::update);
    }
  }

  /** What is trained. */
  public Network network() {
    return network;
  }

  /**
   * From now on embeddings are pulled towards those of another network as well.
   *
   * @param teacher on the same backend; not changed, and closed with this step
   * @param weight factor of the loss, see {@link Distillation}
   */
  public void learnFrom(Network teacher, double weight) {
    if (classifier == null) throw new IllegalStateException("a teacher goes with a classifier");
    this.teacher = teacher;
    this.distillation = new Distillation(backend, weight);
  }

  /** The network that embeddings are pulled towards; null without. */
  public Network teacher() {
    return teacher;
  }

  /** What moves its parameters. */
  public Optimizer optimizer() {
    return optimizer;
  }

  /** Parameters, running statistics and counters of network and classifier. */
  public StateDict state() {
    return state;
  }

  /** Draws all initial parameters. */
  public void initialize(RandomGenerator random) {
    network.initialize(random);
    if (classifier != null) classifier.initialize(random);
  }

  /**
   * From now on steps whose results are read later are given to a card as one CUDA graph each, see
   * {@link slimvox.backend.Hardware#asOne}. {@link PlannedTraining} queues them then; {@link
   * #queue} outside its plan is an IllegalStateException.
   */
  public void runAsOne() {
    asOne = true;
  }

  boolean isRunAsOne() {
    return asOne;
  }

  /** Frames of an utterance of a batch; features that are no whole number of them are refused. */
  int frames(float[] features, int[] labels) {
    int batch = labels.length;
    int bins = network.spec().bins();
    if (batch == 0 || features.length % ((long) batch * bins) != 0) {
      throw new IllegalArgumentException(
          features.length + " features are not " + batch + " x " + bins + " x frames");
    }
    return features.length / batch / bins;
  }

  @Override
  public void queue(
      float[] features, int[] labels, double margin, double learningRate, float[] following) {
    int batch = labels.length;
    int frames = frames(features, labels);
    try {
      attempt(
          batch,
          frames,
          (x, y) -> {
            backend.ops().upload(features, x);
            backend.ops().upload(labels, y);
            step(() -> compute(x, y, labels, margin, learningRate, following));
          });
    } catch (ReversibleSequence.Overflow e) {
      // Nothing has moved: the same batch again, with streams of a larger step.
      if (!e.raiseStep()) throw NonFiniteException.inForward(e.getMessage());
      backend.restart();
      queue(features, labels, margin, learningRate, following);
    } catch (AwaitedResults.LossNotFinite e) {
      backend.restart();
      attempt(
          batch,
          frames,
          (x, _) -> {
            backend.ops().upload(features, x);
            throw NonFiniteException.inForward(search(x, e.getMessage()));
          });
    }
  }

  @Override
  public List<Result> results() {
    return results.read();
  }

  /**
   * Leaves the results of up to {@code steps} steps on the device, so that it is waited for when
   * {@link #results} reads them and not in every step. With 1 every step is waited for, which is
   * the default; a loss that is not finite then changes no parameter.
   *
   * @param batch utterances of a step at most
   */
  public void readEvery(int steps, int batch) {
    results.close();
    results = new AwaitedResults(backend.ops(), update);
    if (steps > 1) results = backend.owning(() -> new GatheredResults(this, steps, batch));
  }

  /**
   * Reserves room for the features of the step after the one that computes, so many bytes of the
   * backend's own. Does nothing on a device that cannot copy meanwhile.
   */
  public void prepareStaging(int batch, int frames) {
    if (!backend.device().memory().stages()) return;
    closeStaging();
    staging =
        backend.allocate(Category.WORKSPACE, "features.next", batch, network.spec().bins(), frames);
  }

  private void closeStaging() {
    if (staging != null) staging.close();
    staging = null;
  }

  /**
   * The allocations of one step of this shape without its values, for a dry backend: no features
   * have to exist, so any size can be asked for.
   */
  void rehearse(int batch, int frames) {
    int[] labels = new int[batch];
    attempt(batch, frames, (x, y) -> step(() -> compute(x, y, labels, 0, 0, null)));
    results(); // room for the next
  }

  /** Does something with the inputs of a step; if it fails, nothing is left of it. */
  private void attempt(int batch, int frames, BiConsumer<Tensor, Tensor> work) {
    try {
      backend.owning(
          () -> {
            int bins = network.spec().bins();
            try (Tensor x = backend.allocate(Category.INPUT, "features", batch, bins, frames, 1);
                Tensor y =
                    backend.allocate(Category.INPUT, "labels", DataType.INT32, Shape.of(batch))) {
              work.accept(x, y);
              return null;
            }
          });
    } catch (RuntimeException | Error e) {
      abandon();
      throw e;
    }
  }

  /** Forward once more, looking at each layer, to find where a loss stops being finite. */
  private String search(Tensor x, String fault) {
    if (!backend.ops().elementwise.isFinite(x)) return "the features of a batch are not finite";
    String layer = "projection (the classifier)";
    String whose = "the teacher's ";
    backend.ops().detectAnomaly(true);
    try {
      askTeacher(x);
      whose = "";
      network.forward(x, Mode.TRAIN);
    } catch (NotFiniteException e) {
      layer = whose + e.label();
    } finally {
      backend.ops().detectAnomaly(false);
    }
    return fault + ", first not finite at " + layer;
  }

  private void step(Runnable work) {
    try {
      results.begin();
      if (asOne) backend.asOne(work);
      else work.run();
    } finally {
      results.leave();
    }
  }

  private void compute(
      Tensor x,
      Tensor labels,
      int[] wanted,
      double margin,
      double learningRate,
      float[] following) {
    long start = System.nanoTime();
    askTeacher(x); // first, while nothing is kept yet
    long before = activationBytes();
    long inputs = backend.ledger().bytes(Category.INPUT);
    Tensor embedding = network.forward(x, Mode.TRAIN);
    long kept = activationBytes() - before;
    long filledUp = backend.ledger().bytes(Category.INPUT) - inputs;
    keptForBackward = kept - embedding.bytes() + (filledUp > 0 ? filledUp : x.bytes());
    stage(following); // the loss, next, is the first thing that is waited for
    if (classifier != null) {
      results.classify(classifier, distillation, embedding, labels, margin);
    }
    long forward = System.nanoTime();
    updateNanos = 0;
    optimizer.begin(learningRate);
    network.backward(embeddingGradient(embedding));
    long backward = System.nanoTime() - updateNanos; // as if the updates had come after
    List<Parameter> left = parameters.stream().filter(Parameter::hasGradient).toList();
    backend
        .device()
        .together(
            () -> {
              results.gradients(left.reversed());
              left.forEach(optimizer::update);
            });
    for (Parameter p : parameters) p.dropGradient();
    optimizer.end();
    results.end(wanted, forward - start, backward - forward, System.nanoTime() - backward);
  }

  private void stage(float[] following) {
    if (staging == null || following == null || following.length > staging.size()) return;
    backend.device().memory().stage(following, staging.address());
  }

  private void askTeacher(Tensor x) {
    if (teacher == null) return;
    try (Tensor wanted = teacher.forward(x, Mode.EVALUATE)) {
      distillation.target(wanted);
    }
  }

  private long activationBytes() {
    return backend.ledger().bytes(Category.ACTIVATION) + backend.ledger().bytes(Category.STATISTIC);
  }

  private void update(Parameter p) {
    long start = System.nanoTime();
    results.gradients(List.of(p));
    optimizer.update(p);
    p.dropGradient();
    updateNanos += System.nanoTime() - start;
  }

  private Tensor embeddingGradient(Tensor embedding) {
    if (classifier != null) {
      embedding.close();
      Tensor gradient = classifier.backward();
      if (distillation != null) distillation.addGradient(gradient);
      return gradient;
    }
    Tensor one = backend.allocateLike(embedding, Category.ACTIVATION_GRADIENT, "embedding.grad");
    embedding.close();
    backend.ops().elementwise.fill(one, 1);
    return one;
  }

  /**
   * Bytes that the network kept for backward in the last step: activations and batch statistics,
   * and the features, which the first convolution needs (filled up, where it has them so); not the
   * classifier's.
   */
  public long keptForBackwardBytes() {
    return keptForBackward;
  }

  /** Forgets what an interrupted step left behind; its buffers have been returned already. */
  public void abandon() {
    for (Parameter p : parameters) p.forgetGradient();
    if (distillation != null) distillation.forget();
  }

  @Override
  public void close() {
    closeStaging();
    results.close();
    optimizer.close();
    if (classifier != null) classifier.close();
    if (teacher != null) teacher.close();
    network.close();
  }
}
