package slimvox.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import slimvox.backend.AdamStep;
import slimvox.backend.AngularMargin;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Convolution;
import slimvox.backend.Device;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Quantized;
import slimvox.backend.SgdStep;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.kernels.AttentivePooling;
import slimvox.backend.cpu.kernels.BatchNorm;
import slimvox.backend.cpu.kernels.BinaryFilters;
import slimvox.backend.cpu.kernels.ChannelActivations;
import slimvox.backend.cpu.kernels.Elementwise;
import slimvox.backend.cpu.kernels.Margin;
import slimvox.backend.cpu.kernels.Pooling;
import slimvox.backend.cpu.kernels.Rearrangement;
import slimvox.backend.cpu.onednn.OneDnn;
import slimvox.backend.cpu.optim.BlockwiseCodes;
import slimvox.backend.cpu.optim.Optimizers;
import slimvox.backend.cpu.optim.QuantizedOptimizers;
import slimvox.backend.cpu.packed.CpuPacked;
import slimvox.backend.packed.Packed;
import slimvox.storage.InputException;

/**
 * The processor: oneDNN for convolutions and matrix products, the Vector API for everything else,
 * both on the same OpenMP threads.
 *
 * <p>With the same number of threads the same calls give the same bits. One thread at a time may
 * use a device.
 */
public final class CpuDevice implements Device {
  private static final String VECTOR_MODULE = "jdk.incubator.vector";

  private final OneDnn oneDnn;
  private final Parallel parallel;
  private final HostMemory memory;
  private final Elementwise elementwise;
  private final BatchNorm batchNorm;
  private final Rearrangement rearrangement;
  private final Pooling pooling;
  private final AttentivePooling attentivePooling;
  private final Margin angularMargin;
  private final BinaryFilters binaryFilters;
  private final ChannelActivations channelActivations;
  private final Optimizers optimizers;
  private final BlockwiseCodes blockwise;
  private final QuantizedOptimizers quantizedOptimizers;
  private boolean closed;

  private CpuDevice(int threads) {
    oneDnn = OneDnn.open(threads);
    parallel = oneDnn.parallel();
    memory = new HostMemory(parallel);
    elementwise = new Elementwise(parallel);
    batchNorm = new BatchNorm(parallel);
    rearrangement = new Rearrangement(parallel);
    pooling = new Pooling(parallel);
    attentivePooling = new AttentivePooling(parallel);
    angularMargin = new Margin(parallel);
    binaryFilters = new BinaryFilters(parallel);
    channelActivations = new ChannelActivations(parallel);
    optimizers = new Optimizers(parallel);
    blockwise = new BlockwiseCodes(parallel);
    quantizedOptimizers = new QuantizedOptimizers(parallel, blockwise);
  }

  /**
   * Opens the processor.
   *
   * @param threads how many threads to use; 0 for one per core
   * @throws InputException if the number is negative or the JVM runs without the Vector API
   */
  public static CpuDevice open(int threads) {
    if (threads < 0) {
      throw new InputException("threads: " + threads + " is negative; 0 means one per core");
    }
    // Checked before any class is loaded that mentions a vector.
    if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
      throw new InputException(
          "the CPU backend needs the Vector API: start Java with --add-modules=" + VECTOR_MODULE);
    }
    return new CpuDevice(threads == 0 ? Runtime.getRuntime().availableProcessors() : threads);
  }

  /** The threads that the operations run on, for kernels of other packages. */
  public Parallel parallel() {
    return parallel;
  }

  /** The library behind convolutions and matrix products. */
  public OneDnn oneDnn() {
    return oneDnn;
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "oneDNN %s, %d %s (%s), vectors of %d bits"
        .formatted(
            oneDnn.version(),
            parallel.threads(),
            parallel.threads() == 1 ? "thread" : "threads",
            parallel.kind(),
            Lanes.FLOATS.vectorBitSize());
  }

  @Override
  public Packed.Kernels packed() {
    return new CpuPacked(parallel);
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
  public void upload(float[] values, Tensor x) {
    MemorySegment.copy(values, 0, Lanes.ALL, ValueLayout.JAVA_FLOAT, x.address(), values.length);
  }

  @Override
  public void upload(int[] values, Tensor x) {
    MemorySegment.copy(values, 0, Lanes.ALL, ValueLayout.JAVA_INT, x.address(), values.length);
  }

  @Override
  public void upload(byte[] values, Tensor x) {
    MemorySegment.copy(values, 0, Lanes.ALL, ValueLayout.JAVA_BYTE, x.address(), values.length);
  }

  @Override
  public void download(Tensor x, float[] values) {
    MemorySegment.copy(Lanes.ALL, ValueLayout.JAVA_FLOAT, x.address(), values, 0, values.length);
  }

  @Override
  public void download(Tensor x, int[] values) {
    MemorySegment.copy(Lanes.ALL, ValueLayout.JAVA_INT, x.address(), values, 0, values.length);
  }

  @Override
  public void download(Tensor x, byte[] values) {
    MemorySegment.copy(Lanes.ALL, ValueLayout.JAVA_BYTE, x.address(), values, 0, values.length);
  }

  // ---- elementwise
  @Override
  public void fill(Tensor x, float value) {
    elementwise.fill(x, value);
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    elementwise.copy(x, y);
  }

  @Override
  public void axpy(float alpha, Tensor x, Tensor y) {
    elementwise.addScaled(alpha, x, y);
  }

  @Override
  public void addRounded(float alpha, Tensor x, float step, Tensor y, Tensor largest) {
    float now = elementwise.addRounded(alpha, x, step, y);
    if (largest == null) return;
    float[] before = new float[1];
    download(largest, before);
    if (Float.compare(now, before[0]) > 0) fill(largest, now); // NaN is above all
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
    for (int i = 0; i < tensors.size(); i++) if (!elementwise.isFinite(tensors.get(i))) return i;
    return -1;
  }

  @Override
  public void markNotFinite(Tensor x, Tensor flag) {
    if (!elementwise.isFinite(x)) fill(flag, 1);
  }

  // ---- matrices
  @Override
  public long matmulWorkspace(Product p) {
    return oneDnn.matmulWorkspace(p.transposeA(), p.transposeB(), p.m(), p.n(), p.k());
  }

  @Override
  public void matmul(
      Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
    oneDnn.matmul(
        p.transposeA(), p.transposeB(), p.m(), p.n(), p.k(), a, b, c, accumulate, workspace);
  }

  @Override
  public void addToRows(Tensor b, Tensor y) {
    elementwise.addToRows(b, y);
  }

  @Override
  public long columnSumsWorkspace(long rows, int columns) {
    return 0; // tables of a few KiB on the Java heap
  }

  @Override
  public void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {
    elementwise.sumRows(y, b, accumulate);
  }

  // ---- convolution
  @Override
  public long forwardWorkspace(Convolution geometry) {
    return oneDnn.convolveWorkspace(geometry);
  }

  @Override
  public void forward(Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    oneDnn.convolve(geometry, x, weight, y, workspace);
  }

  @Override
  public long prepackedBytes(Convolution geometry) {
    return oneDnn.laidOutBytes(geometry);
  }

  @Override
  public boolean sameLayout(Convolution a, Convolution b) {
    return oneDnn.sameLayout(a, b);
  }

  @Override
  public long prepackWorkspace(Convolution geometry) {
    return oneDnn.layOutWorkspace(geometry);
  }

  @Override
  public void prepack(Convolution geometry, Tensor weight, Tensor laidOut, Tensor workspace) {
    oneDnn.layOut(geometry, weight, laidOut, workspace);
  }

  @Override
  public long forwardPrepackedWorkspace(Convolution geometry) {
    return oneDnn.convolveLaidOutWorkspace(geometry);
  }

  @Override
  public void forwardPrepacked(
      Convolution geometry, Tensor x, Tensor laidOut, Tensor y, Tensor workspace) {
    oneDnn.convolveLaidOut(geometry, x, laidOut, y, workspace);
  }

  @Override
  public long forwardAddWorkspace(Convolution geometry) {
    return oneDnn.convolveAddWorkspace(geometry);
  }

  @Override
  public void forwardAdd(
      Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    oneDnn.convolveAdd(geometry, x, weight, y, workspace);
  }

  @Override
  public long backwardDataWorkspace(Convolution geometry) {
    return oneDnn.convolveBackwardDataWorkspace(geometry);
  }

  @Override
  public void backwardData(
      Convolution geometry, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {
    oneDnn.convolveBackwardData(geometry, dy, weight, dx, workspace);
  }

  @Override
  public long backwardWeightWorkspace(Convolution geometry) {
    return oneDnn.convolveBackwardWeightWorkspace(geometry);
  }

  @Override
  public void backwardWeight(
      Convolution geometry,
      Tensor x,
      Tensor dy,
      Tensor dweight,
      boolean accumulate,
      Tensor workspace) {
    oneDnn.convolveBackwardWeight(geometry, x, dy, dweight, accumulate, workspace);
  }

  // ---- batch normalization over rows, for each of C channels
  @Override
  public long batchStatisticsWorkspace(long rows, int channels) {
    return 0; // tables of a few KiB on the Java heap
  }

  @Override
  public void batchStatistics(
      Tensor x, float epsilon, Tensor mean, Tensor inverseDeviation, Tensor workspace) {
    batchNorm.batchStatistics(x, epsilon, mean, inverseDeviation);
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
    return 0; // tables of a few KiB on the Java heap
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
        dx);
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
    pooling.framesFirst(x, y);
  }

  @Override
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    pooling.framesFirstBackward(dy, dx, accumulate);
  }

  @Override
  public void softmaxOverFrames(Tensor x, Tensor y) {
    attentivePooling.softmaxOverFrames(x, y);
  }

  @Override
  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {
    attentivePooling.softmaxOverFramesBackward(y, dy, dx);
  }

  @Override
  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {
    attentivePooling.weightedStatistics(x, alpha, floor, out);
  }

  @Override
  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {
    attentivePooling.weightedStatisticsBackward(x, alpha, out, floor, dout, dx, dalpha);
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

  // ---- binary networks
  @Override
  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    binaryFilters.binarize(weight, scaled, alpha, binary);
  }

  @Override
  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    binaryFilters.backward(weight, alpha, gradient, dbinary, dweight, accumulate);
  }

  @Override
  public void signActivation(Tensor x, Tensor shift, Tensor y) {
    channelActivations.signActivation(x, shift, y);
  }

  @Override
  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {
    channelActivations.signActivationBackward(x, shift, dy, dx);
  }

  @Override
  public void scaleRows(Tensor scale, Tensor y) {
    channelActivations.scaleRows(scale, y);
  }

  @Override
  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {
    channelActivations.prelu(x, shift, slope, y);
  }

  @Override
  public long preluBackwardWorkspace(long rows, int channels) {
    return 0; // tables of a few KiB on the Java heap
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
    channelActivations.preluBackward(x, shift, slope, dy, dx, dslope, accumulate);
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
    blockwise.quantize(x, y);
  }

  @Override
  public void dequantize(Quantized x, Tensor y) {
    blockwise.dequantize(x, y);
  }

  @Override
  public long sgdQuantizedWorkspace(long size, int block) {
    return quantizedOptimizers.workspace(1, size, block);
  }

  @Override
  public void sgdQuantized(
      SgdStep step, Tensor gradient, Tensor parameter, Quantized momentumBuffer, Tensor workspace) {
    quantizedOptimizers.sgd(step, gradient, parameter, momentumBuffer, workspace);
  }

  @Override
  public long adamQuantizedWorkspace(long size, int block) {
    return quantizedOptimizers.workspace(2, size, block);
  }

  @Override
  public void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {
    quantizedOptimizers.adam(step, gradient, parameter, mean, square, workspace);
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    memory.freeAll();
    oneDnn.close();
  }
}
