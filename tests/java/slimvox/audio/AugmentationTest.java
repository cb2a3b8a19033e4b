package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class AugmentationTest {
  private static final Waveform SPEECH = gaussian(5000, 0.2, 1);

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
    Waveform noise = gaussian(5000, 0.05, 2);
    float[] noisy =
        Augmentation.addNoise(SPEECH, noise, "noise", snrDb, new SplittableRandom(3)).samples();
    // noisy = s (speech + g noise): two unknowns from two projections
    double ss = dot(SPEECH.samples(), SPEECH.samples());
    double nn = dot(noise.samples(), noise.samples());
    double sn = dot(SPEECH.samples(), noise.samples());
    double ys = dot(noisy, SPEECH.samples());
    double yn = dot(noisy, noise.samples());
    double determinant = ss * nn - sn * sn;
    double gain = (ss * yn - sn * ys) / (nn * ys - sn * yn);
    assertTrue(determinant > 0);
    double expected =
        Augmentation.levelDb(SPEECH.samples()) - Augmentation.levelDb(noise.samples()) - snrDb;
    assertEquals(expected, 20 * Math.log10(gain), 1e-3);
    assertEquals(1, peak(noisy), 1e-3);
  }

  @Test
  void shortNoiseIsRepeatedAndLongNoiseCroppedAtRandom() {
    var click = new float[1000];
    click[10] = 1;
    float[] repeated =
        Augmentation.addNoise(
                new Waveform(new float[5000], 16000),
                new Waveform(click, 16000),
                "click",
                0,
                new SplittableRandom(4))
            .samples();
    for (int i = 0; i < 5000; i++) assertEquals(i % 1000 == 10, repeated[i] > 0, "sample " + i);
    Waveform longNoise = gaussian(9000, 1, 5);
    float[] first =
        Augmentation.addNoise(SPEECH, longNoise, "n", 0, new SplittableRandom(6)).samples();
    float[] again =
        Augmentation.addNoise(SPEECH, longNoise, "n", 0, new SplittableRandom(6)).samples();
    float[] other =
        Augmentation.addNoise(SPEECH, longNoise, "n", 0, new SplittableRandom(7)).samples();
    assertArrayEquals(first, again);
    assertTrue(!Arrays.equals(first, other));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 700, 5000, 7000})
  void reverberationIsTheConvolutionCutToLength(int taps) {
    Waveform response = gaussian(taps, 0.3, 8);
    float[] out = Augmentation.reverberate(SPEECH, response, "room").samples();
    double energy = dot(response.samples(), response.samples());
    var expected = new double[5000];
    double peak = 0;
    for (int n = 0; n < 5000; n++) {
      for (int k = 0; k <= Math.min(n, taps - 1); k++) {
        expected[n] += response.samples()[k] * SPEECH.samples()[n - k] / Math.sqrt(energy);
      }
      peak = Math.max(peak, Math.abs(expected[n]));
    }
    assertEquals(5000, out.length);
    for (int n = 0; n < 5000; n++) {
      assertEquals(expected[n] / (peak + 1e-4), out[n], 1e-5, "sample " + n);
    }
  }

  @ParameterizedTest
  @EnumSource
  void ratiosAreDrawnFromTheRangeOfTheirKind(Augmentation.Interference kind) {
    double[] range =
        switch (kind) {
          case NOISE -> new double[] {0, 15};
          case SPEECH -> new double[] {10, 30};
          case MUSIC -> new double[] {5, 15};
        };
    var random = new SplittableRandom(9);
    var statistics = random.doubles(0).summaryStatistics();
    for (int i = 0; i < 1000; i++) statistics.accept(kind.drawSnrDb(random));
    assertEquals(range[0], statistics.getMin(), 0.3);
    assertEquals(range[1], statistics.getMax(), 0.3);
    assertTrue(statistics.getMin() >= range[0] && statistics.getMax() <= range[1]);
  }

  @Test
  void unusableNoiseOrResponseIsNamed() {
    var random = new SplittableRandom(10);
    var slow = new Waveform(new float[9], 8000);
    var empty = new Waveform(new float[0], 16000);
    var silent = new Waveform(new float[9], 16000);
    assertFault(
        "n.wav: 8000 Hz for speech of 16000 Hz; resample it first",
        () -> Augmentation.addNoise(SPEECH, slow, "n.wav", 5, random));
    assertFault(
        "n.wav: no samples; leave it out",
        () -> Augmentation.addNoise(SPEECH, empty, "n.wav", 5, random));
    assertFault(
        "r.wav: no samples; leave it out", () -> Augmentation.reverberate(SPEECH, empty, "r.wav"));
    assertFault(
        "r.wav: a silent impulse response; leave it out",
        () -> Augmentation.reverberate(SPEECH, silent, "r.wav"));
  }

  private static void assertFault(String message, Runnable action) {
    assertRefused(message, action::run);
  }

  private static Waveform gaussian(int samples, double deviation, int seed) {
    var random = new SplittableRandom(seed);
    var values = new float[samples];
    for (int i = 0; i < samples; i++) values[i] = (float) random.nextGaussian(0, deviation);
    return new Waveform(values, 16000);
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
}
