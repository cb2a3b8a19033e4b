package slimvox.step;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.random.RandomGenerator;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.NotFiniteException;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.loss.AamSoftmax;
import slimvox.loss.Distillation;
import slimvox.memory.Category;
import slimvox.models.Network;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.nn.State;
import slimvox.optim.Optimizer;
import slimvox.optim.UpdateTime;

/**
 * One step of training: forward, loss, backward, optimizer.
 *
 * <p>After a step only parameters and optimizer state are in memory. The same code runs on the dry
 * backend, which is how a step's memory is planned ({@link PlannedTraining}).
 */
public final class TrainingStep implements AutoCloseable {
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
    Optimizer of(Backend backend, List<Parameter> parameters);
  }

  private final Backend backend;
  private final Network network;
  private final AamSoftmax classifier;
  private final Optimizer optimizer;
  private final State state;
  private final List<Parameter> parameters;
  private final Map<Parameter, Integer> places = new IdentityHashMap<>();
  private final UpdateTime update;
  private Network teacher;
  private Distillation distillation;
  private long keptForBackward;
  private long updateNanos;
  private Runnable beside;
  private UnreadSteps unread; // null: every step is waited for

  /** A step that moves the parameters after backward. */
  public TrainingStep(Network network, AamSoftmax classifier, OptimizerFactory optimizer) {
    this(network, classifier, optimizer, UpdateTime.AFTER_BACKWARD);
  }

  /**
   * A step on a network.
   *
   * @param classifier null to leave it out: the embeddings' gradient is then 1 everywhere, which is
   *     good for counting memory and for nothing else
   */
  public TrainingStep(
      Network network, AamSoftmax classifier, OptimizerFactory optimizer, UpdateTime update) {
    this.backend = network.backend();
    this.network = network;
    this.classifier = classifier;
    this.state = new State();
    network.describe(state);
    if (classifier != null) classifier.describe(state);
    this.parameters = new ArrayList<>(state.parameters().values());
    for (Parameter p : parameters) places.put(p, places.size());
    this.optimizer = backend.owning(() -> optimizer.of(backend, parameters));
    this.update = update;
    if (update == UpdateTime.IN_BACKWARD) {
      for (Parameter p : parameters) p.onGradientComplete(this::update);
    }
  }

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

  public Optimizer optimizer() {
    return optimizer;
  }

  /** Parameters, running statistics and counters of network and classifier. */
  public State state() {
    return state;
  }

  /** Draws all initial parameters. */
  public void initialize(RandomGenerator random) {
    network.initialize(random);
    if (classifier != null) classifier.initialize(random);
  }

  /**
   * One step.
   *
   * @param features batch x bins x frames
   * @param labels one speaker index an utterance
   * @param margin of the angular softmax, radians
   * @throws NonFiniteException naming the first layer concerned, before any parameter has changed
   *     and, where the loss is not finite, before running statistics have; see {@link
   *     UpdateTime#IN_BACKWARD} for the exception
   */
  public Result run(float[] features, int[] labels, double margin, double learningRate) {
    int batch = labels.length;
    int bins = network.spec().bins();
    if (batch == 0 || features.length % ((long) batch * bins) != 0) {
      throw new IllegalArgumentException(
          features.length + " features are not " + batch + " x " + bins + " x frames");
    }
    int frames = features.length / batch / bins;
    try {
      return attempt(
          batch,
          frames,
          (x, y) -> {
            backend.ops().upload(features, x);
            backend.ops().upload(labels, y);
            return run(x, y, labels, margin, learningRate);
          });
    } catch (LossNotFinite e) {
      backend.restart();
      return attempt(
          batch,
          frames,
          (x, _) -> {
            backend.ops().upload(features, x);
            throw NonFiniteException.inForward(search(x, e.loss));
          });
    }
  }

  /** Does something with the inputs of a step; if it fails, nothing is left of it. */
  private Result attempt(int batch, int frames, BiFunction<Tensor, Tensor, Result> work) {
    int bins = network.spec().bins();
    try {
      return backend.owning(
          () -> {
            try (Tensor x = backend.allocate(Category.INPUT, "features", batch, bins, frames, 1);
                Tensor y =
                    backend.allocate(Category.INPUT, "labels", DataType.INT32, Shape.of(batch))) {
              return work.apply(x, y);
            }
          });
    } catch (RuntimeException | Error e) {
      abandon();
      throw e;
    }
  }

  private static final class LossNotFinite extends RuntimeException {
    private final double loss;

    LossNotFinite(double loss) {
      this.loss = loss;
    }
  }

  /** Forward once more, looking at each layer, to find where a loss stops being finite. */
  private String search(Tensor x, double loss) {
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
    return "the loss is " + loss + ", first not finite at " + layer;
  }

  /**
   * From now on results are left on the device: {@link #run} returns null and waits for nothing.
   *
   * @param unread where they are left; null: every step is waited for again
   */
  void leaveResults(UnreadSteps unread) {
    this.unread = unread;
  }

  /** The results of the steps that {@link #leaveResults} left, see {@link UnreadSteps#read}. */
  List<Result> readResults() {
    return unread.read(optimizer.steps(), distillation);
  }

  /** Has something done once in the next step, while the device computes the forward pass. */
  void beside(Runnable work) {
    beside = work;
  }

  /**
   * The allocations of one step of this shape without its values, for a dry backend: no features
   * have to exist, so any size can be asked for.
   */
  void rehearse(int batch, int frames) {
    attempt(batch, frames, (x, y) -> run(x, y, new int[batch], 0, 0));
  }

  private Result run(Tensor x, Tensor labels, int[] wanted, double margin, double learningRate) {
    if (unread == null) return step(x, labels, margin, learningRate);
    try {
      unread.begin();
      Result times = step(x, labels, margin, learningRate);
      unread.end(wanted, times.forwardNanos, times.backwardNanos, times.optimizerNanos);
      return null;
    } finally {
      unread.leave();
    }
  }

  private Result step(Tensor x, Tensor labels, double margin, double learningRate) {
    long start = System.nanoTime();
    askTeacher(x); // first, while nothing is kept yet
    long before = activationBytes();
    long inputs = backend.ledger().bytes(Category.INPUT);
    Tensor embedding = network.forward(x, Mode.TRAIN);
    long kept = activationBytes() - before;
    long filledUp = backend.ledger().bytes(Category.INPUT) - inputs;
    keptForBackward = kept - embedding.bytes() + (filledUp > 0 ? filledUp : x.bytes());
    if (beside != null) {
      beside.run(); // the loss, next, is the first thing that is waited for
      beside = null;
    }
    Loss loss = loss(x, embedding, labels, margin);
    long forward = System.nanoTime();
    updateNanos = 0;
    optimizer.begin(learningRate);
    network.backward(embeddingGradient(embedding));
    long backward = System.nanoTime() - updateNanos; // as if the updates had come after
    requireFinite(parameters.reversed().stream().filter(Parameter::hasGradient).toList());
    for (Parameter p : parameters) if (p.hasGradient()) optimizer.update(p);
    for (Parameter p : parameters) p.dropGradient();
    optimizer.end();
    long end = System.nanoTime();
    return new Result(
        loss.sum,
        loss.classified.accuracy(),
        loss.classified.accuracyWithoutMargin(),
        forward - start,
        backward - forward,
        end - backward);
  }

  private void askTeacher(Tensor x) {
    if (teacher == null) return;
    try (Tensor wanted = teacher.forward(x, Mode.EVALUATE)) {
      distillation.target(wanted);
    }
  }

  /** What the classifier gave, and its loss with that of the teacher. */
  private record Loss(AamSoftmax.Result classified, double sum) {
    static final Loss UNREAD = new Loss(new AamSoftmax.Result(0, 0, 0), 0);
  }

  private Loss loss(Tensor x, Tensor embedding, Tensor labels, double margin) {
    if (classifier == null) return Loss.UNREAD;
    if (unread != null) {
      unread.classify(classifier, embedding, labels, margin);
      if (distillation != null) unread.distil(distillation, embedding);
      return Loss.UNREAD;
    }
    AamSoftmax.Result classified = classifier.forward(embedding, labels, margin);
    double sum = classified.loss();
    if (distillation != null) sum += distillation.forward(embedding);
    if (!Double.isFinite(sum)) throw new LossNotFinite(sum);
    return new Loss(classified, sum);
  }

  private long activationBytes() {
    return backend.ledger().bytes(Category.ACTIVATION) + backend.ledger().bytes(Category.STATISTIC);
  }

  private void update(Parameter p) {
    long start = System.nanoTime();
    requireFinite(List.of(p));
    optimizer.update(p);
    p.dropGradient();
    updateNanos += System.nanoTime() - start;
  }

  private void requireFinite(List<Parameter> moved) {
    if (unread != null) {
      for (Parameter p : moved) unread.gradient(places.get(p), p.gradient());
      return;
    }
    int first =
        backend.ops().elementwise.firstNotFinite(moved.stream().map(Parameter::gradient).toList());
    if (first >= 0) throw NonFiniteException.inGradient(moved.get(first).name(), update);
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
    beside = null;
    for (Parameter p : parameters) p.forgetGradient();
    if (distillation != null) distillation.forget();
  }

  @Override
  public void close() {
    optimizer.close();
    if (classifier != null) classifier.close();
    if (teacher != null) teacher.close();
    network.close();
  }
}
