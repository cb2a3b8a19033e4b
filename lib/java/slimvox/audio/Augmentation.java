package slimvox.audio;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Additive noise and reverberation, as in WeSpeaker.
 *
 * <p>Both end with a peak normalisation, y / (max |y| + 1e-4), and return an array of their own.
 */
public final class Augmentation {
  private static final double LEVEL_FLOOR = 1e-4;

  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  private Augmentation() {}

  /** Level in dB: 10 log10(mean(x^2) + 1e-4). */
  public static double levelDb(float[] samples) {
    return 10 * Math.log10(energy(samples) / samples.length + LEVEL_FLOOR);
  }

  /**
   * Adds noise at a signal-to-noise ratio.
   *
   * <p>The noise is scaled by sqrt(10^((level(speech) - level(noise) - snr) / 10)), see {@link
   * #levelDb}.
   *
   * @param noise as many samples as the speech
   */
  public static float[] addNoise(float[] speech, float[] noise, double snrDb) {
    float gain = (float) Math.pow(10, (levelDb(speech) - levelDb(noise) - snrDb) / 20);
    var out = new float[speech.length];
    for (int i = 0; i < out.length; i++) out[i] = Math.fma(gain, noise[i], speech[i]);
    return normalizePeak(out);
  }

  /** Convolves speech with a room's response scaled to unit energy, cut to the speech's length. */
  public static float[] reverberate(float[] speech, float[] impulseResponse) {
    float scale = (float) (1 / Math.sqrt(energy(impulseResponse)));
    float[] response = impulseResponse.clone();
    for (int i = 0; i < response.length; i++) response[i] *= scale;
    return normalizePeak(FastConvolution.convolve(speech, response));
  }

  /**
   * Some samples of a sound from a random place on; all of it again and again where it is short.
   */
  public static float[] crop(Samples sound, int length, RandomGenerator random) {
    if (sound.length() > length) {
      long first = random.nextLong(sound.length() - length + 1);
      return sound.part(first, first + length);
    }
    float[] all = sound.all();
    var repeated = new float[length];
    for (int i = 0; i < length; i += all.length) {
      System.arraycopy(all, 0, repeated, i, Math.min(all.length, length - i));
    }
    return repeated;
  }

  /**
   * As many samples of the convolution as the signal has, from number {@code skip} on, which is
   * less than the response's length.
   *
   * <p>Four vectors of output samples stay in registers while the response passes over them, which
   * is for short ones; {@link FastConvolution} is for rooms.
   */
  static float[] convolve(float[] signal, float[] response, int skip) {
    int tile = 4 * SPECIES.length();
    int before = response.length - 1 - skip;
    int whole = (signal.length + tile - 1) / tile * tile;
    // zeros before the signal and after it; no output is read again by those that follow
    var samples = new float[before + whole + skip];
    System.arraycopy(signal, 0, samples, before, signal.length);
    for (int n = 0; n < whole; n += tile) tileLoop(samples, n, response);
    return Arrays.copyOf(samples, signal.length);
  }

  private static void tileLoop(float[] samples, int n, float[] response) {
    int lanes = SPECIES.length();
    var sum0 = FloatVector.zero(SPECIES);
    var sum1 = sum0;
    var sum2 = sum0;
    var sum3 = sum0;
    int last = n + response.length - 1;
    for (int k = 0; k < response.length; k++) {
      int at = last - k;
      var weight = FloatVector.broadcast(SPECIES, response[k]);
      sum0 = weight.fma(FloatVector.fromArray(SPECIES, samples, at), sum0);
      sum1 = weight.fma(FloatVector.fromArray(SPECIES, samples, at + lanes), sum1);
      sum2 = weight.fma(FloatVector.fromArray(SPECIES, samples, at + 2 * lanes), sum2);
      sum3 = weight.fma(FloatVector.fromArray(SPECIES, samples, at + 3 * lanes), sum3);
    }
    sum0.intoArray(samples, n);
    sum1.intoArray(samples, n + lanes);
    sum2.intoArray(samples, n + 2 * lanes);
    sum3.intoArray(samples, n + 3 * lanes);
  }

  /** The sum of squares. */
  public static double energy(float[] samples) {
    // Four sums, as each addition waits for the last one to its sum.
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    int whole = samples.length & -4;
    for (int i = 0; i < whole; i += 4) {
      a += (double) samples[i] * samples[i];
      b += (double) samples[i + 1] * samples[i + 1];
      c += (double) samples[i + 2] * samples[i + 2];
      d += (double) samples[i + 3] * samples[i + 3];
    }
    for (int i = whole; i < samples.length; i++) a += (double) samples[i] * samples[i];
    return (a + b) + (c + d);
  }

  private static float[] normalizePeak(float[] samples) {
    float peak = 0;
    for (float x : samples) peak = Math.max(peak, Math.abs(x));
    float scale = 1 / (peak + 1e-4f);
    for (int i = 0; i < samples.length; i++) samples[i] *= scale;
    return samples;
  }
}
