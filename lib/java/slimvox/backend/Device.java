package slimvox.backend;

import java.util.List;
import java.util.Map;
import slimvox.backend.packed.Packed;

/**
 * What a kind of hardware provides to a {@link Backend}: raw memory and the primitive operations.
 *
 * <p>Arguments have been checked by the backend: shapes fit, buffers are large enough. "Rows" are
 * all axes but the last; activations are N, H, W, C with C contiguous. Every operation says what it
 * writes; nothing else is changed. Buffers named {@code dx, dweight ...} are gradients. An
 * operation whose {@code accumulate} is true adds to its result instead of replacing it.
 *
 * <p>Operations that need scratch memory have a twin that says how many bytes; the backend
 * allocates them as {@code WORKSPACE} and passes the buffer ({@code null} where the twin says 0).
 * The same arguments always give the same bytes and, on the CPU with the same number of threads,
 * the same bits.
 */
public interface Device extends AutoCloseable {
  /** Short name: {@code cpu}, {@code cuda}, {@code dry}. */
  String name();

  /** One line about the hardware and libraries in use. */
  String description();

  /**
   * What the driver of this device counts beside the ledger, in bytes by name; empty where nothing
   * is added that is worth counting.
   *
   * <p>A GPU has {@code blocks} (asked for by us: the ledger's tensors and planned blocks), {@code
   * context} (used before the first block: context, kernels, the libraries' own), {@code driver}
   * (the driver's count of this process now), {@code card} (all processes) and {@code total}.
   */
  default Map<String, Long> driverMemory() {
    return Map.of();
  }

  /** Notes from now on how long each kernel takes; nothing where there are none. */
  default void timeKernels() {}

  /**
   * Waits for the kernels since {@link #timeKernels} and ends what it began.
   *
   * @return how long each took, the longest first; empty where there are none
   */
  default List<KernelTime> kernelTimes() {
    return List.of();
  }

  /** Packed inference; by default nothing is computed. */
  default Packed.Kernels packed() {
    return new Packed.Kernels() {};
  }

  // ---- memory

  /** Reserves bytes, aligned to {@code ArenaPlan.ALIGNMENT}; contents undefined. */
  long allocateBlock(long bytes);

  /** Returns what {@link #allocateBlock} gave. */
  void freeBlock(long address);

  /** Copies floats from the host; {@code x} is written. */
  void upload(float[] values, Tensor x);

  /** Copies ints from the host; {@code x} is written. */
  void upload(int[] values, Tensor x);

  /** Copies bytes from the host; {@code x} is written. */
  void upload(byte[] values, Tensor x);

  /** Whether {@link #stage} is of use. */
  default boolean stages() {
    return false;
  }

  /**
   * Starts to copy floats that the next {@link #upload(float[], Tensor)} will be given, while other
   * operations run; that upload then copies them from {@code buffer}. The array must not change
   * between the two.
   */
  default void stage(float[] values, Tensor buffer) {}

  /** Copies floats to the host. */
  void download(Tensor x, float[] values);

  /** Copies ints to the host. */
  void download(Tensor x, int[] values);

  /** Copies bytes to the host. */
  void download(Tensor x, byte[] values);

  // ---- elementwise

  /** x = value. */
  void fill(Tensor x, float value);

  /** y = x. */
  void copy(Tensor x, Tensor y);

  /** y = y + alpha x. */
  void addScaled(float alpha, Tensor x, Tensor y);

  /**
   * y += alpha step r, r = x / step rounded to the nearest whole number, ties to even; step is a
   * power of two, alpha 1 or -1.
   *
   * @return the largest |y|, 0 on the dry device
   */
  float addRounded(float alpha, Tensor x, float step, Tensor y);

  /**
   * The same without an answer to wait for: {@code largest}, one float32 number, becomes the larger
   * of itself and the largest |y|.
   */
  default void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    float now = addRounded(alpha, x, step, y);
    float[] before = new float[1];
    download(largest, before);
    if (now > before[0]) fill(largest, now);
  }

  /** y = max(x, 0); in place allowed. */
  void relu(Tensor x, Tensor y);

  /** dx = dy where y > 0, else 0; in place on dy allowed. */
  void reluBackward(Tensor y, Tensor dy, Tensor dx);

  /** y = tanh(x); in place allowed. */
  void tanh(Tensor x, Tensor y);

  /** dx = dy (1 - y^2); in place on dy allowed. */
  void tanhBackward(Tensor y, Tensor dy, Tensor dx);

  /** True if every element is finite. */
  boolean isFinite(Tensor x);

  /** The place of the first of these tensors with an element that is not finite; -1 if none. */
  default int firstNotFinite(List<Tensor> tensors) {
    for (int i = 0; i < tensors.size(); i++) if (!isFinite(tensors.get(i))) return i;
    return -1;
  }

  /**
   * flag = 1 if x has an element that is not finite, else as it was; one int32 number. What {@link
   * #isFinite} says, without waiting for it.
   */
  default void markNotFinite(Tensor x, Tensor flag) {
    if (!isFinite(x)) fill(flag, 1);
  }

  // ---- matrices

  /** Scratch bytes of {@link #matmul}. */
  long matmulWorkspace(boolean transposeA, boolean transposeB, int m, int n, int k);

  /**
   * c = op(a) op(b) (+ c): op(a) is m x k, op(b) is k x n, c is m x n, all row-major; op transposes
   * where asked. Tensors are seen as matrices of {@code rows x last axis}.
   */
  void matmul(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      Tensor a,
      Tensor b,
      Tensor c,
      boolean accumulate,
      Tensor workspace);

  /** Adds the vector b to each row of y. */
  void addToRows(Tensor b, Tensor y);

  /** Scratch bytes of {@link #sumRows}. */
  long sumRowsWorkspace(long rows, int columns);

  /** b = (b +) sum of the rows of y, summed in float64 or blocked float32. */
  void sumRows(Tensor y, Tensor b, boolean accumulate, Tensor workspace);

  // ---- convolution

  /** Scratch bytes of {@link #convolve}: reordered weights and the library's own scratch pad. */
  long convolveWorkspace(Convolution geometry);

  /** y = x * weight (cross-correlation, no bias). */
  void convolve(Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace);

  /**
   * Bytes of a weight in the layout that {@link #convolve} brings it into at each call; 0 where it
   * reads the weight as it is, and then the five methods below are not called.
   */
  default long laidOutBytes(Convolution geometry) {
    return 0;
  }

  /** Whether a weight laid out for one geometry serves the other. */
  default boolean sameLayout(Convolution a, Convolution b) {
    throw new UnsupportedOperationException(name() + " reads weights as they are");
  }

  /** Scratch bytes of {@link #layOut}. */
  default long layOutWorkspace(Convolution geometry) {
    throw new UnsupportedOperationException(name() + " reads weights as they are");
  }

  /** Brings a weight into the layout of the geometry, which has {@link #laidOutBytes}. */
  default void layOut(Convolution geometry, Tensor weight, Tensor laidOut, Tensor workspace) {
    throw new UnsupportedOperationException(name() + " reads weights as they are");
  }

  /** Scratch bytes of {@link #convolveLaidOut}. */
  default long convolveLaidOutWorkspace(Convolution geometry) {
    throw new UnsupportedOperationException(name() + " reads weights as they are");
  }

  /** {@link #convolve} with a weight that is laid out already: the same bits. */
  default void convolveLaidOut(
      Convolution geometry, Tensor x, Tensor laidOut, Tensor y, Tensor workspace) {
    throw new UnsupportedOperationException(name() + " reads weights as they are");
  }

  /** Whether there is {@link #convolveAdd}; else a result is added in a pass of its own. */
  default boolean addsConvolutions() {
    return false;
  }

  /** Scratch bytes of {@link #convolveAdd}. */
  default long convolveAddWorkspace(Convolution geometry) {
    throw new UnsupportedOperationException(name() + " does not add convolutions");
  }

  /** y += the convolution of x. */
  default void convolveAdd(
      Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    throw new UnsupportedOperationException(name() + " does not add convolutions");
  }

  /** Scratch bytes of {@link #convolveBackwardData}. */
  long convolveBackwardDataWorkspace(Convolution geometry);

  /** dx = dy correlated with the flipped weight. */
  void convolveBackwardData(
      Convolution geometry, Tensor dy, Tensor weight, Tensor dx, Tensor workspace);

  /** Scratch bytes of {@link #convolveBackwardWeight}. */
  long convolveBackwardWeightWorkspace(Convolution geometry);

  /** dweight = (dweight +) x correlated with dy. */
  void convolveBackwardWeight(
      Convolution geometry,
      Tensor x,
      Tensor dy,
      Tensor dweight,
      boolean accumulate,
      Tensor workspace);

  // ---- batch normalization over rows, for each of C channels

  /** Scratch bytes of {@link #batchStatistics}. */
  long batchStatisticsWorkspace(long rows, int channels);

  /**
   * mean and inverseDeviation = 1 / sqrt(biased variance + epsilon) of each channel of x, computed
   * stably (a mean far from 0 does not spoil the variance).
   */
  void batchStatistics(
      Tensor x, float epsilon, Tensor mean, Tensor inverseDeviation, Tensor workspace);

  /**
   * Moves the running statistics towards those of a batch of {@code rows} rows: running = (1 -
   * momentum) running + momentum batch, with the unbiased variance.
   */
  void updateRunningStatistics(
      Tensor mean,
      Tensor inverseDeviation,
      float epsilon,
      long rows,
      float momentum,
      Tensor runningMean,
      Tensor runningVariance);

  /** inverseDeviation = 1 / sqrt(variance + epsilon). */
  void inverseDeviation(Tensor variance, float epsilon, Tensor inverseDeviation);

  /**
   * y = act(gamma (x - mean) inverseDeviation + beta + residual), act = ReLU if asked; {@code
   * residual} may be null; y may be x.
   */
  void batchNormalize(
      Tensor x,
      Tensor mean,
      Tensor inverseDeviation,
      Tensor gamma,
      Tensor beta,
      Tensor residual,
      boolean relu,
      Tensor y);

  /** Scratch bytes of {@link #batchNormalizeBackward}. */
  long batchNormalizeBackwardWorkspace(long rows, int channels);

  /**
   * Backward of {@link #batchNormalize} with batch statistics.
   *
   * <p>With g = dy where y > 0, xhat = (x - mean) inverseDeviation and R rows: dbeta = sum g,
   * dgamma = sum g xhat, dx = gamma inverseDeviation (g - dbeta / R - xhat dgamma / R); dresidual =
   * g if it is not null. dx may be dy if {@code dresidual} is null; dresidual may be dy. {@code
   * accumulate} concerns dgamma and dbeta only.
   *
   * @param y the output if a ReLU followed; null if none did, or if y is to be computed again
   * @param beta not null if y is to be computed again, with the rounding of {@link
   *     #batchNormalize}; there was a ReLU then, and no residual
   */
  void batchNormalizeBackward(
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
      Tensor dx,
      Tensor workspace);

  // ---- rearrangement

  /** part = the channels of x from {@code first} on, as many as part has. */
  void takeChannels(Tensor x, int first, Tensor part);

  /** The channels of y from {@code first} on = part. */
  void putChannels(Tensor part, int first, Tensor y);

  /**
   * y[n, h, w, (2 i + j) C + c] = x[n, 2 h + i, 2 w + j, c]: N x H x W x C to N x H/2 x W/2 x 4C.
   */
  void spaceToDepth(Tensor x, Tensor y);

  /** x from y: the inverse of {@link #spaceToDepth}. */
  void depthToSpace(Tensor y, Tensor x);

  // ---- pooling; D = C * H, feature c * H + h as in WeSpeaker's flattened B x C x F x T

  /**
   * out = (mean, sqrt(unbiased variance + floor)) over frames: x N x H x W x C, out N x 2D. One
   * frame gives NaN deviations, as in PyTorch.
   */
  void statisticsPooling(Tensor x, float floor, Tensor out);

  /** dx from dout; {@code out} is what the forward pass gave. */
  void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx);

  /** y N x W x D from x N x H x W x C. */
  void framesFirst(Tensor x, Tensor y);

  /** dx N x H x W x C (+)= dy N x W x D: the inverse of {@link #framesFirst}. */
  void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate);

  /** y = softmax of x over the frames (axis 1 of N x W x D), each of D columns by itself. */
  void softmaxOverFrames(Tensor x, Tensor y);

  /** dx = y (dy - sum over frames of y dy). */
  void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx);

  /**
   * out N x 2D = (m, sqrt(max(sum alpha x^2 - m^2, floor))), m = sum alpha x, over the frames of x
   * and alpha, N x W x D.
   */
  void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out);

  /** dx and dalpha from dout; where the floor was taken, the deviation has no gradient. */
  void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha);

  // ---- angular margin

  /** y = x / max(|x|, 1e-12) for each row; inverseNorm gets 1 / max(|x|, 1e-12). */
  void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm);

  /** dx = (dy - y (y . dy)) inverseNorm for each row; in place on dy allowed. */
  void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx);

  /** out = x . y for each row. */
  void dotRows(Tensor x, Tensor y, Tensor out);

  /**
   * Logits of additive angular margin, see {@link AngularMargin}: s phi(cos) for the label's
   * column, s cos elsewhere. {@code logits} may be {@code cosine}.
   */
  void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits);

  /** dcosine = dlogits s phi'(cos) or dlogits s; in place on dlogits allowed. */
  void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine);

  /**
   * Softmax cross entropy: loss of each row, and dlogits = (softmax - one-hot) / rows; in place on
   * logits allowed.
   */
  void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits);

  /** index = column of the largest element of each row, the first of equals. */
  void largestInRow(Tensor x, Tensor index);

  // ---- binary networks; sign(0) = sign(-0) = +1, NaN stays NaN

  /**
   * alpha[o] = mean |W[o, ...]| and binary = alpha sign(W), or sign(W) if not {@code scaled}:
   * weight and binary O x ..., alpha O.
   */
  void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary);

  /**
   * dweight = (dweight +) the gradient of the real weights from that of alpha sign(W), see {@link
   * BinaryGradient}; dweight may be dbinary.
   */
  void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate);

  /**
   * y = sign(x + shift) with a border of +1: x N x H x W x C, shift C or null for 0, y N x (H + 2
   * p) x (W + 2 p) x C, p taken from the shapes.
   */
  void signActivation(Tensor x, Tensor shift, Tensor y);

  /**
   * dx = dy max(0, 2 - 2 |x + shift|): ApproxSign, the derivative of the parabolas that stand in
   * for sign (Bi-Real Net, arXiv 1808.00278); dy has the border, which is left out.
   */
  void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx);

  /** Each row of y times the vector {@code scale}. */
  void scaleRows(Tensor scale, Tensor y);

  /** y = z where z = x + shift is above 0, else slope z; shift C or null for 0; y may be x. */
  void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y);

  /** Scratch bytes of {@link #preluBackward}. */
  long preluBackwardWorkspace(long rows, int channels);

  /**
   * Backward of {@link #prelu}: dx = dy where z > 0, else slope dy; dslope = (dslope +) sum over
   * the rows of dy z where z &lt;= 0, summed as in {@link #sumRows}. dx may be dy.
   */
  void preluBackward(
      Tensor x,
      Tensor shift,
      Tensor slope,
      Tensor dy,
      Tensor dx,
      Tensor dslope,
      boolean accumulate,
      Tensor workspace);

  // ---- optimizers

  /**
   * One step of SGD on parameter (and momentum buffer, null if momentum is 0), see {@link SgdStep}.
   */
  void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer);

  /** One step of Adam or AdamW on parameter and both moments, see {@link AdamStep}. */
  void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square);

  /** Codes and scales of y from the float32 numbers x, see {@link Quantized}. */
  void quantize(Tensor x, Quantized y);

  /** y = the float32 numbers that x stands for. */
  void dequantize(Quantized x, Tensor y);

  /** Bytes of workspace of {@link #sgdQuantized} for a parameter of so many elements. */
  long sgdQuantizedWorkspace(long size, int block);

  /**
   * {@link #sgd} with a quantized momentum buffer, in one pass: the parameter moves along the new
   * buffer before that is quantized again.
   */
  void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentumBuffer, Tensor workspace);

  /** Bytes of workspace of {@link #adamQuantized} for a parameter of so many elements. */
  long adamQuantizedWorkspace(long size, int block);

  /**
   * {@link #adam} with quantized moments, which have the same block size, in one pass: the
   * parameter moves along the new moments before they are quantized again.
   */
  void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace);

  @Override
  void close();
}
