package slimvox.backend;

/** Cosines, angular margins and softmax: what a classifier of speakers needs, row by row. */
public final class Margin {
  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /** y = x / max(|x|, 1e-12) for each row; inverseNorm gets 1 / max(|x|, 1e-12). */
    default void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {}

    /** dx = (dy - y (y . dy)) inverseNorm for each row; in place on dy allowed. */
    default void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {}

    /** out = x . y for each row. */
    default void rowwiseDot(Tensor x, Tensor y, Tensor out) {}

    /**
     * Logits of additive angular margin, see {@link AngularMargin}: s phi(cos) for the label's
     * column, s cos elsewhere. {@code logits} may be {@code cosine}.
     */
    default void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {}

    /** dcosine = dlogits s phi'(cos) or dlogits s; in place on dlogits allowed. */
    default void marginLogitsBackward(
        Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {}

    /**
     * Softmax cross entropy: loss of each row, and dlogits = (softmax - one-hot) / rows; in place
     * on logits allowed.
     */
    default void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {}

    /** index = column of the largest element of each row, the first of equals. */
    default void argmaxRows(Tensor x, Tensor index) {}
  }

  private final Kernels kernels;

  Margin(Kernels kernels) {
    this.kernels = kernels;
  }

  /** See {@link Kernels#normalizeRows}. */
  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {
    Check.same(x, y);
    onePerRow(x, "normalizeRows", inverseNorm);
    kernels.normalizeRows(x, y, inverseNorm);
  }

  /** See {@link Kernels#normalizeRowsBackward}. */
  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {
    Check.same(y, dy, dx);
    onePerRow(y, "normalizeRowsBackward", inverseNorm);
    kernels.normalizeRowsBackward(y, inverseNorm, dy, dx);
  }

  /** See {@link Kernels#rowwiseDot}. */
  public void rowwiseDot(Tensor x, Tensor y, Tensor out) {
    Check.same(x, y);
    onePerRow(x, "rowwiseDot", out);
    kernels.rowwiseDot(x, y, out);
  }

  /** See {@link Kernels#marginLogits}. */
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {
    Check.labels(cosine, labels);
    Check.same(cosine, logits);
    kernels.marginLogits(cosine, labels, margin, logits);
  }

  /** See {@link Kernels#marginLogitsBackward}. */
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {
    Check.labels(cosine, labels);
    Check.same(cosine, dlogits, dcosine);
    kernels.marginLogitsBackward(cosine, labels, margin, dlogits, dcosine);
  }

  /** See {@link Kernels#softmaxCrossEntropy}. */
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {
    Check.labels(logits, labels);
    Check.same(logits, dlogits);
    onePerRow(logits, "softmaxCrossEntropy", loss);
    kernels.softmaxCrossEntropy(logits, labels, loss, dlogits);
  }

  /** See {@link Kernels#argmaxRows}. */
  public void argmaxRows(Tensor x, Tensor index) {
    Check.labels(x, index);
    kernels.argmaxRows(x, index);
  }

  private static void onePerRow(Tensor x, String what, Tensor numbers) {
    Check.fit(numbers.size() == x.shape().rows(), what, x, numbers);
  }
}
