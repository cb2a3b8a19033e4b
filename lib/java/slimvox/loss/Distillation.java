package slimvox.loss;

import slimvox.backend.Backend;
import slimvox.backend.Operations;
import slimvox.backend.Tensor;
import slimvox.memory.Category;

/**
 * Pulls a student's embeddings towards a teacher's: loss = weight (1 - mean over the batch of
 * cos(x, t)).
 *
 * <p>x are the student's embeddings and t the teacher's, both N x E; the teacher is not changed.
 * The length of an embedding does not matter, as in scoring by cosine. The gradient is -weight / N
 * (t^ - x^ (x^ . t^)) / |x| with x^ = x / |x|, t^ = t / |t|.
 */
public final class Distillation implements AutoCloseable {
  private final Backend backend;
  private final Operations ops;
  private final double weight;
  private Tensor target;
  private Tensor embedding;
  private Tensor inverseNorm;

  /** A loss with this factor, above 0, beside the classifier's. */
  public Distillation(Backend backend, double weight) {
    this.backend = backend;
    this.ops = backend.ops();
    this.weight = weight;
  }

  /** Takes the teacher's embeddings of the next batch; borrowed. */
  public void target(Tensor teacher) {
    target = backend.allocateLike(teacher, Category.ACTIVATION, "distillation.target");
    try (Tensor norm = norms(teacher)) {
      ops.margin.normalizeRows(teacher, target, norm);
    }
  }

  private Tensor norms(Tensor x) {
    return backend.allocate(Category.ACTIVATION, "distillation.norm", x.shape().get(0));
  }

  /**
   * The loss of the student's embeddings of the batch that {@link #target} was told; keeps what the
   * gradient needs.
   *
   * @param x embeddings, borrowed
   */
  public double forward(Tensor x) {
    try (Tensor cosines =
        backend.allocate(Category.ACTIVATION, "distillation.cosines", x.shape().get(0))) {
      forward(x, cosines);
      return loss(ops.floats(cosines));
    }
  }

  /** The same without waiting; {@code cosines} gets cos(x, t) of each utterance. */
  public void forward(Tensor x, Tensor cosines) {
    embedding = backend.allocateLike(x, Category.ACTIVATION, "distillation.embedding");
    inverseNorm = norms(x);
    ops.margin.normalizeRows(x, embedding, inverseNorm);
    ops.margin.rowwiseDot(embedding, target, cosines);
  }

  /** The loss from cos(x, t) of each utterance. */
  public double loss(float[] cosines) {
    double sum = 0;
    for (float c : cosines) sum += c;
    return weight * (1 - sum / cosines.length);
  }

  /** Adds the gradient to {@code dx}, and lets go what was kept. */
  public void addGradient(Tensor dx) {
    float factor = (float) (-weight / dx.shape().get(0));
    try (Tensor d = backend.allocateLike(dx, Category.ACTIVATION_GRADIENT, "distillation.din")) {
      ops.elementwise.fill(d, 0);
      ops.elementwise.axpy(factor, target, d);
      ops.margin.normalizeRowsBackward(embedding, inverseNorm, d, d);
      ops.elementwise.axpy(1, d, dx);
    }
    close();
  }

  /** Lets go what a forward kept, if backward did not follow. */
  @Override
  public void close() {
    if (target != null) target.close();
    if (embedding != null) embedding.close();
    if (inverseNorm != null) inverseNorm.close();
    forget();
  }

  /** Forgets what an interrupted step left behind; its buffers have been returned already. */
  public void forget() {
    target = null;
    embedding = null;
    inverseNorm = null;
  }
}
