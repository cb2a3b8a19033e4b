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
    float[] out = played(speed, tone(hz));
    assertEquals(samples, out.length);
    for (int n = EDGE; n < samples - EDGE; n++) {
      double expected = Math.sin(2 * Math.PI * hz * speed * n / 16000);
      assertEquals(expected, out[n], 2e-3, "sample " + n);
    }
  }

  private static float[] played(double speed, Waveform sound) {
    return new SpeedPerturbation(speed).over(Samples.of(sound.samples())).all();
  }

  @Test
  void whatWouldAliasIsSuppressed() {
    float[] out = played(1.1, tone(7800));
    for (int n = EDGE; n < out.length - EDGE; n++) {
      assertTrue(Math.abs(out[n]) < 0.01, "sample " + n + " " + out[n]);
    }
  }

  @Test
  void speedOneChangesNothing() {
    Samples tone = Samples.of(tone(440).samples());
    assertSame(tone, new SpeedPerturbation(1).over(tone));
  }

  @Test
  void shortWaveformsAreNoSpecialCase() {
    assertEquals(0, played(0.9, new Waveform(new float[0], 16000)).length);
    float[] out = played(0.9, new Waveform(new float[] {1}, 16000));
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
