package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.ReadSettings;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

/** A corpus of which one recording has 8 kHz and one 48 kHz. */
class ReadingTest {
  private static final ReadSettings RESAMPLING = new ReadSettings(true, 120);

  @TempDir Path folder;
  private Corpus corpus;

  @BeforeEach
  void write() throws Exception {
    corpus = SyntheticCorpus.write(folder, 3, 3);
    for (int rate : new int[] {8000, 48000}) {
      var samples = new float[rate / 2];
      for (int i = 0; i < samples.length; i++) {
        samples[i] = (float) (0.3 * Math.sin(2 * Math.PI * 1000 * i / rate));
      }
      Path file = folder.resolve(rate == 8000 ? "sound/s0-0.wav" : "sound/s1-1.wav");
      WavWriter.writeFloat32(file, new Waveform(samples, rate));
    }
  }

  @Test
  void otherRatesAreResampledWhereItIsAskedFor() throws Exception {
    CorpusReport refused = corpus.validate();
    assertEquals(2, refused.bad());
    assertTrue(refused.firstBad().getFirst().endsWith("set data.resample=true (--resample)"));
    for (boolean decode : new boolean[] {false, true}) {
      CorpusReport report =
          CorpusReport.of(corpus.reading(RESAMPLING), decode, 1, FeatureSource.Progress.NONE);
      assertEquals(0, report.bad());
      assertEquals(1, report.perSpeaker().get("s0").seconds() - 0.35 - 0.4 + 0.5, 1e-9);
    }
    FeatureReader reader = SyntheticCorpus.reader(corpus.reading(RESAMPLING), 1.0);
    Features low = reader.compute(corpus.utterance("s0-0"), new int[] {0}).getFirst();
    Features high = reader.compute(corpus.utterance("s1-1"), new int[] {0}).getFirst();
    assertEquals(48, low.frames());
    assertEquals(48, high.frames());
    int loudest = 0;
    for (int b = 0; b < 20; b++) if (low.get(20, b) > low.get(20, loudest)) loudest = b;
    assertEquals(high.get(20, loudest), low.get(20, loudest), 1e-2); // the same tone
  }

  @Test
  void theCacheTellsResampledFromNot() {
    String plain = SyntheticCorpus.reader(corpus, 1.0).settings(0);
    String resampled = SyntheticCorpus.reader(corpus.reading(RESAMPLING), 1.0).settings(0);
    assertNotEquals(plain, resampled);
    var shorter = new ReadSettings(false, 1);
    assertEquals(plain, SyntheticCorpus.reader(corpus.reading(shorter), 1.0).settings(0));
  }

  @Test
  void partsOfACorpusAreReadAlike() throws Exception {
    Corpus all = corpus.reading(RESAMPLING);
    assertEquals(RESAMPLING, all.subset(List.of("s0")).reading());
    assertEquals(RESAMPLING, all.fold(0, 3).test().reading());
    assertEquals(RESAMPLING, all.fold(0, 3).train().reading());
    assertEquals(ReadSettings.DEFAULT, corpus.reading());
  }

  @Test
  void longRecordingsAreBad() throws Exception {
    Corpus limited = corpus.reading(new ReadSettings(true, 0.42 / 60));
    CorpusReport report = CorpusReport.of(limited, false, 1, FeatureSource.Progress.NONE);
    assertEquals(2, report.bad());
    assertTrue(
        report.firstBad().getFirst().endsWith("split it, or raise data.longestMinutes (--longest)"),
        report.firstBad().getFirst());
  }

  @Test
  void featuresCannotBeResampled() throws Exception {
    Path answers = Path.of("tests/data/data/features.ark").toAbsolutePath();
    Path ready = Files.createDirectory(folder.resolve("ready"));
    Files.writeString(ready.resolve("feats.scp"), "a " + answers + ":6\nb " + answers + ":364\n");
    Files.writeString(ready.resolve("utt2spk"), "a x\nb y\n");
    Corpus features = Corpus.open(ready).reading(RESAMPLING);
    assertRefused(
        ready + ": has features, no sound to resample; set data.resample=false",
        () -> FeatureReader.of(features, FbankOptions.wespeaker(), List.of(1.0)));
  }
}
