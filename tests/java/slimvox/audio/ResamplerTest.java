package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResamplerTest {
  private static final int EDGE = 300;

  @TempDir Path folder;

  /** What lies below 0.9 of the lower half rate keeps frequency, phase and, by 0.01 dB, level. */
  @ParameterizedTest
  @ValueSource(ints = {8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000, 96000, 192000})
  void tonesBelowTheLimitPass(int rate) {
    var resampler = Resampler.between(rate, 16000);
    double most = 0.9 * Math.min(rate, 16000) / 2;
    for (double hz : new double[] {50, 0.3 * most, 0.7 * most, 0.95 * most, most}) {
      float[] out = resampler.apply(tone(hz, rate));
      double worst = 0;
      for (int n = EDGE; n < out.length - EDGE; n++) {
        worst = Math.max(worst, Math.abs(out[n] - Math.sin(2 * Math.PI * hz * n / 16000)));
      }
      assertTrue(worst < Math.pow(10, 0.01 / 20) - 1, hz + " Hz: off by " + worst);
    }
  }

  /** What would alias is 90 dB lower. */
  @ParameterizedTest
  @ValueSource(ints = {22050, 24000, 32000, 44100, 48000, 96000, 192000})
  void whatWouldAliasIsStopped(int rate) {
    var resampler = Resampler.between(rate, 16000);
    for (double hz = 8000; hz < rate / 2.0; hz += 371) {
      assertTrue(level(resampler.apply(tone(hz, rate))) < -90, hz + " Hz");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8000, 11025, 12000})
  void imagesAreStopped(int rate) {
    for (double hz : new double[] {100, 0.2 * rate, 0.45 * rate}) {
      float[] out = Resampler.between(rate, 16000).apply(tone(hz, rate));
      var image = new float[out.length];
      for (int n = 0; n < out.length; n++) {
        image[n] = (float) (out[n] - Math.sin(2 * Math.PI * hz * n / 16000));
      }
      assertTrue(level(image) < -58, hz + " Hz: " + level(image)); // 0.01 dB in level is -59 dB
    }
  }

  @ParameterizedTest
  @CsvSource({
    "8000, 1, 2",
    "8000, 100, 200",
    "44100, 441, 160",
    "44100, 442, 161",
    "48000, 3, 1",
    "48000, 4, 2",
    "48000, 0, 0",
    "11025, 11025, 16000",
    "44100, 100000, 36282"
  })
  void lengthsAreThoseOfTorchaudio(int rate, int samples, int expected) {
    var resampler = Resampler.between(rate, 16000);
    assertEquals(expected, resampler.outputSamples(samples));
    assertEquals(expected, resampler.apply(new float[samples]).length);
    assertEquals(120L * 60 * 16000, resampler.outputSamples(120L * 60 * rate));
  }

  @Test
  void filtersAreMadeOnce() {
    assertSame(Resampler.between(48000, 16000), Resampler.between(96000, 32000));
    assertFalse(Resampler.isPossible(191_999, 16000));
    assertThrows(IllegalArgumentException.class, () -> Resampler.between(191_999, 16000));
  }

  @Test
  void filesAreResampledWhereItIsAskedFor() throws Exception {
    Path file = folder.resolve("a.wav");
    var settings = new ReadSettings(true, 120);
    WavWriter.writeFloat32(file, new Waveform(tone(440, 44100), 44100));
    Waveform read = AudioFiles.read(file, 16000, settings);
    assertEquals(16000, read.sampleRate());
    assertEquals(16000, read.samples().length);
    assertEquals(
        new AudioInfo("WAV", "32-bit float", 16000, 1, 16000),
        AudioFiles.probe(file, 0, 16000, settings));
    assertEquals(Math.sin(2 * Math.PI * 440 * 0.5), read.samples()[8000], 1e-3);
    WavWriter.writePcm16(file, new Waveform(tone(440, 191_999), 191_999));
    assertRefused(
        file
            + ": 191999 Hz where 16000 Hz is expected; convert it: ffmpeg -i a.wav -ar 16000 -c:a"
            + " pcm_s16le OUT.wav",
        () -> AudioFiles.read(file, 16000, settings));
  }

  private static float[] tone(double hz, int rate) {
    var samples = new float[rate];
    for (int n = 0; n < rate; n++) samples[n] = (float) Math.sin(2 * Math.PI * hz * n / rate);
    return samples;
  }

  /** Power in dB of a full-scale tone, edges left out. */
  private static double level(float[] samples) {
    double sum = 0;
    for (int n = EDGE; n < samples.length - EDGE; n++) sum += samples[n] * (double) samples[n];
    return 10 * Math.log10(2 * sum / (samples.length - 2 * EDGE) + 1e-30);
  }
}
