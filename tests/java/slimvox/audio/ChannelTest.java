package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.storage.Safetensors;

class ChannelTest {
  private static final Safetensors KNOWN =
      Safetensors.read(Path.of("tests/data/audio/channel.safetensors"));

  @ParameterizedTest
  @ValueSource(strings = {"s1-u1", "word/ü_7.flac"})
  void theChannelOfAnIdIsThatOfTheFormulaInFloat64(String id) {
    double[] expected = KNOWN.doubles(id);
    float[] behind = Channel.of(id).apply(KNOWN.floats("samples"));
    assertEquals(expected.length, behind.length);
    for (int i = 0; i < expected.length; i++) assertEquals(expected[i], behind[i], 1e-6, id + i);
  }

  @Test
  void levelsAndResponsesStayWithinTheStrength() {
    float[] impulse = new float[1001];
    impulse[500] = 1;
    var filterOnly = new ChannelSettings(1, 6, 10, 300, 300, 0);
    for (int seed = 0; seed < 200; seed++) {
      float[] heard = new Channel(new SplittableRandom(seed), filterOnly).apply(impulse);
      for (int k = 1; k <= 32; k++) assertEquals(heard[500 - k], heard[500 + k], 1e-7f, "no delay");
      assertEquals(0, heard[533], 1e-7f);
      for (int j = 0; j <= 32; j++) { // the frequencies that the filter is made of
        double real = 0;
        for (int k = -32; k <= 32; k++) {
          real += heard[500 + k] * Math.cos(2 * Math.PI * j * k / 65);
        }
        assertTrue(Math.abs(20 * Math.log10(real)) <= 6 + 1e-4, seed + ": " + real);
      }
      float[] same = new Channel(new SplittableRandom(seed), filterOnly).apply(impulse);
      assertArrayEquals(heard, same, "the seed decides");
    }
    var other = new Channel(new SplittableRandom(1), filterOnly).apply(impulse);
    assertFalse(
        Arrays.equals(other, new Channel(new SplittableRandom(2), filterOnly).apply(impulse)));
  }

  @Test
  void noiseIsAsFarBelowTheSpeechAsAsked() {
    float[] speech = new float[16000];
    for (int i = 0; i < speech.length; i++) speech[i] = (float) Math.sin(0.3 * i);
    var silent = new ChannelSettings(1, 0, 10, 300, 300, 0);
    var noisy = new ChannelSettings(1, 0, 10, 12, 12, 0);
    float[] clean = new Channel(new SplittableRandom(5), silent).apply(speech);
    float[] heard = new Channel(new SplittableRandom(5), noisy).apply(speech);
    float[] noise = new float[speech.length];
    for (int i = 0; i < noise.length; i++) noise[i] = heard[i] - clean[i];
    assertEquals(
        12, 10 * Math.log10(Augmentation.energy(clean) / Augmentation.energy(noise)), 1e-2);
  }

  @Test
  void silenceStaysSilenceAndTheShortestSoundHasAChannel() {
    assertArrayEquals(new float[400], Channel.of("a").apply(new float[400]));
    assertEquals(1, Channel.of("a").apply(new float[] {1}).length);
    assertEquals(0, Channel.of("a").apply(new float[0]).length);
  }
}
