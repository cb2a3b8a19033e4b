package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AugmentationTest {
  private static final float[] SPEECH = gaussian(5000, 0.2, 1);

  @Test
  void levelHasAFloor() {
    assertEquals(-40, Augmentation.levelDb(new float[100]), 1e-9);
    var half = new float[100];
    Arrays.fill(half, 0.5f);
    assertEquals(10 * Math.log10(0.25 + 1e-4), Augmentation.levelDb(half), 1e-9);
  }

  /** What is left after the clean part has been projected out is the noise at its level. */
  @ParameterizedTest
  @ValueSource(doubles = {-5, 0, 10, 20})
  void noiseIsAddedAtTheAskedRatio(double snrDb) {
    float[] noise = gaussian(5000, 0.05, 2);
    float[] noisy = Augmentation.addNoise(SPEECH, noise, snrDb);
    // noisy = s (speech + g noise): two unknowns from two projections
    double ss = dot(SPEECH, SPEECH);
    double nn = dot(noise, noise);
    double sn = dot(SPEECH, noise);
    double ys = dot(noisy, SPEECH);
    double yn = dot(noisy, noise);
    double gain = (ss * yn - sn * ys) / (nn * ys - sn * yn);
    double expected = Augmentation.levelDb(SPEECH) - Augmentation.levelDb(noise) - snrDb;
    assertEquals(expected, 20 * Math.log10(gain), 1e-3);
    assertEquals(1, peak(noisy), 1e-3);
  }

  @Test
  void shortNoiseIsRepeatedAndLongNoiseCroppedAtRandom() {
    var click = new float[1000];
    click[10] = 1;
    var random = new SplittableRandom(4);
    float[] repeated = Augmentation.crop(Samples.of(click), 5500, random);
    for (int i = 0; i < 5500; i++) assertEquals(i % 1000 == 10 ? 1 : 0, repeated[i], "sample " + i);
    float[] longNoise = gaussian(9000, 1, 5);
    boolean[] seen = new boolean[2];
    for (int i = 0; i < 1000; i++) {
      float[] crop = Augmentation.crop(Samples.of(longNoise), 8999, random);
      int from = crop[0] == longNoise[0] ? 0 : 1;
      assertArrayEquals(Arrays.copyOfRange(longNoise, from, from + 8999), crop);
      seen[from] = true;
    }
    assertArrayEquals(new boolean[] {true, true}, seen);
  }

  @ParameterizedTest
  @CsvSource({"5000, 1", "5000, 3", "5000, 700", "5000, 5000", "5000, 7000", "1, 9", "2, 2"})
  @CsvSource({"1023, 1025", "2048, 1024", "2049, 1025", "40000, 300", "300, 40000"})
  void reverberationIsTheConvolutionCutToLength(int samples, int taps) {
    float[] speech = gaussian(samples, 0.2, 1);
    float[] response = gaussian(taps, 0.3, 8);
    float[] out = Augmentation.reverberate(speech, response);
    double energy = dot(response, response);
    var expected = new double[samples];
    double peak = 0;
    for (int n = 0; n < samples; n++) {
      for (int k = 0; k <= Math.min(n, taps - 1); k++) {
        expected[n] += response[k] * speech[n - k] / Math.sqrt(energy);
      }
      peak = Math.max(peak, Math.abs(expected[n]));
    }
    assertEquals(samples, out.length);
    for (int n = 0; n < samples; n++) {
      assertEquals(expected[n] / (peak + 1e-4), out[n], 1e-5, "sample " + n);
    }
  }

  private static float[] gaussian(int samples, double deviation, int seed) {
    var random = new SplittableRandom(seed);
    var values = new float[samples];
    for (int i = 0; i < samples; i++) values[i] = (float) random.nextGaussian(0, deviation);
    return values;
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) sum += (double) a[i] * b[i];
    return sum;
  }

  private static float peak(float[] samples) {
    float peak = 0;
    for (float x : samples) peak = Math.max(peak, Math.abs(x));
    return peak;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 31, 63, 64, 65, 200})
  void aShortFilterGivesTheSumsInTheirOrder(int length) {
    SplittableRandom random = new SplittableRandom(length);
    float[] signal = new float[length];
    float[] response = new float[65];
    for (int i = 0; i < length; i++) signal[i] = (float) random.nextGaussian();
    for (int k = 0; k < 65; k++) response[k] = (float) random.nextGaussian();
    float[] sums = new float[length];
    for (int n = 0; n < length; n++) {
      for (int k = 0; k < 65; k++) {
        int at = n + 32 - k;
        if (at >= 0 && at < length) sums[n] = Math.fma(response[k], signal[at], sums[n]);
      }
    }
    assertArrayEquals(sums, Augmentation.convolve(signal, response, 32));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 9})
  void everySampleCountsInTheEnergy(int length) {
    float[] samples = new float[length];
    double sum = 0;
    for (int i = 0; i < length; i++) {
      samples[i] = i + 1;
      sum += (i + 1) * (i + 1);
    }
    assertEquals(sum, Augmentation.energy(samples));
  }
}
