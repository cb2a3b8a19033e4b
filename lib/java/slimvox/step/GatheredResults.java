package slimvox.step;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.loss.Classifier;
import slimvox.loss.Distillation;
import slimvox.memory.Category;
import slimvox.nn.FixedPoint;
import slimvox.nn.Parameter;

/**
 * Results left on the device until several are read at once: a card is then waited for once in K
 * steps.
 *
 * <p>A step leaves 16 bytes an utterance (cross entropy, best classes, cosine to a teacher's), 4
 * bytes a parameter tensor (whether its gradient is finite) and 4 bytes (the largest magnitude of a
 * stream in fixed point). What is not finite is found when it is read; parameters have moved by
 * then. A step that runs as one ({@link TrainingStep#runAsOne}) always writes to row 0; the next
 * begins with moving that to the row after its own. The time of all steps that are read together,
 * waiting included, is divided equally, and between their parts as the queueing was.
 */
final class GatheredResults implements PendingResults {
  private final TrainingStep step;
  private final Backend backend;
  private final int most;
  private final int batch;
  private final List<String> parameters;
  private final Map<String, Integer> places = new HashMap<>(); // of parameters
  private final List<Tensor> buffers = new ArrayList<>();
  private final Tensor losses;
  private final Tensor best;
  private final Tensor bestWithoutMargin;
  private final Tensor cosines;
  private final Tensor notFinite;
  private final Tensor largest;
  private final List<int[]> labels = new ArrayList<>();
  private final List<Tensor> open = new ArrayList<>(); // parts that the current step writes
  private final double[] nanos = new double[3]; // of forward, backward, optimizer
  private int moved; // steps whose results have left row 0
  private Distillation distillation;
  private RuntimeException fault;

  /** Room for {@code most} steps of up to {@code batch} utterances. */
  GatheredResults(TrainingStep step, int most, int batch) {
    this.step = step;
    this.backend = step.network().backend();
    this.most = most;
    this.batch = batch;
    this.parameters = List.copyOf(step.state().parameters().keySet());
    for (String name : parameters) places.put(name, places.size());
    losses = allocate("losses", DataType.FLOAT32, batch);
    best = allocate("best", DataType.INT32, batch);
    bestWithoutMargin = allocate("best_without_margin", DataType.INT32, batch);
    cosines = allocate("cosines", DataType.FLOAT32, batch);
    notFinite = allocate("not_finite", DataType.INT32, parameters.size());
    largest = allocate("largest", DataType.FLOAT32, 1);
  }

  private Tensor allocate(String name, DataType type, int each) {
    Tensor buffer =
        backend.allocate(Category.WORKSPACE, "unread." + name, type, Shape.of(most, each));
    buffers.add(buffer);
    return buffer;
  }

  /** The part of the step that is running. */
  private Tensor part(Tensor all, int from, int length) {
    int row = step.isRunAsOne() ? 0 : labels.size();
    Tensor part = all.part((long) row * all.shape().get(1) + from, length);
    open.add(part);
    return part;
  }

  @Override
  public void begin() {
    if (fault != null) throw fault;
    if (labels.size() == most) {
      throw new IllegalStateException(most + " steps have not been read; there is no room");
    }
    if (labels.isEmpty()) {
      // Losses stay so without a classifier.
      for (Tensor t : List.of(losses, notFinite, largest)) backend.ops().elementwise.fill(t, 0);
      Arrays.fill(nanos, 0);
      moved = 0;
    } else if (step.isRunAsOne() && moved < labels.size()) { // else it is a batch tried again
      moveFirst();
    }
    gatherLargest(part(largest, 0, 1));
  }

  private void moveFirst() {
    for (Tensor all : buffers) {
      int each = all.shape().get(1);
      try (Tensor first = all.part(0, each);
          Tensor to = all.part((long) labels.size() * each, each)) {
        backend.ops().elementwise.copy(first, to);
        if (all == losses || all == notFinite || all == largest) {
          backend.ops().elementwise.fill(first, 0);
        }
      }
    }
    moved = labels.size();
  }

  /** The row that has a step's results. */
  private int row(int queued) {
    return !step.isRunAsOne() ? queued : queued < moved ? queued + 1 : 0;
  }

  private void gatherLargest(Tensor into) {
    for (FixedPoint grid : step.state().grids()) grid.gatherLargest(into);
    if (step.teacher() == null) return;
    for (FixedPoint grid : step.teacher().state().grids()) grid.gatherLargest(into);
  }

  @Override
  public void classify(
      Classifier classifier,
      Distillation distillation,
      Tensor embedding,
      Tensor labels,
      double margin) {
    int count = Math.toIntExact(labels.size());
    if (count > batch) {
      throw new IllegalArgumentException(count + " utterances where there is room for " + batch);
    }
    classifier.forward(
        embedding,
        labels,
        margin,
        new Classifier.Unread(
            part(losses, 0, count), part(best, 0, count), part(bestWithoutMargin, 0, count)));
    this.distillation = distillation;
    if (distillation != null) distillation.forward(embedding, part(cosines, 0, count));
  }

  @Override
  public void gradients(List<Parameter> complete) {
    for (Parameter p : complete) {
      backend
          .ops()
          .elementwise
          .markNotFinite(p.gradient(), part(notFinite, places.get(p.name()), 1));
    }
  }

  @Override
  public void end(int[] labels, long forward, long backward, long optimizer) {
    this.labels.add(labels.clone()); // a loader fills the array anew
    nanos[0] += forward;
    nanos[1] += backward;
    nanos[2] += optimizer;
  }

  @Override
  public void leave() {
    gatherLargest(null);
    open.forEach(Tensor::close);
    open.clear();
  }

  @Override
  public List<TrainingStep.Result> read() {
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
    double queued = Math.max(1, Arrays.stream(nanos).sum());
    double scale = (queued + System.nanoTime() - start) / queued / count;
    List<TrainingStep.Result> results = new ArrayList<>();
    for (int i = 0; i < count && fault == null; i++) {
      int[] wanted = labels.get(i);
      int from = row(i) * batch;
      int to = from + wanted.length;
      Classifier.Result r =
          Classifier.Result.of(
              Arrays.copyOfRange(loss, from, to),
              Arrays.copyOfRange(first, from, to),
              Arrays.copyOfRange(plain, from, to),
              wanted);
      double sum = r.loss();
      if (distillation != null) sum += distillation.loss(Arrays.copyOfRange(cosine, from, to));
      fault = fault(i, sum, magnitude[row(i)], bad);
      if (fault == null) {
        results.add(
            new TrainingStep.Result(
                sum,
                r.accuracy(),
                r.accuracyWithoutMargin(),
                Math.round(nanos[0] * scale),
                Math.round(nanos[1] * scale),
                Math.round(nanos[2] * scale)));
      }
    }
    labels.clear();
    if (results.isEmpty()) throw fault;
    return results;
  }

  /** What is wrong with a step; null: nothing. */
  private RuntimeException fault(int queued, double loss, float magnitude, int[] bad) {
    long seen = step.optimizer().steps();
    long number = seen - labels.size() + queued + 1;
    if (magnitude > FixedPoint.LIMIT) return FixedPoint.left("step " + number, magnitude);
    if (!Double.isFinite(loss)) {
      return NonFiniteException.seenLater(
          "the loss of step %d is %s".formatted(number, loss), seen);
    }
    int count = parameters.size();
    for (int p = count - 1; p >= 0; p--) { // backward meets the last one first
      if (bad[row(queued) * count + p] == 0) continue;
      return NonFiniteException.seenLater(
          "the gradient of %s in step %d is not finite".formatted(parameters.get(p), number), seen);
    }
    return null;
  }

  @Override
  public void close() {
    buffers.forEach(Tensor::close);
  }
}
