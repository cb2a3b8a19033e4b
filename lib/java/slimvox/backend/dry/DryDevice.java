package slimvox.backend.dry;

import java.util.Arrays;
import slimvox.backend.AdamStep;
import slimvox.backend.AngularMargin;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Convolution;
import slimvox.backend.Device;
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
  public boolean isFinite(Tensor x) {
    return true;
  }

  @Override
  public void fill(Tensor x, float value) {}

  @Override
  public void copy(Tensor x, Tensor y) {}

  @Override
  public void addScaled(float alpha, Tensor x, Tensor y) {}

  @Override
  public float addRounded(float alpha, Tensor x, float step, Tensor y) {
    return 0;
  }

  @Override
  public void relu(Tensor x, Tensor y) {}

  @Override
  public void reluBackward(Tensor y, Tensor dy, Tensor dx) {}

  @Override
  public void tanh(Tensor x, Tensor y) {}

  @Override
  public void tanhBackward(Tensor y, Tensor dy, Tensor dx) {}

  @Override
  public long matmulWorkspace(boolean transposeA, boolean transposeB, int m, int n, int k) {
    return sizes == null ? 0 : sizes.matmulWorkspace(transposeA, transposeB, m, n, k);
  }

  @Override
  public void matmul(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      Tensor a,
      Tensor b,
      Tensor c,
      boolean accumulate,
      Tensor workspace) {
    multiplyAdds += (long) m * n * k;
  }

  @Override
  public void addToRows(Tensor b, Tensor y) {}

  @Override
  public long sumRowsWorkspace(long rows, int columns) {
    return sizes == null ? 0 : sizes.sumRowsWorkspace(rows, columns);
  }

  @Override
  public void sumRows(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {}

  @Override
  public long convolveWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.convolveWorkspace(geometry);
  }

  @Override
  public void convolve(Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    multiplyAdds += geometry.multiplyAdds();
  }

  @Override
  public long laidOutBytes(Convolution geometry) {
    return sizes == null ? 0 : sizes.laidOutBytes(geometry);
  }

  @Override
  public boolean sameLayout(Convolution a, Convolution b) {
    return sizes.sameLayout(a, b);
  }

  @Override
  public long layOutWorkspace(Convolution geometry) {
    return sizes.layOutWorkspace(geometry);
  }

  @Override
  public void layOut(Convolution geometry, Tensor weight, Tensor laidOut, Tensor workspace) {}

  @Override
  public long convolveLaidOutWorkspace(Convolution geometry) {
    return sizes.convolveLaidOutWorkspace(geometry);
  }

  @Override
  public void convolveLaidOut(
      Convolution geometry, Tensor x, Tensor laidOut, Tensor y, Tensor workspace) {
    multiplyAdds += geometry.multiplyAdds();
  }

  @Override
  public long convolveBackwardDataWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.convolveBackwardDataWorkspace(geometry);
  }

  @Override
  public boolean addsConvolutions() {
    return sizes == null || sizes.addsConvolutions();
  }

  @Override
  public long convolveAddWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.convolveAddWorkspace(geometry);
  }

  @Override
  public void convolveAdd(
      Convolution geometry, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    multiplyAdds += geometry.multiplyAdds();
  }

  @Override
  public void convolveBackwardData(
      Convolution geometry, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {}

  @Override
  public long convolveBackwardWeightWorkspace(Convolution geometry) {
    return sizes == null ? 0 : sizes.convolveBackwardWeightWorkspace(geometry);
  }

  @Override
  public void convolveBackwardWeight(
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
  public void inverseDeviation(Tensor variance, float epsilon, Tensor inverseDeviation) {}

  @Override
  public void batchNormalize(
      Tensor x,
      Tensor mean,
      Tensor inverseDeviation,
      Tensor gamma,
      Tensor beta,
      Tensor residual,
      boolean relu,
      Tensor y) {}

  @Override
  public long batchNormalizeBackwardWorkspace(long rows, int channels) {
    return sizes == null ? 0 : sizes.batchNormalizeBackwardWorkspace(rows, channels);
  }

  @Override
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
      Tensor dx,
      Tensor workspace) {}

  @Override
  public void takeChannels(Tensor x, int first, Tensor part) {}

  @Override
  public void putChannels(Tensor part, int first, Tensor y) {}

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
  public void dotRows(Tensor x, Tensor y, Tensor out) {}

  @Override
  public void marginLogits(Tensor cosine, Tensor labels, AngularMargin margin, Tensor logits) {}

  @Override
  public void marginLogitsBackward(
      Tensor cosine, Tensor labels, AngularMargin margin, Tensor dlogits, Tensor dcosine) {}

  @Override
  public void softmaxCrossEntropy(Tensor logits, Tensor labels, Tensor loss, Tensor dlogits) {}

  @Override
  public void largestInRow(Tensor x, Tensor index) {}

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
