package slimvox.step;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.loss.AamSoftmax;
import slimvox.loss.Distillation;
import slimvox.memory.Category;
import slimvox.nn.Grid;

/**
 * What several steps gave, left on the device until it is read at once: a card is then waited for
 * once in K steps.
 *
 * <p>A step leaves 12 bytes an utterance (cross entropy and best classes; 16 with a teacher), 4
 * bytes a parameter tensor (whether its gradient is finite) and 4 bytes (the largest magnitude of a
 * stream in fixed point). What is not finite is found when it is read; parameters have moved by
 * then.
 */
final class UnreadSteps implements AutoCloseable {
  private final Backend backend;
  private final int most;
  private final int batch;
  private final List<String> parameters;
  private final Tensor losses;
  private final Tensor best;
  private final Tensor bestWithoutMargin;
  private final Tensor cosines;
  private final Tensor notFinite;
  private final Tensor largest;
  private final List<int[]> labels = new ArrayList<>();
  private final List<Tensor> open = new ArrayList<>(); // parts that the current step writes
  private long forwardNanos;
  private long backwardNanos;
  private long optimizerNanos;
  private RuntimeException fault;

  /**
   * Room for {@code most} steps of up to {@code batch} utterances.
   *
   * @param parameters their names, in the order of the step
   */
  UnreadSteps(Backend backend, int most, int batch, List<String> parameters) {
    this.backend = backend;
    this.most = most;
    this.batch = batch;
    this.parameters = parameters;
    losses = allocate("losses", DataType.FLOAT32, batch);
    best = allocate("best", DataType.INT32, batch);
    bestWithoutMargin = allocate("best_without_margin", DataType.INT32, batch);
    cosines = allocate("cosines", DataType.FLOAT32, batch);
    notFinite = allocate("not_finite", DataType.INT32, parameters.size());
    largest = allocate("largest", DataType.FLOAT32, 1);
  }

  private Tensor allocate(String name, DataType type, int each) {
    return backend.allocate(Category.WORKSPACE, "unread." + name, type, Shape.of(most, each));
  }

  /** The part of the step that is running. */
  private Tensor part(Tensor all, int from, int length) {
    long first = (long) labels.size() * all.shape().get(1) + from;
    Tensor part = all.part(first, length);
    open.add(part);
    return part;
  }

  /** A step begins. */
  void begin() {
    if (fault != null) throw fault;
    if (labels.size() == most) {
      throw new IllegalStateException(most + " steps have not been read; there is no room");
    }
    if (labels.isEmpty()) {
      backend.ops().elementwise.fill(losses, 0); // they stay so without a classifier
      backend.ops().elementwise.fill(notFinite, 0);
      backend.ops().elementwise.fill(largest, 0);
      forwardNanos = 0;
      backwardNanos = 0;
      optimizerNanos = 0;
    }
    backend.ops().elementwise.gatherLargest(part(largest, 0, 1));
  }

  void classify(AamSoftmax classifier, Tensor embedding, Tensor labels, double margin) {
    int count = Math.toIntExact(labels.size());
    if (count > batch) {
      throw new IllegalArgumentException(count + " utterances where there is room for " + batch);
    }
    classifier.forward(
        embedding,
        labels,
        margin,
        new AamSoftmax.Unread(
            part(losses, 0, count), part(best, 0, count), part(bestWithoutMargin, 0, count)));
  }

  void distil(Distillation distillation, Tensor embedding) {
    distillation.forward(embedding, part(cosines, 0, embedding.shape().get(0)));
  }

  /** Notes whether the gradient of the parameter at {@code place} is finite. */
  void gradient(int place, Tensor gradient) {
    backend.ops().elementwise.markNotFinite(gradient, part(notFinite, place, 1));
  }

  /** The step is complete. */
  void end(int[] labels, long forwardNanos, long backwardNanos, long optimizerNanos) {
    this.labels.add(labels.clone()); // a loader fills the array anew
    this.forwardNanos += forwardNanos;
    this.backwardNanos += backwardNanos;
    this.optimizerNanos += optimizerNanos;
  }

  /** Lets go what the step was given, complete or not. */
  void leave() {
    backend.ops().elementwise.gatherLargest(null);
    open.forEach(Tensor::close);
    open.clear();
  }

  /**
   * The results of the steps since the last call, in order, up to the first with a fault; that
   * fault is thrown when there is none before it. The time of all, waiting included, is divided
   * equally, and between their parts as the queueing was.
   *
   * @param steps number of steps taken, these included
   * @param distillation null without a teacher
   * @throws NonFiniteException naming the step
   */
  List<TrainingStep.Result> read(long steps, Distillation distillation) {
    if (fault != null) throw fault;
    int count = labels.size();
    if (count == 0) return List.of();
    long start = System.nanoTime();
    float[] loss = backend.ops().floats(losses);
    int[] first = backend.ops().ints(best);
    int[] plain = backend.ops().ints(bestWithoutMargin);
    float[] cosine = backend.ops().floats(cosines);
    int[] bad = backend.ops().ints(notFinite);
    float[] magnitude = backend.ops().floats(largest);
    double queued = Math.max(1, forwardNanos + backwardNanos + optimizerNanos);
    double scale = (queued + System.nanoTime() - start) / queued / count;
    List<TrainingStep.Result> results = new ArrayList<>();
    for (int i = 0; i < count && fault == null; i++) {
      int[] wanted = labels.get(i);
      int from = i * batch;
      int to = from + wanted.length;
      AamSoftmax.Result r =
          AamSoftmax.Result.of(
              Arrays.copyOfRange(loss, from, to),
              Arrays.copyOfRange(first, from, to),
              Arrays.copyOfRange(plain, from, to),
              wanted);
      double sum = r.loss();
      if (distillation != null) sum += distillation.loss(Arrays.copyOfRange(cosine, from, to));
      fault = fault(steps - count + i + 1, steps, sum, magnitude[i], bad, i);
      if (fault == null) {
        results.add(
            new TrainingStep.Result(
                sum,
                r.accuracy(),
                r.accuracyWithoutMargin(),
                Math.round(forwardNanos * scale),
                Math.round(backwardNanos * scale),
                Math.round(optimizerNanos * scale)));
      }
    }
    labels.clear();
    if (results.isEmpty()) throw fault;
    return results;
  }

  private RuntimeException fault(
      long step, long seen, double loss, float magnitude, int[] bad, int row) {
    if (magnitude > Grid.LIMIT) return Grid.left("step " + step, magnitude);
    if (!Double.isFinite(loss)) {
      return NonFiniteException.seenLater("the loss of step %d is %s".formatted(step, loss), seen);
    }
    int count = parameters.size();
    for (int p = count - 1; p >= 0; p--) { // backward meets the last one first
      if (bad[row * count + p] == 0) continue;
      return NonFiniteException.seenLater(
          "the gradient of %s in step %d is not finite".formatted(parameters.get(p), step), seen);
    }
    return null;
  }

  @Override
  public void close() {
    for (Tensor t : List.of(losses, best, bestWithoutMargin, cosines, notFinite, largest)) {
      t.close();
    }
  }
}
