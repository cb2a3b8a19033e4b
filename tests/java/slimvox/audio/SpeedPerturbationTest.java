package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SpeedPerturbationTest {
  private static final int EDGE = 80;

  /** y(t) = x(speed t), sample by sample: frequency, phase, amplitude and length. */
  @ParameterizedTest
  @CsvSource({
    "0.9, 100, 17778",
    "0.9, 1000, 17778",
    "0.9, 6500, 17778",
    "1.1, 100, 14546",
    "1.1, 1000, 14546",
    "1.1, 6000, 14546",
    "0.95, 3000, 16843",
    "1.25, 2500, 12800",
    "2, 3000, 8000",
    "0.5, 3000, 32000"
  })
  void toneChangesItsFrequencyAndLengthOnly(double speed, double hz, int samples) {
    Waveform out = new SpeedPerturbation(speed).apply(tone(hz));
    assertEquals(samples, out.samples().length);
    assertEquals(16000, out.sampleRate());
    for (int n = EDGE; n < samples - EDGE; n++) {
      double expected = Math.sin(2 * Math.PI * hz * speed * n / 16000);
      assertEquals(expected, out.samples()[n], 2e-3, "sample " + n);
    }
  }

  @Test
  void whatWouldAliasIsSuppressed() {
    Waveform out = new SpeedPerturbation(1.1).apply(tone(7800));
    for (int n = EDGE; n < out.samples().length - EDGE; n++) {
      assertTrue(Math.abs(out.samples()[n]) < 0.01, "sample " + n + " " + out.samples()[n]);
    }
  }

  @Test
  void speedOneChangesNothing() {
    Waveform tone = tone(440);
    assertSame(tone, new SpeedPerturbation(1).apply(tone));
  }

  @Test
  void shortWaveformsAreNoSpecialCase() {
    assertEquals(
        0, new SpeedPerturbation(0.9).apply(new Waveform(new float[0], 16000)).samples().length);
    float[] out = new SpeedPerturbation(0.9).apply(new Waveform(new float[] {1}, 16000)).samples();
    assertEquals(2, out.length);
    assertEquals(0.99, out[0], 1e-6);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.4, 2.1, 0.905, -1, Double.NaN})
  void impossibleSpeedsAreRefused(double speed) {
    var error = assertThrows(IllegalArgumentException.class, () -> new SpeedPerturbation(speed));
    assertEquals(
        "speed " + speed + " is not between 0.5 and 2 in whole hundredths", error.getMessage());
  }

  private static Waveform tone(double hz) {
    var samples = new float[16000];
    for (int n = 0; n < samples.length; n++) {
      samples[n] = (float) Math.sin(2 * Math.PI * hz * n / 16000);
    }
    return new Waveform(samples, 16000);
  }
}
