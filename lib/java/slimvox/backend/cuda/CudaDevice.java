package slimvox.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import slimvox.backend.AdamStep;
import slimvox.backend.AngularMargin;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Convolution;
import slimvox.backend.Device;
import slimvox.backend.KernelTime;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.driver.Hardware;
import slimvox.backend.cuda.kernels.BatchNormKernels;
import slimvox.backend.cuda.kernels.BinaryKernels;
import slimvox.backend.cuda.kernels.ColumnSums;
import slimvox.backend.cuda.kernels.Convolutions;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.ElementwiseKernels;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.MarginKernels;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.OptimizerKernels;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.backend.cuda.kernels.PoolingKernels;
import slimvox.backend.cuda.kernels.QuantizedKernels;
import slimvox.backend.cuda.kernels.RearrangementKernels;
import slimvox.backend.packed.Packed;

/**
 * An NVIDIA card: every operation of {@link Device} as launches of the kernels of lib/cuda.
 *
 * <p>It knows nothing of how memory is reserved and kernels are started ({@link DeviceMemory},
 * {@link Launcher}), so that the same code runs in tests on a machine without a card. Operations
 * are queued; only downloads and {@link #firstNotFinite} wait. Nothing is summed with atomics: the
 * same calls give the same bits on the same card.
 *
 * <p>Outside what {@link #allocateBlock} gives, 256 bytes for the answer of {@link #firstNotFinite}
 * and 1 KiB for each code book are reserved. A label that is no class makes its row's loss NaN,
 * where the CPU throws.
 */
public final class CudaDevice implements Device {
  private final String description;
  private final DeviceMemory memory;
  private final MatrixProducts products;
  private final Convolutions convolutions;
  private final Hardware hardware;
  private final ElementwiseKernels elementwise;
  private final BatchNormKernels batchNorm;
  private final BinaryKernels signs;
  private final RearrangementKernels rearrangement;
  private final PoolingKernels pooling;
  private final MarginKernels angularMargin;
  private final OptimizerKernels optimizers;
  private final QuantizedKernels quantized;
  private final PackedKernels packed;
  private boolean closed;

  /**
   * A card.
   *
   * @param description one line about card and libraries
   * @param hardware what the parts run on; closed with the device
   */
  CudaDevice(
      String description,
      DeviceMemory memory,
      Launcher launcher,
      MatrixProducts products,
      Convolutions convolutions,
      Hardware hardware) {
    this.description = description;
    this.memory = memory;
    this.products = products;
    this.convolutions = convolutions;
    this.hardware = hardware;
    elementwise = new ElementwiseKernels(launcher, memory);
    batchNorm = new BatchNormKernels(launcher);
    signs = new BinaryKernels(launcher);
    rearrangement = new RearrangementKernels(launcher);
    pooling = new PoolingKernels(launcher);
    angularMargin = new MarginKernels(launcher);
    optimizers = new OptimizerKernels(launcher);
    quantized = new QuantizedKernels(launcher, memory);
    packed = new PackedKernels(launcher);
  }

  @Override
  public Packed.Kernels packed() {
    return packed;
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public Map<String, Long> driverMemory() {
    return hardware.driverMemory();
  }

  @Override
  public void timeKernels() {
    hardware.timeKernels();
  }

  @Override
  public List<KernelTime> kernelTimes() {
    return hardware.kernelTimes();
  }

  private static long address(Tensor workspace) {
    return workspace == null ? 0 : workspace.address();
  }

  // ---- memory

  @Override
  public long allocateBlock(long bytes) {
    return memory.allocate(bytes);
  }

  @Override
  public void freeBlock(long address) {
    memory.free(address);
  }

  @Override
  public boolean stages() {
    return memory.stages();
  }

  @Override
  public void stage(float[] values, Tensor buffer) {
    memory.stage(values, buffer.address());
  }

  @Override
  public void upload(float[] values, Tensor x) {
    if (memory.takeStaged(values, x.address())) return;
    memory.upload(MemorySegment.ofArray(values), x.address());
  }

  @Override
  public void upload(int[] values, Tensor x) {
    memory.upload(MemorySegment.ofArray(values), x.address());
  }

  @Override
  public void upload(byte[] values, Tensor x) {
    memory.upload(MemorySegment.ofArray(values), x.address());
  }

  @Override
  public void download(Tensor x, float[] values) {
    memory.download(x.address(), MemorySegment.ofArray(values));
  }

  @Override
  public void download(Tensor x, int[] values) {
    memory.download(x.address(), MemorySegment.ofArray(values));
  }

  @Override
  public void download(Tensor x, byte[] values) {
    memory.download(x.address(), MemorySegment.ofArray(values));
  }

  // ---- elementwise
  @Override
  public void fill(Tensor x, float value) {
    elementwise.fill(x, value);
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    memory.copy(x.address(), y.address(), x.bytes());
  }

  @Override
  public void axpy(float alpha, Tensor x, Tensor y) {
    elementwise.addScaled(alpha, x, y);
  }

  @Override
  public void relu(Tensor x, Tensor y) {
    elementwise.relu(x, y);
  }

  @Override
  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {
    elementwise.reluBackward(y, dy, dx);
  }

  @Override
  public void tanh(Tensor x, Tensor y) {
    elementwise.tanh(x, y);
  }

  @Override
  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {
    elementwise.tanhBackward(y, dy, dx);
  }

  @Override
  public int firstNotFinite(List<Tensor> tensors) {
    return elementwise.firstNotFinite(tensors);
  }

  @Override
  public void markNotFinite(Tensor x, Tensor flag) {
    elementwise.markNotFinite(x, flag.address());
  }

  // ---- matrices
  @Override
  public long matmulWorkspace(Product p) {
    return products.workspace(p.transposeA(), p.transposeB(), p.m(), p.n(), p.k());
  }

  @Override
  public void matmul(
      Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
    products.multiply(
        p.transposeA(),
        p.transposeB(),
        p.m(),
        p.n(),
        p.k(),
        a.address(),
        b.address(),
        c.address(),
        accumulate,
        address(workspace));
  }

  @Override
  public void addToRows(Tensor b, Tensor y) {
    elementwise.addToRows(b, y);
  }

  @Override
  public long columnSumsWorkspace(long rows, int columns) {
    return ColumnSums.workspace(rows, columns);
  }

  @Override
  public void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {
    elementwise.sumRows(y, b, accumulate, workspace);
  }

  // ---- convolution
  @Override
  public long forwardWorkspace(Convolution geometry) {
    return convolutions.forwardWorkspace(geometry);
  }

  @Override
  public void forward(Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    convolutions.forward(
        geometry, x.address(), weight.address(), y.address(), false, address(workspace));
  }

  @Override
  public long forwardAddWorkspace(Convolution geometry) {
    return convolutions.forwardWorkspace(geometry);
  }

  @Override
  public void forwardAdd(
      Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    convolutions.forward(
        geometry, x.address(), weight.address(), y.address(), true, address(workspace));
  }

  @Override
  public long backwardDataWorkspace(Convolution geometry) {
    return convolutions.backwardDataWorkspace(geometry);
  }

  @Override
  public void backwardData(
      Convolution geometry, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {
    convolutions.backwardData(
        geometry, dy.address(), weight.address(), dx.address(), address(workspace));
  }

  @Override
  public long backwardWeightWorkspace(Convolution geometry) {
    return convolutions.backwardWeightWorkspace(geometry);
  }

  @Override
  public void backwardWeight(
      Convolution geometry,
      Tensor x,
      Tensor dy,
      Tensor dweight,
      boolean accumulate,
      Tensor workspace) {
    convolutions.backwardWeight(
        geometry, x.address(), dy.address(), dweight.address(), accumulate, address(workspace));
  }

  // ---- batch normalization over rows, for each of C channels
  @Override
  public long batchStatisticsWorkspace(long rows, int channels) {
    return BatchNormKernels.statisticsWorkspace(rows, channels);
  }

  @Override
  public void batchStatistics(
      Tensor x, float epsilon, Tensor mean, Tensor inverseDeviation, Tensor workspace) {
    batchNorm.batchStatistics(x, epsilon, mean, inverseDeviation, workspace);
  }

  @Override
  public void updateRunningStatistics(
      Tensor mean,
      Tensor inverseDeviation,
      float epsilon,
      long rows,
      float momentum,
      Tensor runningMean,
      Tensor runningVariance) {
    batchNorm.updateRunningStatistics(
        mean, inverseDeviation, epsilon, rows, momentum, runningMean, runningVariance);
  }

  @Override
  public void invStdOf(Tensor variance, float epsilon, Tensor inverseDeviation) {
    batchNorm.inverseDeviation(variance, epsilon, inverseDeviation);
  }

  @Override
  public void batchNormalize(Tensor x, Channels c, Tensor residual, boolean relu, Tensor y) {
    batchNorm.batchNormalize(x, c.mean(), c.invStd(), c.gamma(), c.beta(), residual, relu, y);
  }

  @Override
  public long batchNormalizeBackwardWorkspace(long rows, int channels) {
    return BatchNormKernels.backwardWorkspace(rows, channels);
  }

  @Override
  public void batchNormalizeBackward(
      Tensor x,
      Tensor y,
      Tensor dy,
      Channels c,
      Tensor dgamma,
      Tensor dbeta,
      boolean accumulate,
      Tensor dresidual,
      Tensor dx,
      Tensor workspace) {
    batchNorm.batchNormalizeBackward(
        x,
        y,
        dy,
        c.mean(),
        c.invStd(),
        c.gamma(),
        c.beta(),
        dgamma,
        dbeta,
        accumulate,
        dresidual,
        dx,
        workspace);
  }

  // ---- pooling; D = C * H, feature c * H + h as in WeSpeaker's flattened B x C x F x T
  @Override
  public void sliceChannels(Tensor x, int first, Tensor part) {
    rearrangement.takeChannels(x, first, part);
  }

  @Override
  public void writeChannels(Tensor part, int first, Tensor y) {
    rearrangement.putChannels(part, first, y);
  }

  @Override
  public void spaceToDepth(Tensor x, Tensor y) {
    rearrangement.spaceToDepth(x, y);
  }

  @Override
  public void depthToSpace(Tensor y, Tensor x) {
    rearrangement.depthToSpace(y, x);
  }

  @Override
  public void statisticsPooling(Tensor x, float floor, Tensor out) {
    pooling.statisticsPooling(x, floor, out);
  }

  @Override
  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {
    pooling.statisticsPoolingBackward(x, out, dout, dx);
  }

  @Override
  public void framesFirst(Tensor x, Tensor y) {
    rearrangement.framesFirst(x, y);
  }

  @Override
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    rearrangement.framesFirstBackward(dy, dx, accumulate);
  }

  @Override
  public void softmaxOverFrames(Tensor x, Tensor y) {
    pooling.softmaxOverFrames(x, y);
  }

  @Override
  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    pooling.softmaxOverFramesBackward(y, dy, dx);
  }

  @Override
  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    pooling.weightedStatistics(x, alpha, floor, out);
  }

  @Override
  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {
    pooling.weightedStatisticsBackward(x, alpha, out, floor, dout, dx, dalpha);
  }

  // ---- angular margin
  @Override
  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {
    angularMargin.normalizeRows(x, y, inverseNorm);
  }

  @Override
  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {
    angularMargin.normalizeRowsBackward(y, inverseNorm, dy, dx);
  }

  @Override
  public void rowwiseDot(Tensor x, Tensor y, Tensor out) {
    angularMargin.dotRows(x, y, out);
  }

  @Override
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {
    angularMargin.marginLogits(cosine, labels, margin, logits);
  }

  @Override
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {
    angularMargin.marginLogitsBackward(cosine, labels, margin, dlogits, dcosine);
  }

  @Override
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {
    angularMargin.softmaxCrossEntropy(logits, labels, loss, dlogits);
  }

  @Override
  public void argmaxRows(Tensor x, Tensor index) {
    angularMargin.largestInRow(x, index);
  }

  @Override
  public void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    elementwise.addRounded(alpha, x, step, y, largest == null ? 0 : largest.address());
  }

  // ---- binary networks

  @Override
  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    signs.binarizeFilters(weight, scaled, alpha, binary);
  }

  @Override
  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    signs.binarizeFiltersBackward(weight, alpha, gradient, dbinary, dweight, accumulate);
  }

  @Override
  public void signActivation(Tensor x, Tensor shift, Tensor y) {
    signs.signActivation(x, shift, y);
  }

  @Override
  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {
    signs.signActivationBackward(x, shift, dy, dx);
  }

  @Override
  public void scaleRows(Tensor scale, Tensor y) {
    signs.scaleRows(scale, y);
  }

  @Override
  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {
    signs.prelu(x, shift, slope, y);
  }

  @Override
  public long preluBackwardWorkspace(long rows, int channels) {
    return ColumnSums.workspace(rows, channels);
  }

  @Override
  public void preluBackward(
      Tensor x,
      Tensor shift,
      Tensor slope,
      Tensor dy,
      Tensor dx,
      Tensor dslope,
      boolean accumulate,
      Tensor workspace) {
    signs.preluBackward(x, shift, slope, dy, dx, dslope, accumulate, workspace);
  }

  // ---- optimizers
  @Override
  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {
    optimizers.sgd(step, gradient, parameter, momentumBuffer);
  }

  @Override
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {
    optimizers.adam(step, gradient, parameter, mean, square);
  }

  @Override
  public void quantize(Tensor x, Quantized y) {
    quantized.quantize(x, y);
  }

  @Override
  public void dequantize(Quantized x, Tensor y) {
    quantized.dequantize(x, y);
  }

  @Override
  public long sgdQuantizedWorkspace(long size, int block) {
    return 0;
  }

  @Override
  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentumBuffer, Tensor workspace) {
    quantized.sgd(step, gradient, parameter, momentumBuffer);
  }

  @Override
  public long adamQuantizedWorkspace(long size, int block) {
    return 0;
  }

  @Override
  public void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    quantized.adam(step, gradient, parameter, mean, square);
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    elementwise.close();
    quantized.close();
    hardware.close();
  }
}
