package slimvox.audio;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Power spectra of as many real signals at once as a vector register has lanes.
 *
 * <p>Every element of the transform is one vector whose lanes belong to different signals, so the
 * butterflies need no shuffles and each twiddle factor is loaded once for all signals. N real
 * samples are packed as N/2 complex ones (even samples real, odd ones imaginary), transformed in
 * place by radix-4 decimation in frequency (one radix-2 stage if N/2 is not a power of four), and
 * taken apart:
 *
 * <p>X[k] = (Z[k] + Z*[N/2-k]) / 2 - i W^k (Z[k] - Z*[N/2-k]) / 2, W = exp(-2 pi i / N).
 *
 * <p>The tables are immutable; the buffers belong to the caller, so one object serves all threads.
 */
final class BatchedRealFft {
  static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  /** Signals transformed at once. */
  static final int LANES = SPECIES.length();

  /** Complex length, N / 2. */
  private final int size;

  /**
   * For each stage n = size, size/4, ...: cos and -sin of 2 pi j m / n for j < n/4, m = 1, 2, 3.
   */
  private final float[][] twiddles;

  /** Where element k of the transform lies after the last stage. */
  private final int[] position;

  /** cos and -sin of 2 pi k / N. */
  private final float[] unpackCos;

  private final float[] unpackSin;

  /** Plans transforms of {@code length} real samples, a power of two from 4 on. */
  BatchedRealFft(int length) {
    if (length < 4 || Integer.bitCount(length) != 1) {
      throw new IllegalArgumentException("transform length " + length + " is no power of two >= 4");
    }
    size = length / 2;
    int stages = 0;
    for (int n = size; n >= 4; n /= 4) stages++;
    twiddles = new float[stages][];
    for (int s = 0, n = size; s < stages; s++, n /= 4) twiddles[s] = stageTwiddles(n);
    position = new int[size];
    unpackCos = new float[size / 2 + 1];
    unpackSin = new float[size / 2 + 1];
    for (int k = 0; k < size; k++) position[k] = position(k, size);
    for (int k = 0; k <= size / 2; k++) {
      unpackCos[k] = (float) Math.cos(2 * Math.PI * k / length);
      unpackSin[k] = (float) -Math.sin(2 * Math.PI * k / length);
    }
  }

  private static float[] stageTwiddles(int n) {
    var table = new float[n / 4 * 6];
    for (int j = 0; j < n / 4; j++) {
      for (int m = 1; m <= 3; m++) {
        table[6 * j + 2 * m - 2] = (float) Math.cos(2 * Math.PI * j * m / n);
        table[6 * j + 2 * m - 1] = (float) -Math.sin(2 * Math.PI * j * m / n);
      }
    }
    return table;
  }

  private static int position(int k, int n) {
    if (n < 4) return k;
    return k % 4 * (n / 4) + position(k / 4, n / 4);
  }

  /**
   * Writes |X[k]|^2 for k = 0..N/2-1 to {@code power}; {@code re} and {@code im} are overwritten.
   *
   * @param re even samples: sample 2n of signal l at n * LANES + l; N/2 * LANES values
   * @param im odd samples, likewise
   * @param power bin k of signal l at k * LANES + l; N/2 * LANES values
   */
  void powerSpectra(float[] re, float[] im, float[] power) {
    transform(re, im);
    unpackLoop(re, im, power);
  }

  /** Where element k lies after {@link #transform}. */
  int position(int k) {
    return position[k];
  }

  /**
   * Transforms complex signals of length N/2 in place: Z[k] = sum of z[n] exp(-4 pi i k n / N).
   *
   * @param re element n of signal l at n * LANES + l; afterwards k at {@link #position} of k
   */
  void transform(float[] re, float[] im) {
    for (int s = 0, n = size; n >= 4; s++, n /= 4) {
      for (int group = 0; group < size; group += n) {
        radix4Loop(re, im, group * LANES, n / 4, twiddles[s]);
      }
    }
    if (Integer.numberOfTrailingZeros(size) % 2 == 1) {
      for (int group = 0; group < size; group += 2) radix2(re, im, group * LANES);
    }
  }

  /** One group of butterflies: quarter elements apart, twiddle rows in the order of j. */
  private static void radix4Loop(float[] re, float[] im, int start, int quarter, float[] twiddle) {
    int step = quarter * LANES;
    for (int j = 0; j < quarter; j++) {
      int a = start + j * LANES;
      int b = a + step;
      int c = b + step;
      int d = c + step;
      var aRe = FloatVector.fromArray(SPECIES, re, a);
      var aIm = FloatVector.fromArray(SPECIES, im, a);
      var bRe = FloatVector.fromArray(SPECIES, re, b);
      var bIm = FloatVector.fromArray(SPECIES, im, b);
      var cRe = FloatVector.fromArray(SPECIES, re, c);
      var cIm = FloatVector.fromArray(SPECIES, im, c);
      var dRe = FloatVector.fromArray(SPECIES, re, d);
      var dIm = FloatVector.fromArray(SPECIES, im, d);

      var acRe = aRe.add(cRe);
      var acIm = aIm.add(cIm);
      var bdRe = bRe.add(dRe);
      var bdIm = bIm.add(dIm);
      var amcRe = aRe.sub(cRe);
      var amcIm = aIm.sub(cIm);
      var bmdRe = bRe.sub(dRe);
      var bmdIm = bIm.sub(dIm);
      acRe.add(bdRe).intoArray(re, a);
      acIm.add(bdIm).intoArray(im, a);
      // -i (b - d) has the real part Im(b - d) and the imaginary part -Re(b - d)
      int w = 6 * j;
      store(amcRe.add(bmdIm), amcIm.sub(bmdRe), twiddle[w], twiddle[w + 1], re, im, b);
      store(acRe.sub(bdRe), acIm.sub(bdIm), twiddle[w + 2], twiddle[w + 3], re, im, c);
      store(amcRe.sub(bmdIm), amcIm.add(bmdRe), twiddle[w + 4], twiddle[w + 5], re, im, d);
    }
  }

  /** Stores (x + i y)(wRe + i wIm). */
  private static void store(
      FloatVector x, FloatVector y, float wRe, float wIm, float[] re, float[] im, int at) {
    var cos = FloatVector.broadcast(SPECIES, wRe);
    var sin = FloatVector.broadcast(SPECIES, wIm);
    x.fma(cos, y.mul(-wIm)).intoArray(re, at);
    x.fma(sin, y.mul(cos)).intoArray(im, at);
  }

  private static void radix2(float[] re, float[] im, int at) {
    int next = at + LANES;
    var aRe = FloatVector.fromArray(SPECIES, re, at);
    var aIm = FloatVector.fromArray(SPECIES, im, at);
    var bRe = FloatVector.fromArray(SPECIES, re, next);
    var bIm = FloatVector.fromArray(SPECIES, im, next);
    aRe.add(bRe).intoArray(re, at);
    aIm.add(bIm).intoArray(im, at);
    aRe.sub(bRe).intoArray(re, next);
    aIm.sub(bIm).intoArray(im, next);
  }

  private void unpackLoop(float[] re, float[] im, float[] power) {
    var zero = FloatVector.fromArray(SPECIES, re, 0).add(FloatVector.fromArray(SPECIES, im, 0));
    zero.mul(zero).intoArray(power, 0);
    for (int k = 1; k <= size / 2; k++) {
      int at = position[k] * LANES;
      int mirror = position[size - k] * LANES;
      var zRe = FloatVector.fromArray(SPECIES, re, at);
      var zIm = FloatVector.fromArray(SPECIES, im, at);
      var mRe = FloatVector.fromArray(SPECIES, re, mirror);
      var mIm = FloatVector.fromArray(SPECIES, im, mirror);
      // even = Z[k] + Z*[-k], odd = -i (Z[k] - Z*[-k]); both are twice the spectra of the halves
      var evenRe = zRe.add(mRe);
      var evenIm = zIm.sub(mIm);
      var oddRe = zIm.add(mIm);
      var oddIm = mRe.sub(zRe);
      var cos = FloatVector.broadcast(SPECIES, unpackCos[k]);
      var sin = FloatVector.broadcast(SPECIES, unpackSin[k]);
      var turnedRe = oddRe.fma(cos, oddIm.mul(-unpackSin[k]));
      var turnedIm = oddRe.fma(sin, oddIm.mul(cos));
      // X[k] = (even + W^k odd) / 2 and X[N/2-k] = conj(even - W^k odd) / 2
      storePower(evenRe.add(turnedRe), evenIm.add(turnedIm), power, k * LANES);
      storePower(evenRe.sub(turnedRe), evenIm.sub(turnedIm), power, (size - k) * LANES);
    }
  }

  private static void storePower(FloatVector re, FloatVector im, float[] power, int at) {
    re.fma(re, im.mul(im)).mul(0.25f).intoArray(power, at);
  }
}
