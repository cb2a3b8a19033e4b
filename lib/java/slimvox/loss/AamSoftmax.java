package slimvox.loss;

import java.util.List;
import java.util.random.RandomGenerator;
import slimvox.backend.AngularMargin;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.Operations;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.memory.Category;
import slimvox.nn.Initial;
import slimvox.nn.Parameter;
import slimvox.nn.Stateful;

/**
 * The training classifier: additive angular margin softmax over K speakers.
 *
 * <p>cos = x / |x| . w_k / |w_k| for embedding x and class vector w_k; logits as in {@link
 * AngularMargin}; loss = mean over the batch of the cross entropy. Embeddings N x E, weight K x E
 * (WeSpeaker's {@code projection.weight}), labels 0 to K - 1.
 *
 * <p>Source: Deng et al. 2019, arXiv 1801.07698; WeSpeaker's ArcMarginProduct.
 */
public final class AamSoftmax implements Classifier {
  private final Backend backend;
  private final Operations ops;
  private final float scale;
  private boolean easyMargin;
  private final Parameter weight;

  private AngularMargin margin;
  private Tensor embedding;
  private Tensor embeddingNorm;
  private Tensor classes;
  private Tensor classNorm;
  private Tensor cosine;
  private Tensor dlogits;
  private Tensor labels;

  /** A classifier whose weight is not initialized; the scale s is 32 in WeSpeaker. */
  public AamSoftmax(Backend backend, int embeddingSize, int classes, double scale) {
    this.backend = backend;
    this.ops = backend.ops();
    this.scale = (float) scale;
    this.weight = new Parameter(backend, "projection.weight", classes, embeddingSize);
  }

  /**
   * Says what becomes of the margin beyond 90 degrees, as in {@link AngularMargin}: false at first.
   */
  public AamSoftmax easyMargin(boolean easy) {
    easyMargin = easy;
    return this;
  }

  /** The class vectors. */
  public Parameter weight() {
    return weight;
  }

  @Override
  public List<? extends Stateful> parts() {
    return List.of(weight);
  }

  /** Draws Xavier-uniform class vectors. */
  @Override
  public void initialize(RandomGenerator random) {
    Initial.xavier(weight, random);
  }

  @Override
  public Result forward(Tensor x, Tensor labels, double margin) {
    logits(x, labels, margin);
    int[] best = best(dlogits);
    int[] bestWithoutMargin = best(cosine);
    try (Tensor loss = backend.allocate(Category.ACTIVATION, "projection.loss", x.shape().get(0))) {
      ops.margin.softmaxCrossEntropy(dlogits, labels, loss, dlogits);
      return Result.of(ops.floats(loss), best, bestWithoutMargin, ops.ints(labels));
    }
  }

  @Override
  public void forward(Tensor x, Tensor labels, double margin, Unread unread) {
    logits(x, labels, margin);
    ops.margin.argmaxRows(dlogits, unread.best());
    ops.margin.argmaxRows(cosine, unread.bestWithoutMargin());
    ops.margin.softmaxCrossEntropy(dlogits, labels, unread.losses(), dlogits);
  }

  private void logits(Tensor x, Tensor labels, double margin) {
    this.margin = new AngularMargin((float) margin, scale, easyMargin);
    this.labels = labels.retain();
    int batch = x.shape().get(0);
    int count = weight.value().shape().get(0);
    embedding = backend.allocateLike(x, Category.ACTIVATION, "projection.embedding");
    embeddingNorm = backend.allocate(Category.ACTIVATION, "projection.embedding_norm", batch);
    ops.margin.normalizeRows(x, embedding, embeddingNorm);
    classes = backend.allocateLike(weight.value(), Category.ACTIVATION, "projection.classes");
    classNorm = backend.allocate(Category.ACTIVATION, "projection.class_norm", count);
    ops.margin.normalizeRows(weight.value(), classes, classNorm);
    cosine = backend.allocate(Category.ACTIVATION, "projection.cosine", batch, count);
    ops.matrices.matmul(false, true, embedding, classes, cosine, false);
    dlogits = backend.allocate(Category.ACTIVATION, "projection.logits", batch, count);
    ops.margin.marginLogits(cosine, labels, this.margin, dlogits);
  }

  private int[] best(Tensor scores) {
    Shape shape = Shape.of(scores.shape().get(0));
    try (Tensor index =
        backend.allocate(Category.ACTIVATION, "projection.best", DataType.INT32, shape)) {
      ops.margin.argmaxRows(scores, index);
      return ops.ints(index);
    }
  }

  @Override
  public Tensor backward() {
    ops.margin.marginLogitsBackward(cosine, labels, margin, dlogits, dlogits);
    cosine.close();
    labels.close();
    Tensor dx = backend.allocateLike(embedding, Category.ACTIVATION_GRADIENT, "projection.din");
    ops.matrices.matmul(false, false, dlogits, classes, dx, false);
    ops.margin.normalizeRowsBackward(embedding, embeddingNorm, dx, dx);
    weightGradient();
    classes.close();
    classNorm.close();
    dlogits.close();
    embedding.close();
    embeddingNorm.close();
    weight.gradientComplete();
    return dx;
  }

  private void weightGradient() {
    if (!weight.hasGradient()) {
      Tensor dweight = weight.gradient();
      ops.matrices.matmul(true, false, dlogits, embedding, dweight, false);
      ops.margin.normalizeRowsBackward(classes, classNorm, dweight, dweight);
      return;
    }
    try (Tensor dweight =
        backend.allocateLike(classes, Category.ACTIVATION_GRADIENT, "projection.dclasses")) {
      ops.matrices.matmul(true, false, dlogits, embedding, dweight, false);
      ops.margin.normalizeRowsBackward(classes, classNorm, dweight, dweight);
      ops.elementwise.axpy(1, dweight, weight.gradient());
    }
  }
}
