package slimvox.backend.cuda.kernels;

import slimvox.backend.AngularMargin;
import slimvox.backend.Margin;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/margin.cu: a block for each row. */
public final class MarginKernels implements Margin.Kernels {
  private static final int THREADS = 256; // as in the source

  private final Launcher launcher;

  public MarginKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  private static Grid rows(Tensor x) {
    return Grid.of(x.shape().rows(), THREADS);
  }

  @Override
  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {
    launcher.launch(
        "normalize_rows",
        rows(x),
        0,
        x.address(),
        y.address(),
        inverseNorm.address(),
        x.shape().get(-1));
  }

  @Override
  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {
    launcher.launch(
        "normalize_rows_backward",
        rows(y),
        0,
        y.address(),
        inverseNorm.address(),
        dy.address(),
        dx.address(),
        y.shape().get(-1));
  }

  @Override
  public void rowwiseDot(Tensor x, Tensor y, Tensor out) {
    launcher.launch(
        "dot_rows", rows(x), 0, x.address(), y.address(), out.address(), x.shape().get(-1));
  }

  @Override
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {
    launcher.launch(
        "margin_logits",
        rows(cosine),
        0,
        cosine.address(),
        labels.address(),
        Double.doubleToRawLongBits(Math.cos(margin.margin())),
        Double.doubleToRawLongBits(Math.sin(margin.margin())),
        margin.scale(),
        margin.easyMargin() ? 1 : 0,
        logits.address(),
        cosine.shape().get(-1));
  }

  @Override
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {
    launcher.launch(
        "margin_logits_backward",
        rows(cosine),
        0,
        cosine.address(),
        labels.address(),
        Double.doubleToRawLongBits(Math.cos(margin.margin())),
        Double.doubleToRawLongBits(Math.sin(margin.margin())),
        margin.scale(),
        margin.easyMargin() ? 1 : 0,
        dlogits.address(),
        dcosine.address(),
        cosine.shape().get(-1));
  }

  @Override
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {
    launcher.launch(
        "softmax_cross_entropy",
        rows(logits),
        0,
        logits.address(),
        labels.address(),
        loss.address(),
        dlogits.address(),
        Math.toIntExact(logits.shape().rows()),
        logits.shape().get(-1));
  }

  @Override
  public void argmaxRows(Tensor x, Tensor index) {
    launcher.launch("largest_in_row", rows(x), 0, x.address(), index.address(), x.shape().get(-1));
  }
}
