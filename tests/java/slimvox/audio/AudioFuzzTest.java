package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.storage.InputException;

/** Damaged files give a waveform or one clear line, never another exception, never a hang. */
class AudioFuzzTest {
  private static final int CASES = 1500;

  @TempDir Path folder;

  @Test
  void damagedWavGivesAWaveformOrOneLine() throws IOException {
    Path file = folder.resolve("valid.wav");
    float[] samples = Arrays.copyOf(new Reference().waveform("wav0").samples(), 300);
    WavWriter.writePcm16(file, new Waveform(samples, 16000));
    fuzz(Files.readAllBytes(file), 44);
    WavWriter.writeFloat32(file, new Waveform(samples, 16000));
    fuzz(Files.readAllBytes(file), 56);
  }

  @Test
  void damagedFlacGivesAWaveformOrOneLine() throws IOException {
    fuzz(Files.readAllBytes(Reference.DATA.resolve("tail24.flac")), 60);
    fuzz(Files.readAllBytes(Reference.DATA.resolve("word.flac")), 60);
  }

  /** Every other case strikes the header, where a flipped bit does most. */
  private void fuzz(byte[] valid, int headerBytes) {
    var random = new SplittableRandom(valid.length);
    Path file = folder.resolve("fuzzed");
    for (int i = 0; i < CASES; i++) {
      byte[] bytes = valid.clone();
      int flips = random.nextInt(1, 4);
      for (int f = 0; f < flips; f++) {
        int at = random.nextInt(random.nextBoolean() ? headerBytes : bytes.length);
        bytes[at] = random.nextBoolean() ? (byte) random.nextInt() : (byte) (bytes[at] ^ 1 << f);
      }
      if (random.nextInt(4) == 0) {
        bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
      }
      byte[] damaged = bytes;
      assertTimeoutPreemptively(Duration.ofSeconds(20), () -> read(file, damaged), "case " + i);
    }
  }

  private static void read(Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes);
    try {
      Waveform waveform = AudioFiles.read(file);
      assertEquals(16000, waveform.sampleRate());
      assertTrue(waveform.samples().length > 0);
    } catch (InputException e) {
      assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
      assertTrue(e.getMessage().lines().count() == 1, e.getMessage());
    }
  }
}
