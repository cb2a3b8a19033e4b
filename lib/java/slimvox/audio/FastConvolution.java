package slimvox.audio;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Convolution of a signal of seconds with the response of a room.
 *
 * <p>y[n] = sum over k of h[k] x[n - k], for as many n as x has samples. The halves of x are real
 * and imaginary part of one complex signal z, as h is real. z and h are cut into blocks of {@value
 * #BLOCK} samples, whose transforms of twice that length lie in the lanes of vectors ({@link
 * BatchedRealFft}): block j of the result is the sum over p of the products of part p of h and
 * block j - p of z, and what goes beyond a block is added to the next. So one pass over vectors
 * transforms all of z, one all of h, and two all of y (Stockham 1966, with uniform partitions).
 *
 * <p>Every operation is rounded in the same way on every machine.
 */
final class FastConvolution {
  static final int BLOCK = 1024;

  private static final int SIZE = 2 * BLOCK;
  private static final VectorSpecies<Float> SPECIES = BatchedRealFft.SPECIES;
  private static final int LANES = BatchedRealFft.LANES;
  private static final BatchedRealFft FFT = new BatchedRealFft(2 * SIZE);

  private FastConvolution() {}

  /** As many samples of the convolution as the signal has. */
  static float[] convolve(float[] signal, float[] response) {
    int half = (signal.length + 1) / 2;
    int taps = Math.min(response.length, signal.length);
    int inputs = blocks(half);
    int parts = blocks(taps);
    int outputs = Math.min(inputs + parts, 2 * inputs);
    Spectra z = new Spectra(parts, lanes(outputs));
    z.transform(signal, half, inputs);
    Spectra h = new Spectra(0, lanes(parts));
    h.transform(Arrays.copyOf(response, taps), taps, parts);

    float[] real = new float[(lanes(outputs) + 1) * BLOCK];
    float[] imaginary = new float[real.length];
    float[] re = new float[SIZE * LANES];
    float[] im = new float[SIZE * LANES];
    for (int group = 0; group < outputs; group += LANES) {
      for (int k = 0; k < SIZE; k++) multiply(z, h, k, group, parts, re, im);
      // Of exchanged parts, exchanged again: the transform back, times its length.
      FFT.transform(im, re);
      add(re, group, real);
      if (group < inputs) add(im, group, imaginary);
    }
    float[] out = Arrays.copyOf(real, signal.length);
    for (int n = half; n < out.length; n++) out[n] += imaginary[n - half];
    return out;
  }

  private static int blocks(int samples) {
    return (samples + BLOCK - 1) / BLOCK;
  }

  private static int lanes(int blocks) {
    return (blocks + LANES - 1) / LANES * LANES;
  }

  /** Spectra of blocks: bin k of block j at k x width + empty + j, after blocks of zeros. */
  private static final class Spectra {
    final int empty;
    final int width;
    final float[] re;
    final float[] im;

    Spectra(int empty, int lanes) {
      this.empty = empty;
      width = empty + lanes;
      re = new float[SIZE * width];
      im = new float[SIZE * width];
    }

    /** Of a signal whose real part is its first samples and whose imaginary part is the rest. */
    void transform(float[] signal, int half, int blocks) {
      float[] blockRe = new float[SIZE * LANES];
      float[] blockIm = new float[SIZE * LANES];
      for (int group = 0; group < blocks; group += LANES) {
        Arrays.fill(blockRe, 0);
        Arrays.fill(blockIm, 0);
        for (int lane = 0; lane < Math.min(LANES, blocks - group); lane++) {
          int from = (group + lane) * BLOCK;
          int count = Math.min(BLOCK, half - from);
          for (int n = 0; n < count; n++) blockRe[n * LANES + lane] = signal[from + n];
          int second = Math.min(count, signal.length - half - from);
          for (int n = 0; n < second; n++) {
            blockIm[n * LANES + lane] = signal[half + from + n];
          }
        }
        FFT.transform(blockRe, blockIm);
        for (int k = 0; k < SIZE; k++) {
          int row = FFT.position(k) * LANES;
          FloatVector.fromArray(SPECIES, blockRe, row).intoArray(re, k * width + empty + group);
          FloatVector.fromArray(SPECIES, blockIm, row).intoArray(im, k * width + empty + group);
        }
      }
    }
  }

  /** Bin k of a group of blocks of the result. */
  private static void multiply(
      Spectra z, Spectra h, int k, int group, int parts, float[] re, float[] im) {
    var sumRe = FloatVector.zero(SPECIES);
    var sumIm = sumRe;
    int ofH = k * h.width;
    int ofZ = k * z.width + z.empty + group;
    for (int p = 0; p < parts; p++) {
      var zRe = FloatVector.fromArray(SPECIES, z.re, ofZ - p);
      var zIm = FloatVector.fromArray(SPECIES, z.im, ofZ - p);
      var hRe = FloatVector.broadcast(SPECIES, h.re[ofH + p]);
      var hIm = FloatVector.broadcast(SPECIES, h.im[ofH + p]);
      sumRe = zRe.fma(hRe, zIm.fma(hIm.neg(), sumRe));
      sumIm = zRe.fma(hIm, zIm.fma(hRe, sumIm));
    }
    sumRe.intoArray(re, k * LANES);
    sumIm.intoArray(im, k * LANES);
  }

  /** Adds blocks, each of which reaches into the next. */
  private static void add(float[] blocks, int group, float[] out) {
    for (int n = 0; n < SIZE; n++) {
      int row = FFT.position(n) * LANES;
      int at = group * BLOCK + n;
      for (int lane = 0; lane < LANES; lane++) {
        out[at + lane * BLOCK] += blocks[row + lane] * (1f / SIZE);
      }
    }
  }
}
