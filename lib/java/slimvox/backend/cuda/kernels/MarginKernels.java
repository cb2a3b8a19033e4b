package slimvox.backend.cuda.kernels;

import slimvox.backend.AngularMargin;
import slimvox.backend.Margin;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/margin.cu: a block for each row. */
public final class MarginKernels implements Margin.Kernels {
  private static final int THREADS = 256; // as in the source

  private final Launcher launcher;
  private final OwnMemory own;

  /** Launches through {@code launcher}. */
  public MarginKernels(Launcher launcher, OwnMemory own) {
    this.launcher = launcher;
    this.own = own;
  }

  /** Address of its cosine and sine. */
  private long angle(AngularMargin margin) {
    double m = margin.margin();
    return own.place(OwnMemory.Numbers.of(OwnMemory.Kind.MARGIN, Math.cos(m), Math.sin(m)));
  }

  private static Grid rows(Tensor x) {
    return Grid.of(x.shape().rows(), THREADS);
  }

  @Override
  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {
    launcher.launch("normalize_rows", rows(x), x, y, inverseNorm, x.shape().get(-1));
  }

  @Override
  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {
    launcher.launch("normalize_rows_backward", rows(y), y, inverseNorm, dy, dx, y.shape().get(-1));
  }

  @Override
  public void rowwiseDot(Tensor x, Tensor y, Tensor out) {
    launcher.launch("dot_rows", rows(x), x, y, out, x.shape().get(-1));
  }

  @Override
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {
    launcher.launch(
        "margin_logits",
        rows(cosine),
        cosine,
        labels,
        angle(margin),
        margin.scale(),
        margin.easyMargin(),
        logits,
        cosine.shape().get(-1));
  }

  @Override
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {
    launcher.launch(
        "margin_logits_backward",
        rows(cosine),
        cosine,
        labels,
        angle(margin),
        margin.scale(),
        margin.easyMargin(),
        dlogits,
        dcosine,
        cosine.shape().get(-1));
  }

  @Override
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {
    launcher.launch(
        "softmax_cross_entropy",
        rows(logits),
        logits,
        labels,
        loss,
        dlogits,
        Math.toIntExact(logits.shape().rows()),
        logits.shape().get(-1));
  }

  @Override
  public void argmaxRows(Tensor x, Tensor index) {
    launcher.launch("largest_in_row", rows(x), x, index, x.shape().get(-1));
  }
}
