package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.storage.InputException;

class FbankTest {
  private static final Reference REFERENCE = new Reference();

  /**
   * Rounding errors of a float32 spectrum are fractions of its largest value, so the logarithm of
   * what lies x below it (in nepers of power) is off by units of 2^-24 e^(x / 2). Over all seeds
   * tried {@link Fbank} is off by up to 1.4 of them, torchaudio by up to 200.
   */
  private static final int UNITS = 4;

  private static final int UNITS_OF_TORCHAUDIO = 800;

  private static final Fbank WESPEAKER = new Fbank(FbankOptions.wespeaker());
  private static final Fbank POVEY =
      new Fbank(new FbankOptions(16000, FbankOptions.Window.POVEY, 1, 80, 20, 8000, 0, 1));

  static List<String> signals() {
    return REFERENCE.signals();
  }

  @ParameterizedTest
  @MethodSource("signals")
  void wespeakerFeaturesMatchTheFormulaAndTorchaudio(String signal) {
    Features features = WESPEAKER.compute(REFERENCE.waveform(signal), signal);
    assertEquals(80, features.bins());
    double[] formula = REFERENCE.values("f64." + signal + ".wespeaker.fbank");
    assertClose(formula, features, tolerance(formula, UNITS));
    double[] torchaudio = REFERENCE.values(signal + ".wespeaker.fbank");
    assertClose(torchaudio, features, tolerance(formula, UNITS_OF_TORCHAUDIO));
  }

  @ParameterizedTest
  @MethodSource("signals")
  void poveyFeaturesMatchTheFormula(String signal) {
    Features features = POVEY.compute(REFERENCE.waveform(signal), signal);
    double[] formula = REFERENCE.values("f64." + signal + ".povey.fbank");
    assertClose(formula, features, tolerance(formula, UNITS));
  }

  /** An independent table: WeSpeaker's C++ front end, compiled and run on this signal. */
  @Test
  void twoTonesMatchTheTableOfWespeakersOwnFrontEnd() {
    var samples = new float[1040];
    for (int n = 0; n < samples.length; n++) {
      samples[n] =
          (float)
              (0.5 * Math.sin(2 * Math.PI * 440 * n / 16000)
                  + 0.25 * Math.sin(2 * Math.PI * 3000 * n / 16000));
    }
    var waveform = new Waveform(samples, 16000);
    int[] bins = {0, 1, 9, 19, 39, 59, 79};
    double[][] expected = {
      {13.39486, 14.10533, 13.61404, 15.77199, 14.45257, 16.42210, 14.92826, 1277.5192},
      {13.38443, 14.21736, 11.96405, 15.90783, 15.31275, 16.01730, 13.79475, 1270.8791},
      {15.00492, 15.89405, 13.24440, 14.05966, 14.57104, 16.25853, 14.58344, 1264.5365},
      {13.60870, 14.40645, 13.21090, 15.73566, 14.80438, 16.28408, 14.55708, 1277.3891},
      {13.65822, 14.51208, 11.84155, 15.90606, 15.33193, 16.00851, 13.87057, 1274.7387},
    };
    Features features = WESPEAKER.compute(waveform, "tones");
    assertEquals(5, features.frames());
    for (int t = 0; t < 5; t++) {
      double sum = 0;
      for (int b = 0; b < 80; b++) sum += features.get(t, b);
      for (int i = 0; i < bins.length; i++) {
        assertEquals(expected[t][i], features.get(t, bins[i]), 1e-3, "frame " + t + " " + bins[i]);
      }
      assertEquals(expected[t][7], sum, 5e-3, "sum of frame " + t);
    }
    double[] povey = {-11.54436, -10.92620, -7.63959, -6.85820, -13.99503, -11.41945, -15.94239};
    Features unscaled = POVEY.compute(waveform, "tones");
    for (int i = 0; i < bins.length; i++) {
      assertEquals(povey[i], unscaled.get(0, bins[i]), 5e-3, "bin " + bins[i]);
    }
    MeanNormalization.apply(features);
    double[] normalized = {-0.41537, -0.52173, 0.83905, 0.29575, -0.44196, 0.22399, 0.58144};
    for (int i = 0; i < bins.length; i++) {
      assertEquals(normalized[i], features.get(0, bins[i]), 1e-3, "bin " + bins[i]);
    }
  }

  @ParameterizedTest
  @MethodSource("signals")
  void meanNormalizedFeaturesMatchTorchaudio(String signal) {
    Features features = WESPEAKER.compute(REFERENCE.waveform(signal), signal);
    MeanNormalization.apply(features);
    double[] formula = REFERENCE.values("f64." + signal + ".wespeaker.fbank");
    double[] tolerance = tolerance(formula, UNITS_OF_TORCHAUDIO);
    for (int b = 0; b < 80; b++) {
      double ofMean = 0;
      for (int i = b; i < tolerance.length; i += 80) ofMean += tolerance[i] / features.frames();
      for (int i = b; i < tolerance.length; i += 80) tolerance[i] += ofMean;
    }
    assertClose(REFERENCE.values(signal + ".wespeaker.fbank_cmn"), features, tolerance);
  }

  @Test
  void silenceIsTheLogarithmOfTheFloor() {
    Features features = WESPEAKER.compute(new Waveform(new float[4000], 16000), "silence");
    for (float value : features.values()) assertEquals(-15.94238515, value, 2e-6);
  }

  @Test
  void everyFrameIsComputedAlikeWhereverItStandsInABlock() {
    Waveform noise = noise(400 + 160 * 40, 3);
    Features all = WESPEAKER.compute(noise, "noise");
    assertEquals(41, all.frames());
    for (int t = 0; t < all.frames(); t++) {
      float[] frame = Arrays.copyOfRange(noise.samples(), 160 * t, 160 * t + 400);
      Features single = WESPEAKER.compute(new Waveform(frame, 16000), "frame");
      assertArrayEquals(
          single.values(), Arrays.copyOfRange(all.values(), 80 * t, 80 * t + 80), "frame " + t);
    }
  }

  @Test
  void onlyWholeFramesCount() {
    assertEquals(0, WESPEAKER.frames(399));
    assertEquals(1, WESPEAKER.frames(400));
    assertEquals(1, WESPEAKER.frames(559));
    assertEquals(2, WESPEAKER.frames(560));
    assertEquals(200, WESPEAKER.frames(32240));
  }

  @Test
  void averagedFramesAreTheMeansOfThoseTheyStandFor() {
    var samples = new float[400 + 160 * 10];
    var random = new SplittableRandom(1);
    for (int i = 0; i < samples.length; i++) samples[i] = (float) random.nextGaussian();
    var sound = new Waveform(samples, 16000);
    Features each = WESPEAKER.compute(sound, "x");
    var fbank = new Fbank(FbankOptions.wespeaker().averaging(4));
    Features means = fbank.compute(sound, "x");
    assertEquals(11, each.frames());
    assertEquals(2, means.frames(), "three frames are left over");
    assertEquals(2, fbank.frames(samples.length));
    for (int t = 0; t < 2; t++) {
      for (int b = 0; b < 80; b++) {
        double sum = 0;
        for (int i = 0; i < 4; i++) sum += each.get(4 * t + i, b);
        assertEquals(sum / 4, means.get(t, b), 1e-5);
      }
    }
    assertRefused(
        "x: 879 samples are shorter than one frame of 880 (55 ms); leave the utterance out",
        () -> fbank.compute(new Waveform(new float[879], 16000), "x"));
    assertEquals(1, fbank.compute(new Waveform(new float[880], 16000), "x").frames());
  }

  @Test
  void utteranceShorterThanAFrameIsNamed() {
    assertRefused(
        "id1/a.wav: 399 samples are shorter than one frame of 400 (25 ms); "
            + "leave the utterance out",
        () -> WESPEAKER.compute(new Waveform(new float[399], 16000), "id1/a.wav"));
  }

  @Test
  void otherSampleRateIsNamed() {
    assertRefused(
        "id1/a.wav: 8000 Hz where 16000 Hz is expected; resample it first",
        () -> WESPEAKER.compute(new Waveform(new float[999], 8000), "id1/a.wav"));
  }

  @Test
  void ditherIsDrawnFromTheSeedAndHasTheAskedSpread() {
    var fbank = dithered(1);
    var silence = new Waveform(new float[16000], 16000);
    Features first = fbank.compute(silence, "silence", new SplittableRandom(1));
    Features again = fbank.compute(silence, "silence", new SplittableRandom(1));
    Features other = fbank.compute(silence, "silence", new SplittableRandom(2));
    assertArrayEquals(first.values(), again.values());
    assertTrue(Math.abs(first.get(0, 40) - other.get(0, 40)) > 1e-4);
    // Noise of deviation 2 has four times the power of noise of deviation 1: ln 4 higher.
    var louder = dithered(2);
    Features loud = louder.compute(silence, "silence", new SplittableRandom(1));
    for (int i = 0; i < loud.values().length; i++) {
      assertEquals(Math.log(4), loud.values()[i] - first.values()[i], 1e-3);
    }
    assertThrows(IllegalStateException.class, () -> fbank.compute(silence, "silence"));
  }

  @Test
  void oneObjectServesManyThreads() throws Exception {
    List<Waveform> waveforms =
        IntStream.range(0, 8).mapToObj(i -> noise(20000 + 777 * i, i)).toList();
    try (var pool = Executors.newFixedThreadPool(4)) {
      List<Future<Features>> results =
          waveforms.stream().map(w -> pool.submit(() -> WESPEAKER.compute(w, "w"))).toList();
      for (int i = 0; i < 8; i++) {
        float[] alone = WESPEAKER.compute(waveforms.get(i), "w").values();
        assertArrayEquals(alone, results.get(i).get().values());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8000, 11025, 16000, 22050, 44100, 48000})
  void everySampleRateMatchesAPlainFourierTransform(int sampleRate) {
    var options =
        new FbankOptions(
            sampleRate, FbankOptions.Window.HAMMING, 32768, 40, 20, sampleRate / 2.0 - 100, 0, 1);
    int n = options.frameLength();
    var samples = new float[n + options.frameShift()];
    var random = new SplittableRandom(sampleRate);
    for (int i = 0; i < samples.length; i++) samples[i] = (float) random.nextGaussian(0, 0.1);
    Features features = new Fbank(options).compute(new Waveform(samples, sampleRate), "noise");
    assertEquals(2, features.frames());
    for (int t = 0; t < 2; t++) {
      double[] plain = plain(options, samples, t * options.frameShift());
      for (int b = 0; b < 40; b++) {
        assertEquals(plain[b], features.get(t, b), 1e-3, "frame " + t + " bin " + b);
      }
    }
  }

  /** Section 3.1's formula in float64, with a transform by its definition. */
  private static double[] plain(FbankOptions options, float[] samples, int from) {
    int n = options.frameLength();
    double mean = 0;
    for (int i = 0; i < n; i++) mean += 32768.0 * samples[from + i] / n;
    var x = new double[n];
    for (int i = 0; i < n; i++) {
      double left = 32768.0 * samples[from + Math.max(i - 1, 0)] - mean;
      x[i] = 32768.0 * samples[from + i] - mean - 0.97 * left;
      x[i] *= 0.54 - 0.46 * Math.cos(2 * Math.PI * i / (n - 1));
    }
    double low = 1127 * Math.log(1 + options.lowHz() / 700);
    double step = (1127 * Math.log(1 + options.highHz() / 700) - low) / (options.bins() + 1);
    var energies = new double[options.bins()];
    for (int k = 0; k < options.fftLength() / 2; k++) {
      double re = 0;
      double im = 0;
      for (int i = 0; i < n; i++) {
        double angle = 2 * Math.PI * ((long) k * i % options.fftLength()) / options.fftLength();
        re += x[i] * Math.cos(angle);
        im -= x[i] * Math.sin(angle);
      }
      double hz = (double) k * options.sampleRate() / options.fftLength();
      double place = (1127 * Math.log(1 + hz / 700) - low) / step;
      for (int b = 0; b < energies.length; b++) {
        energies[b] += Math.max(0, 1 - Math.abs(place - b - 1)) * (re * re + im * im);
      }
    }
    return Arrays.stream(energies).map(e -> Math.log(Math.max(e, Fbank.FLOOR))).toArray();
  }

  /** Such a feature would be ln(2^-23) in every frame; Kaldi refuses them too. */
  @ParameterizedTest
  @CsvSource({
    "16000, 128, 1, '3', 126",
    "16000, 160, 3, '4, 9, 18', 126",
    "16000, 256, 25, '2, 3, 6, 7, 8, ...', 126",
    "8000, 100, 1, '1', 95",
    "8000, 128, 4, '4, 7, 12, 17', 95",
    "48000, 256, 1, '5', 250"
  })
  void filtersWithoutABinAreRefused(int rate, int bins, int count, String which, int most) {
    var options =
        new FbankOptions(rate, FbankOptions.Window.HAMMING, 32768, bins, 20, rate / 2.0, 0, 1);
    String error = refused(() -> new Fbank(options));
    int points = options.fftLength();
    assertEquals(
        ("%d mel filters: %d of them hold no bin of a spectrum of %d points at %d Hz (%s, from 0)"
                + " and would be constant; up to %d filters fit (model.bins, --bins)")
            .formatted(bins, count, points, rate, which, most),
        error);
    new Fbank(options.withBins(most));
    assertThrows(InputException.class, () -> new Fbank(options.withBins(most + 1)));
    assertThrows(InputException.class, () -> new Fbank(options.withBins(4096)));
  }

  @Test
  void impossibleOptionsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> FbankOptions.wespeaker().withBins(0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new FbankOptions(16000, FbankOptions.Window.POVEY, 1, 80, 20, 8001, 0, 1));
  }

  private static Fbank dithered(float dither) {
    return new Fbank(
        new FbankOptions(16000, FbankOptions.Window.HAMMING, 32768, 80, 20, 8000, dither, 1));
  }

  private static Waveform noise(int samples, int seed) {
    var random = new SplittableRandom(seed);
    var values = new float[samples];
    for (int i = 0; i < samples; i++) values[i] = (float) random.nextGaussian(0, 0.1);
    return new Waveform(values, 16000);
  }

  /** For each value of features of 80 bins. */
  private static double[] tolerance(double[] formula, int units) {
    var tolerance = new double[formula.length];
    for (int row = 0; row < formula.length; row += 80) {
      double top = Arrays.stream(formula, row, row + 80).max().getAsDouble();
      for (int i = row; i < row + 80; i++) {
        tolerance[i] = 2e-4 + units * 0x1p-24 * Math.exp((top - formula[i]) / 2);
      }
    }
    return tolerance;
  }

  private static void assertClose(double[] expected, Features features, double[] tolerance) {
    assertEquals(expected.length, features.values().length);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(
          expected[i],
          features.values()[i],
          tolerance[i],
          "frame " + i / features.bins() + " bin " + i % features.bins());
    }
  }
}
