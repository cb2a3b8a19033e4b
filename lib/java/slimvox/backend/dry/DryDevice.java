package slimvox.backend.dry;

import java.util.Arrays;
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
import slimvox.backend.packed.Packed;

/**
 * No arithmetic and no memory: only shapes and the ledger.
 *
 * <p>The same code that trains runs on it in milliseconds at any size, and leaves the same ledger.
 * Workspaces are the other device's own affair, so a dry device asks one for their sizes, or counts
 * none.
 */
public final class DryDevice implements Device {
  private final Device sizes;
  private long multiplyAdds;

  /** Counts no workspaces. */
  public DryDevice() {
    this(null);
  }

  /** Counts the workspaces that {@code sizes} would use; nothing is run on it. */
  public DryDevice(Device sizes) {
    this.sizes = sizes;
  }

  /** Multiply-adds of the convolutions (forward) and matrix products asked for so far. */
  public long multiplyAdds() {
    return multiplyAdds;
  }

  @Override
  public String name() {
    return "dry";
  }

  @Override
  public String description() {
    return sizes == null ? "shapes and ledger only" : "shapes and ledger of " + sizes.name();
  }

  @Override
  public Packed.Kernels packed() {
    return sizes == null ? Device.super.packed() : Packed.dry(sizes.packed());
  }

  @Override
  public boolean stages() {
    return sizes != null && sizes.stages();
  }

  @Override
  public long allocateBlock(long bytes) {
    return 0;
  }

  @Override
  public void freeBlock(long address) {}

  @Override
  public void upload(float[] values, Tensor x) {}

  @Override
  public void upload(int[] values, Tensor x) {}

  @Override
  public void upload(byte[] values, Tensor x) {}

  @Override
  public void download(Tensor x, float[] values) {
    Arrays.fill(values, 0);
  }

  @Override
  public void download(Tensor x, int[] values) {
    Arrays.fill(values, 0);
  }

  @Override
  public void download(Tensor x, byte[] values) {
    Arrays.fill(values, (byte) 0);
  }

  @Override
  public void fill(Tensor x, float value) {}

  @Override
  public void copy(Tensor x, Tensor y) {}

  @Override
  public void axpy(float alpha, Tensor x, Tensor y) {}

  @Override
  public void relu(Tensor x, Tensor y) {}

  @Override
  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {}

  @Override
  public void tanh(Tensor x, Tensor y) {}

  @Override
  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {}

  @Override
  public long matmulWorkspace(Product p) {
    return sizes == null ? 0 : sizes.matmulWorkspace(p);
  }

  @Override
  public void matmul(
      Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
    multiplyAdds += (long) p.m() * p.n() * p.k();
  }

  @Override
  public void addToRows(Tensor b, Tensor y) {}

  @Override
  public long columnSumsWorkspace(long rows, int columns) {
    return sizes == null ? 0 : sizes.columnSumsWorkspace(rows, columns);
  }

  @Override
  public void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {}

  @Override
  public long forwardWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.forwardWorkspace(geometry);
  }

  @Override
  public void forward(Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    multiplyAdds += geometry.multiplyAdds();
  }

  @Override
  public long prepackedBytes(Convolution geometry) {
    return sizes == null ? 0 : sizes.prepackedBytes(geometry);
  }

  @Override
  public boolean sameLayout(Convolution a, Convolution b) {
    return sizes.sameLayout(a, b);
  }

  @Override
  public long prepackWorkspace(Convolution geometry) {
    return sizes.prepackWorkspace(geometry);
  }

  @Override
  public void prepack(Convolution geometry, Tensor weight, Tensor laidOut, Tensor workspace) {}

  @Override
  public long forwardPrepackedWorkspace(Convolution geometry) {
    return sizes.forwardPrepackedWorkspace(geometry);
  }

  @Override
  public void forwardPrepacked(
      Convolution geometry, Tensor x, Tensor laidOut, Tensor y, Tensor workspace) {
    multiplyAdds += geometry.multiplyAdds();
  }

  @Override
  public long backwardDataWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.backwardDataWorkspace(geometry);
  }

  @Override
  public long forwardAddWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.forwardAddWorkspace(geometry);
  }

  @Override
  public void forwardAdd(
      Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    multiplyAdds += geometry.multiplyAdds();
  }

  @Override
  public void backwardData(
      Convolution geometry, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {}

  @Override
  public long backwardWeightWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.backwardWeightWorkspace(geometry);
  }

  @Override
  public void backwardWeight(
      Convolution geometry,
      Tensor x,
      Tensor dy,
      Tensor dweight,
      boolean accumulate,
      Tensor workspace) {}

  @Override
  public long batchStatisticsWorkspace(long rows, int channels) {
    return sizes == null ? 0 : sizes.batchStatisticsWorkspace(rows, channels);
  }

  @Override
  public void batchStatistics(
      Tensor x, float epsilon, Tensor mean, Tensor inverseDeviation, Tensor workspace) {}

  @Override
  public void updateRunningStatistics(
      Tensor mean,
      Tensor inverseDeviation,
      float epsilon,
      long rows,
      float momentum,
      Tensor runningMean,
      Tensor runningVariance) {}

  @Override
  public void invStdOf(Tensor variance, float epsilon, Tensor inverseDeviation) {}

  @Override
  public void batchNormalize(Tensor x, Channels c, Tensor residual, boolean relu, Tensor y) {}

  @Override
  public long batchNormalizeBackwardWorkspace(long rows, int channels) {
    return sizes == null ? 0 : sizes.batchNormalizeBackwardWorkspace(rows, channels);
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
      Tensor workspace) {}

  @Override
  public void sliceChannels(Tensor x, int first, Tensor part) {}

  @Override
  public void writeChannels(Tensor part, int first, Tensor y) {}

  @Override
  public void spaceToDepth(Tensor x, Tensor y) {}

  @Override
  public void depthToSpace(Tensor y, Tensor x) {}

  @Override
  public void statisticsPooling(Tensor x, float floor, Tensor out) {}

  @Override
  public void statisticsPoolingBackward(Tensor x, Tensor out, Tensor dout, Tensor dx) {}

  @Override
  public void framesFirst(Tensor x, Tensor y) {}

  @Override
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {}

  @Override
  public void softmaxOverFrames(Tensor x, Tensor y) {}

  @Override
  public void softmaxOverFramesBackward(Tensor y, Tensor dy, Tensor dx) {}

  @Override
  public void weightedStatistics(Tensor x, Tensor alpha, float floor, Tensor out) {}

  @Override
  public void weightedStatisticsBackward(
      Tensor x, Tensor alpha, Tensor out, float floor, Tensor dout, Tensor dx, Tensor dalpha) {}

  @Override
  public void normalizeRows(Tensor x, Tensor y, Tensor inverseNorm) {}

  @Override
  public void normalizeRowsBackward(Tensor y, Tensor inverseNorm, Tensor dy, Tensor dx) {}

  @Override
  public void rowwiseDot(Tensor x, Tensor y, Tensor out) {}

  @Override
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {}

  @Override
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {}

  @Override
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {}

  @Override
  public void argmaxRows(Tensor x, Tensor index) {}

  @Override
  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {}

  @Override
  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {}

  @Override
  public void signActivation(Tensor x, Tensor shift, Tensor y) {}

  @Override
  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {}

  @Override
  public void scaleRows(Tensor scale, Tensor y) {}

  @Override
  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {}

  @Override
  public long preluBackwardWorkspace(long rows, int channels) {
    return sizes == null ? 0 : sizes.preluBackwardWorkspace(rows, channels);
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
      Tensor workspace) {}

  @Override
  public void sgd(SgdStep step, Tensor gradient, Tensor parameter, Tensor momentumBuffer) {}

  @Override
  public void adam(AdamStep step, Tensor gradient, Tensor parameter, Tensor mean, Tensor square) {}

  @Override
  public void quantize(Tensor x, Quantized y) {}

  @Override
  public void dequantize(Quantized x, Tensor y) {}

  @Override
  public long sgdQuantizedWorkspace(long size, int block) {
    return sizes == null ? 0 : sizes.sgdQuantizedWorkspace(size, block);
  }

  @Override
  public void sgdQuantized(
      SgdStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized momentumBuffer,
      Tensor workspace) {}

  @Override
  public long adamQuantizedWorkspace(long size, int block) {
    return sizes == null ? 0 : sizes.adamQuantizedWorkspace(size, block);
  }

  @Override
  public void adamQuantized(
      AdamStep step,
      Tensor gradient,
      Tensor parameter,
      Quantized mean,
      Quantized square,
      Tensor workspace) {}

  /** Leaves the device that gave the sizes open. */
  @Override
  public void close() {}
}
