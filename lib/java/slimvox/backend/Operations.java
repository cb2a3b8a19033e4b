package slimvox.backend;

import java.util.List;
import java.util.function.Consumer;
import slimvox.backend.packed.Packed;
import slimvox.memory.Category;

/**
 * The primitive operations as layers call them: the {@link Device}'s, with every argument checked
 * here, once for all devices, and with workspaces taken from and returned to the ledger.
 *
 * <p>What each operation computes is said in {@link Device}; what it writes is its last tensor
 * arguments. Tensors are float32 where nothing else is said. A wrong shape or type is a programming
 * error: {@link IllegalArgumentException}.
 */
public final class Operations {
  /** Packed inference. */
  public final Packed packed;

  private final Backend backend;
  private final Device device;
  private boolean watching;
  private Tensor largest; // null: addRounded answers

  Operations(Backend backend) {
    this.backend = backend;
    this.device = backend.device();
    this.packed = new Packed(backend, device.packed());
  }

  /**
   * While watching, results of layers (matrix products, convolutions, normalizations, pooling) are
   * looked at, and the first that is not finite throws {@link NotFiniteException}. Slow; meant for
   * finding the layer after a loss was not finite.
   */
  public void watch(boolean watch) {
    watching = watch;
  }

  private void watched(Tensor y) {
    if (watching && !device.isFinite(y)) throw new NotFiniteException(y);
  }

  // ---- host

  public void upload(float[] values, Tensor x) {
    length(x, DataType.FLOAT32, values.length);
    device.upload(values, x);
  }

  public void upload(int[] values, Tensor x) {
    length(x, DataType.INT32, values.length);
    device.upload(values, x);
  }

  public void upload(byte[] values, Tensor x) {
    length(x, DataType.UINT8, values.length);
    device.upload(values, x);
  }

  /** The elements of a float32 tensor. */
  public float[] floats(Tensor x) {
    float[] values = new float[hostLength(x, DataType.FLOAT32)];
    device.download(x, values);
    return values;
  }

  /** The elements of an int32 tensor. */
  public int[] ints(Tensor x) {
    int[] values = new int[hostLength(x, DataType.INT32)];
    device.download(x, values);
    return values;
  }

  /** The elements of a uint8 tensor. */
  public byte[] bytes(Tensor x) {
    byte[] values = new byte[hostLength(x, DataType.UINT8)];
    device.download(x, values);
    return values;
  }

  // ---- elementwise

  /** x = value, whatever its type. */
  public void fill(Tensor x, float value) {
    device.fill(x, value);
  }

  /** y = x, of any type. */
  public void copy(Tensor x, Tensor y) {
    length(y, x.type(), x.size());
    expect(x.shape(), y);
    device.copy(x, y);
  }

  public void addScaled(float alpha, Tensor x, Tensor y) {
    same(x, y);
    device.addScaled(alpha, x, y);
  }

  /** Returns the largest |y|; 0 while {@link #gatherLargest} gathers it. */
  public float addRounded(float alpha, Tensor x, float step, Tensor y) {
    same(x, y);
    if (largest == null) return device.addRounded(alpha, x, step, y);
    device.addRounded(alpha, x, step, y, largest);
    return 0;
  }

  /**
   * From now on {@link #addRounded} does not wait for its answer: the largest of all is gathered in
   * a float32 number, which the caller sets to 0 before and looks at later.
   *
   * @param largest null to have answers again
   */
  public void gatherLargest(Tensor largest) {
    if (largest != null) length(largest, DataType.FLOAT32, 1);
    this.largest = largest;
  }

  public void relu(Tensor x, Tensor y) {
    same(x, y);
    device.relu(x, y);
  }

  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    same(y, dy, dx);
    device.reluBackward(y, dy, dx);
  }

  public void tanh(Tensor x, Tensor y) {
    same(x, y);
    device.tanh(x, y);
  }

  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    same(y, dy, dx);
    device.tanhBackward(y, dy, dx);
  }

  public boolean isFinite(Tensor x) {
    float32(x);
    return device.isFinite(x);
  }

  /** The place of the first of these tensors with an element that is not finite; -1 if none. */
  public int firstNotFinite(List<Tensor> tensors) {
    tensors.forEach(Operations::float32);
    return device.firstNotFinite(tensors);
  }

  /** flag = 1 if x has an element that is not finite, else as it was. */
  public void markNotFinite(Tensor x, Tensor flag) {
    float32(x);
    length(flag, DataType.INT32, 1);
    device.markNotFinite(x, flag);
  }

  // ---- matrices

  /** c (+)= op(a) op(b); the sizes are taken from c (m x n) and from a (k). */
  public void matmul(
      boolean transposeA, boolean transposeB, Tensor a, Tensor b, Tensor c, boolean accumulate) {
    int m = Shape.axis(c.shape().rows());
    int n = c.shape().get(-1);
    long rowsA = a.shape().rows();
    int columnsA = a.shape().get(-1);
    int k = transposeA ? Shape.axis(rowsA) : columnsA;
    check((transposeA ? columnsA : rowsA) == m, "matmul", a, c);
    check((transposeB ? b.shape().get(-1) : b.shape().rows()) == k, "matmul", a, b);
    check((transposeB ? b.shape().rows() : b.shape().get(-1)) == n, "matmul", b, c);
    with(
        c.label(),
        device.matmulWorkspace(transposeA, transposeB, m, n, k),
        w -> device.matmul(transposeA, transposeB, m, n, k, a, b, c, accumulate, w));
    watched(c);
  }

  public void addToRows(Tensor b, Tensor y) {
    check(b.size() == y.shape().get(-1), "addToRows", b, y);
    device.addToRows(b, y);
  }

  public void sumRows(Tensor y, Tensor b, boolean accumulate) {
    check(b.size() == y.shape().get(-1), "sumRows", y, b);
    with(
        b.label(),
        device.sumRowsWorkspace(y.shape().rows(), y.shape().get(-1)),
        w -> device.sumRows(y, b, accumulate, w));
  }

  // ---- convolution

  public void convolve(Convolution g, Tensor x, Tensor weight, Tensor y) {
    convolved(g, x, weight, y);
    with(y.label(), device.convolveWorkspace(g), w -> device.convolve(g, x, weight, y, w));
    watched(y);
  }

  /** Brings a weight into the layout of a geometry. */
  public void layOut(Convolution g, Tensor weight, Tensor laidOut) {
    shape(g.weightShape(), weight);
    length(laidOut, DataType.FLOAT32, device.laidOutBytes(g) / 4);
    with(laidOut.label(), device.layOutWorkspace(g), w -> device.layOut(g, weight, laidOut, w));
  }

  /** The convolution with a weight that {@link #layOut} laid out for the same layout. */
  public void convolveLaidOut(Convolution g, Tensor x, Tensor laidOut, Tensor y) {
    shape(g.inShape(), x);
    length(laidOut, DataType.FLOAT32, device.laidOutBytes(g) / 4);
    shape(g.outShape(), y);
    with(
        y.label(),
        device.convolveLaidOutWorkspace(g),
        w -> device.convolveLaidOut(g, x, laidOut, y, w));
    watched(y);
  }

  /** y += the convolution of x. */
  public void convolveAdd(Convolution g, Tensor x, Tensor weight, Tensor y) {
    convolved(g, x, weight, y);
    if (device.addsConvolutions()) {
      with(y.label(), device.convolveAddWorkspace(g), w -> device.convolveAdd(g, x, weight, y, w));
    } else {
      try (Tensor part = y.backend().allocateLike(y, y.category(), y.label() + ".part")) {
        convolve(g, x, weight, part);
        addScaled(1, part, y);
      }
    }
    watched(y);
  }

  public void convolveBackwardData(Convolution g, Tensor dy, Tensor weight, Tensor dx) {
    convolved(g, dx, weight, dy);
    with(
        dx.label(),
        device.convolveBackwardDataWorkspace(g),
        w -> device.convolveBackwardData(g, dy, weight, dx, w));
  }

  public void convolveBackwardWeight(
      Convolution g, Tensor x, Tensor dy, Tensor dweight, boolean accumulate) {
    convolved(g, x, dweight, dy);
    with(
        dweight.label(),
        device.convolveBackwardWeightWorkspace(g),
        w -> device.convolveBackwardWeight(g, x, dy, dweight, accumulate, w));
  }

  private static void convolved(Convolution g, Tensor x, Tensor weight, Tensor y) {
    shape(g.inShape(), x);
    shape(g.weightShape(), weight);
    shape(g.outShape(), y);
  }

  // ---- batch normalization

  public void batchStatistics(Tensor x, float epsilon, Tensor mean, Tensor inverseDeviation) {
    channels(x, mean, inverseDeviation);
    with(
        mean.label(),
        device.batchStatisticsWorkspace(x.shape().rows(), x.shape().get(-1)),
        w -> device.batchStatistics(x, epsilon, mean, inverseDeviation, w));
  }

  public void updateRunningStatistics(
      Tensor mean,
      Tensor inverseDeviation,
      float epsilon,
      long rows,
      float momentum,
      Tensor runningMean,
      Tensor runningVariance) {
    same(mean, inverseDeviation, runningMean, runningVariance);
    device.updateRunningStatistics(
        mean, inverseDeviation, epsilon, rows, momentum, runningMean, runningVariance);
  }

  public void inverseDeviation(Tensor variance, float epsilon, Tensor inverseDeviation) {
    same(variance, inverseDeviation);
    device.inverseDeviation(variance, epsilon, inverseDeviation);
  }

  public void batchNormalize(
      Tensor x,
      Tensor mean,
      Tensor inverseDeviation,
      Tensor gamma,
      Tensor beta,
      Tensor residual,
      boolean relu,
      Tensor y) {
    channels(x, mean, inverseDeviation, gamma, beta);
    same(x, residual, y);
    device.batchNormalize(x, mean, inverseDeviation, gamma, beta, residual, relu, y);
    watched(y);
  }

  public void batchNormalizeBackward(
      Tensor x,
      Tensor y,
      Tensor dy,
      Tensor mean,
      Tensor inverseDeviation,
      Tensor gamma,
      Tensor beta,
      Tensor dgamma,
      Tensor dbeta,
      boolean accumulate,
      Tensor dresidual,
      Tensor dx) {
    channels(x, mean, inverseDeviation, gamma, beta, dgamma, dbeta);
    same(x, y, dy, dresidual, dx);
    check(beta == null || (y == null && dresidual == null), "y beside beta", x, beta);
    check(dresidual == null || (dx != dy && dx != dresidual), "in place", dx, dresidual);
    with(
        dx.label(),
        device.batchNormalizeBackwardWorkspace(x.shape().rows(), x.shape().get(-1)),
        w ->
            device.batchNormalizeBackward(
                x,
                y,
                dy,
                mean,
                inverseDeviation,
                gamma,
                beta,
                dgamma,
                dbeta,
                accumulate,
                dresidual,
                dx,
                w));
  }

  // ---- rearrangement

  public void takeChannels(Tensor x, int first, Tensor part) {
    part(x, first, part);
    device.takeChannels(x, first, part);
  }

  public void putChannels(Tensor part, int first, Tensor y) {
    part(y, first, part);
    device.putChannels(part, first, y);
  }

  public void spaceToDepth(Tensor x, Tensor y) {
    shape(spaceToDepthShape(x.shape()), y);
    float32(x);
    device.spaceToDepth(x, y);
  }

  public void depthToSpace(Tensor y, Tensor x) {
    shape(spaceToDepthShape(x.shape()), y);
    float32(x);
    device.depthToSpace(y, x);
  }

  /**
   * N x H/2 x W/2 x 4C, the shape of {@link #spaceToDepth} for an input N x H x W x C.
   *
   * @throws IllegalArgumentException if H or W is odd
   */
  public static Shape spaceToDepthShape(Shape x) {
    if (x.get(1) % 2 != 0 || x.get(2) % 2 != 0) {
      throw new IllegalArgumentException(
          "space to depth needs even numbers of frequency rows and frames, not " + x);
    }
    return Shape.of(x.get(0), x.get(1) / 2, x.get(2) / 2, Shape.axis(4L * x.get(3)));
  }

  private static void part(Tensor whole, int first, Tensor part) {
    check(
        part.shape().rows() == whole.shape().rows()
            && first >= 0
            && first + part.shape().get(-1) <= whole.shape().get(-1),
        "channels from " + first + " on",
        whole,
        part);
  }

  // ---- pooling

  public void statisticsPooling(Tensor x, float floor, Tensor out) {
    pooled(x, out);
    device.statisticsPooling(x, floor, out);
    watched(out);
  }

  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {
    pooled(x, out);
    same(out, dout);
    same(x, dx);
    device.statisticsPoolingBackward(x, out, dout, dx);
  }

  public void framesFirst(Tensor x, Tensor y) {
    shape(framesFirstShape(x.shape()), y);
    float32(x);
    device.framesFirst(x, y);
  }

  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    shape(framesFirstShape(dx.shape()), dy);
    float32(dx);
    device.framesFirstBackward(dy, dx, accumulate);
  }

  /** N x W x (C H), the shape of {@link #framesFirst} for an input N x H x W x C. */
  public static Shape framesFirstShape(Shape x) {
    return Shape.of(x.get(0), x.get(2), Shape.axis((long) x.get(1) * x.get(3)));
  }

  public void softmaxOverFrames(Tensor x, Tensor y) {
    same(x, y);
    device.softmaxOverFrames(x, y);
  }

  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    same(y, dy, dx);
    device.softmaxOverFramesBackward(y, dy, dx);
  }

  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    same(x, alpha);
    shape(Shape.of(x.shape().get(0), Shape.axis(2L * x.shape().get(2))), out);
    device.weightedStatistics(x, alpha, floor, out);
    watched(out);
  }

  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {
    same(x, alpha, dx, dalpha);
    same(out, dout);
    shape(Shape.of(x.shape().get(0), Shape.axis(2L * x.shape().get(2))), out);
    device.weightedStatisticsBackward(x, alpha, out, floor, dout, dx, dalpha);
  }

  // ---- angular margin

  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {
    same(x, y);
    check(inverseNorm.size() == x.shape().rows(), "normalizeRows", x, inverseNorm);
    device.normalizeRows(x, y, inverseNorm);
  }

  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {
    same(y, dy, dx);
    check(inverseNorm.size() == y.shape().rows(), "normalizeRowsBackward", y, inverseNorm);
    device.normalizeRowsBackward(y, inverseNorm, dy, dx);
  }

  public void dotRows(Tensor x, Tensor y, Tensor out) {
    same(x, y);
    check(out.size() == x.shape().rows(), "dotRows", x, out);
    device.dotRows(x, y, out);
  }

  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {
    labels(cosine, labels);
    same(cosine, logits);
    device.marginLogits(cosine, labels, margin, logits);
  }

  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {
    labels(cosine, labels);
    same(cosine, dlogits, dcosine);
    device.marginLogitsBackward(cosine, labels, margin, dlogits, dcosine);
  }

  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {
    labels(logits, labels);
    same(logits, dlogits);
    check(loss.size() == logits.shape().rows(), "softmaxCrossEntropy", logits, loss);
    device.softmaxCrossEntropy(logits, labels, loss, dlogits);
  }

  public void largestInRow(Tensor x, Tensor index) {
    labels(x, index);
    device.largestInRow(x, index);
  }

  // ---- binary networks

  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    filters(weight, alpha, binary);
    device.binarizeFilters(weight, scaled, alpha, binary);
  }

  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    filters(weight, alpha, dbinary);
    same(weight, dweight);
    device.binarizeFiltersBackward(weight, alpha, gradient, dbinary, dweight, accumulate);
  }

  public void signActivation(Tensor x, Tensor shift, Tensor y) {
    bordered(x, shift, y);
    device.signActivation(x, shift, y);
  }

  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {
    bordered(x, shift, dy);
    same(x, dx);
    device.signActivationBackward(x, shift, dy, dx);
  }

  public void scaleRows(Tensor scale, Tensor y) {
    channels(y, scale);
    device.scaleRows(scale, y);
  }

  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {
    channels(x, slope, shift);
    same(x, y);
    device.prelu(x, shift, slope, y);
  }

  public void preluBackward(
      Tensor x,
      Tensor shift,
      Tensor slope,
      Tensor dy,
      Tensor dx,
      Tensor dslope,
      boolean accumulate) {
    channels(x, slope, shift, dslope);
    same(x, dy, dx);
    with(
        dslope.label(),
        device.preluBackwardWorkspace(x.shape().rows(), x.shape().get(-1)),
        w -> device.preluBackward(x, shift, slope, dy, dx, dslope, accumulate, w));
  }

  private static void filters(Tensor weight, Tensor alpha, Tensor binary) {
    same(weight, binary);
    check(alpha.size() == weight.shape().get(0), "one scale per filter", weight, alpha);
  }

  private static void bordered(Tensor x, Tensor shift, Tensor y) {
    Shape s = x.shape();
    int border = (y.shape().get(1) - s.get(1)) / 2;
    check(border >= 0, "a border around", x, y);
    shape(Shape.of(s.get(0), s.get(1) + 2 * border, s.get(2) + 2 * border, s.get(3)), y);
    channels(x, shift);
  }

  // ---- optimizers

  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    same(gradient, parameter, momentumBuffer);
    device.sgd(step, gradient, parameter, momentumBuffer);
  }

  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    same(gradient, parameter, mean, square);
    device.adam(step, gradient, parameter, mean, square);
  }

  public void quantize(Tensor x, Quantized y) {
    coded(x, y);
    device.quantize(x, y);
  }

  public void dequantize(Quantized x, Tensor y) {
    coded(y, x);
    device.dequantize(x, y);
  }

  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentumBuffer) {
    same(gradient, parameter);
    coded(parameter, momentumBuffer);
    with(
        parameter.label(),
        device.sgdQuantizedWorkspace(parameter.size(), momentumBuffer.block()),
        w -> device.sgdQuantized(step, gradient, parameter, momentumBuffer, w));
  }

  public void adamQuantized(
      AdamStep step, Tensor gradient, Tensor parameter, Quantized mean, Quantized square) {
    same(gradient, parameter);
    coded(parameter, mean, square);
    check(mean.block() == square.block(), "adamQuantized", mean.absmax(), square.absmax());
    with(
        parameter.label(),
        device.adamQuantizedWorkspace(parameter.size(), mean.block()),
        w -> device.adamQuantized(step, gradient, parameter, mean, square, w));
  }

  // ---- checks

  private void with(String label, long workspaceBytes, Consumer<Tensor> operation) {
    int row = workspaceBytes >> 32 == 0 ? 1 : 1024; // an axis cannot be longer than an int
    int rows = Shape.axis((workspaceBytes + 4 * row - 1) / (4 * row));
    try (Tensor workspace =
        rows == 0 ? null : backend.allocate(Category.WORKSPACE, label + ".workspace", rows, row)) {
      operation.accept(workspace);
    }
  }

  private static int hostLength(Tensor x, DataType type) {
    length(x, type, x.size());
    return Shape.axis(x.size());
  }

  private static void length(Tensor x, DataType type, long length) {
    if (x.type() != type || x.size() != length) {
      throw new IllegalArgumentException(
          "%s holds %d elements of %s, not %d of %s"
              .formatted(x, x.size(), x.type(), length, type));
    }
  }

  /** Null stands for a tensor that may be left out, here and below. */
  private static void float32(Tensor x) {
    if (x != null) length(x, DataType.FLOAT32, x.size());
  }

  private static void shape(Shape expected, Tensor x) {
    float32(x);
    expect(expected, x);
  }

  private static void expect(Shape expected, Tensor x) {
    if (!x.shape().equals(expected)) {
      throw new IllegalArgumentException(x + " should have the shape " + expected);
    }
  }

  private static void same(Tensor x, Tensor... others) {
    float32(x);
    for (Tensor y : others) if (y != null) shape(x.shape(), y);
  }

  private static void coded(Tensor x, Quantized... codes) {
    float32(x);
    for (Quantized q : codes) expect(x.shape(), q.codes()); // whose types it has checked
  }

  private static void channels(Tensor x, Tensor... vectors) {
    int c = x.shape().get(-1);
    for (Tensor v : vectors) check(v == null || v.size() == c, "one value per channel", x, v);
  }

  private static void labels(Tensor x, Tensor labels) {
    float32(x);
    length(labels, DataType.INT32, x.shape().rows());
  }

  private static void pooled(Tensor x, Tensor out) {
    Shape s = x.shape();
    float32(x);
    shape(Shape.of(s.get(0), Shape.axis(2L * s.get(1) * s.get(3))), out);
  }

  private static void check(boolean ok, String what, Tensor a, Tensor b) {
    float32(a);
    float32(b);
    if (!ok) throw new IllegalArgumentException(what + ": " + a + " and " + b + " do not fit");
  }
}
