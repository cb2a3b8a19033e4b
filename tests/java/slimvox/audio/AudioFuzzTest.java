package slimvox.audio;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.audio.AudioFilesTest.chunk;
import static slimvox.audio.AudioFilesTest.riff;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.Fuzz;
import slimvox.storage.InputException;

/** Damaged files give a waveform or one clear line, never another exception, never a hang. */
class AudioFuzzTest {
  private static final ReadSettings RESAMPLING = new ReadSettings(true, 10);

  @TempDir Path folder;

  @Test
  void damagedWavGivesAWaveformOrOneLine() throws Exception {
    for (WavFileTest.Known k : WavFileTest.Known.values()) {
      byte[] data = chunk("data", k.data);
      fuzz(riff(chunk("fmt ", k.header()), chunk("LIST", new byte[9]), data), 250);
      fuzz(riff(chunk("fmt ", k.extensibleHeader()), data), 250);
      fuzz(WavFileTest.rf64("RF64", k, k.data.length), 250);
    }
  }

  @Test
  void damagedFlacGivesAWaveformOrOneLine() throws Exception {
    fuzz(Files.readAllBytes(Reference.DATA.resolve("tail24.flac")), 1000);
    fuzz(Files.readAllBytes(Reference.DATA.resolve("word.flac")), 500);
    for (int bits : new int[] {4, 8, 16, 17, 24, 32}) {
      for (int seed = 0; seed < 8; seed++) {
        int width = bits;
        var random = new SplittableRandom(100 * bits + seed);
        var encoder = new FlacEncoder(random, bits);
        encoder.knowsLength = seed % 2 == 0;
        encoder.hasSum = seed % 4 < 2;
        encoder.metadata = List.of(new byte[5]);
        if (seed == 7) encoder.before = new byte[] {'I', 'D', '3', 4, 0, 0, 0, 0, 0, 1, 0};
        int[] samples = random.ints(700).map(v -> v >> 32 - width).toArray();
        for (int i = 200; i < samples.length; i++) samples[i] = samples[i - 200] >> i / 150;
        fuzz(encoder.encode(samples, 192, 16, 300), 150);
      }
    }
  }

  private void fuzz(byte[] valid, int rounds) throws Exception {
    Path file = Files.write(folder.resolve("fuzzed"), valid);
    int refused = Fuzz.of(file).seed(valid.length).rounds(rounds, AudioFuzzTest::read);
    assertTrue(refused > 0, "nothing was refused");
  }

  /** As it is, and resampled where that is what the header asks for. */
  private static Object read(Path file) {
    try {
      Waveform waveform = AudioFiles.read(file, 16000, RESAMPLING);
      assertTrue(waveform.sampleRate() == 16000, "rate");
      return waveform;
    } catch (InputException e) {
      assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
      throw e;
    }
  }
}
