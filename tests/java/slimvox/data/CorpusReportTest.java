package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.refused;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

class CorpusReportTest {
  @TempDir Path folder;

  @Test
  void shippedCorpusIsWhole() throws Exception {
    Corpus corpus = Corpus.open(Path.of("data-scripts/speech-commands"));
    List<Integer> told = Collections.synchronizedList(new ArrayList<>());
    CorpusReport report = CorpusReport.of(corpus, true, 2, (done, total) -> told.add(done));
    assertEquals(
        """
        corpus      speech-commands
        speakers    1,361, each with 2 to 66 usable utterances
        utterances  10,384, 10,384 usable, 2.30 hours
        shortest    0.43 s (36746d7f-one-0)
        longest     0.80 s (00176480-bed-0)
        bad         0
        """,
        report.toString());
    assertEquals(10384, told.size());
    assertEquals(9.45075, report.perSpeaker().get("014f9f65").seconds(), 1e-9, "of segments");
  }

  @Test
  void eachKindOfBadEntryIsNamedWithItsReason() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 6);
    byte[] whole = Files.readAllBytes(corpus.utterance("s0-0").file());
    Files.write(corpus.utterance("s0-0").file(), Arrays.copyOf(whole, 5000));
    Files.delete(corpus.utterance("s0-1").file());
    Files.write(corpus.utterance("s0-2").file(), new byte[0]);
    Files.writeString(corpus.utterance("s0-3").file(), "this is not sound at all");
    WavWriter.writePcm16(corpus.utterance("s0-4").file(), new Waveform(new float[8000], 8000));
    WavWriter.writePcm16(corpus.utterance("s0-5").file(), new Waveform(new float[399], 16000));
    byte[] stereo = whole.clone();
    stereo[22] = 2; // channels
    stereo[32] = 4; // bytes of a sample of both
    Files.write(corpus.utterance("s1-0").file(), stereo);
    CorpusReport report = corpus.validate();
    assertEquals(7, report.bad());
    assertEquals(7, report.firstBad().size());
    String sound = folder.resolve("sound").toString();
    for (String fault : report.firstBad()) {
      assertTrue(fault.matches("s\\d-\\d: \\Q" + sound + "\\E/s\\d-\\d\\.wav: [^\\n]+"), fault);
    }
    assertTrue(report.firstBad().get(1).contains("no such file"), report.toString());
    assertTrue(report.firstBad().get(2).contains("empty"), report.toString());
    assertTrue(report.firstBad().get(3).contains("not a WAV or FLAC file"), report.toString());
    assertTrue(report.firstBad().get(4).contains("8000 Hz where 16000 Hz"), report.toString());
    assertTrue(
        report
            .firstBad()
            .get(5)
            .endsWith(
                "399 samples are shorter than one frame of 400 (25 ms); leave the utterance out"),
        report.toString());
    assertTrue(report.firstBad().get(6).contains("2 channels"), report.toString());
    assertEquals(new CorpusReport.Amount(0, 0), report.perSpeaker().get("s0"));
    assertEquals(5, report.perSpeaker().get("s1").utterances());
    assertEquals("s1-1", report.shortest().utterance());
    assertEquals("s1-5", report.longest().utterance());
    assertTrue(
        report.toString().contains("\nutterances  12, 5 usable, 0.00 hours\n"), report.toString());
    assertTrue(report.toString().contains("\nbad         7\n  s0-0: "), report.toString());
  }

  @Test
  void onlyTheFirstBadEntriesAreNamed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 1, 13);
    for (Utterance utterance : corpus.utterances()) Files.delete(utterance.file());
    String text = CorpusReport.of(corpus, false, 1, FeatureSource.Progress.NONE).toString();
    assertTrue(text.endsWith("\n  and 3 more\n"), text);
    assertTrue(
        text.contains("\nwarning     one speaker only; training needs at least two\n"), text);
  }

  @Test
  void featuresCountTenMillisecondsAFrameOrWhatTheCorpusSays() throws Exception {
    Path ark = Path.of("tests/data/data/features.ark").toAbsolutePath();
    Files.writeString(folder.resolve("feats.scp"), "a " + ark + ":6\nb " + ark + ":9\n");
    Files.writeString(folder.resolve("utt2spk"), "a x\nb y\n");
    CorpusReport report = Corpus.open(folder).validate();
    assertEquals(new CorpusReport.Length("a", 0.12), report.longest());
    assertEquals(1, report.bad());
    assertTrue(report.firstBad().getFirst().startsWith("b: " + ark + ", byte 9: no binary"));
    String bins = "\nfeatures    " + report.bins() + " values a frame: model.bins=" + report.bins();
    assertTrue(report.bins() > 0 && report.toString().contains(bins), report.toString());
    assertTrue(report.toString().contains("\nframes      10.0 ms apart"), report.toString());
    Files.writeString(folder.resolve("frame_shift"), "0.0125\n");
    assertEquals(0.15, Corpus.open(folder).validate().longest().seconds(), 1e-12);
    Files.writeString(folder.resolve("frame_shift"), "ten\n");
    assertTrue(
        refused(() -> Corpus.open(folder).validate())
            .endsWith("frame_shift: seconds between frames are needed, for example 0.01"));
  }

  @Test
  void whatCannotBeFeaturesIsBadAndNamed() throws Exception {
    for (float wrong :
        new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -2.7e29f}) {
      ByteBuffer ark = ByteBuffer.allocate(15 + 24).order(ByteOrder.LITTLE_ENDIAN);
      ark.put("\0BFM ".getBytes()).put((byte) 4).putInt(3).put((byte) 4).putInt(2);
      for (float value : new float[] {1, 2, 3, wrong, 5, 6}) ark.putFloat(value);
      Files.write(folder.resolve("f.ark"), ark.array());
      Files.writeString(folder.resolve("feats.scp"), "u2 f.ark:0\n");
      Files.writeString(folder.resolve("utt2spk"), "u2 x\n");
      String reason =
          "%s: the features of utterance u2 are %s in frame 1, bin 1; make them again or leave it out"
              .formatted(folder.resolve("f.ark"), wrong);
      Corpus corpus = Corpus.open(folder);
      assertEquals(List.of("u2: " + reason), corpus.validate().firstBad());
      FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0);
      assertEquals(
          reason,
          assertThrows(RecordingException.class, () -> reader.features(corpus.utterance("u2"), 0))
              .getMessage());
    }
  }

  @Test
  void recordingsTooShortForAnEmbeddingAreNamed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 1, 3);
    WavWriter.writePcm16(corpus.utterance("s0-1").file(), new Waveform(new float[1679], 16000));
    WavWriter.writePcm16(corpus.utterance("s0-2").file(), new Waveform(new float[1680], 16000));
    CorpusReport report = corpus.validate();
    assertEquals(1, report.tooShort());
    String line = "s0-1: " + corpus.utterance("s0-1").file() + ": frames 8";
    assertEquals(List.of(line), report.firstTooShort());
    assertTrue(
        report
            .toString()
            .contains(
                "\ntoo short   1 with fewer than 9 frames, too short for an embedding\n  " + line),
        report.toString());
  }

  @Test
  void recordingsOfDigitalSilenceAreNamed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 1, 4);
    WavWriter.writePcm16(corpus.utterance("s0-1").file(), new Waveform(new float[9600], 16000));
    float[] nearly = new float[9600];
    nearly[9599] = 0.5f;
    WavWriter.writePcm16(corpus.utterance("s0-2").file(), new Waveform(nearly, 16000));
    Arrays.fill(nearly, 0.5f); // an offset
    WavWriter.writePcm16(corpus.utterance("s0-3").file(), new Waveform(nearly, 16000));
    String report = CorpusReport.of(corpus, true, 1, (_, _) -> {}).toString();
    String first = "\n  s0-1: " + corpus.utterance("s0-1").file();
    String second = "\n  s0-3: " + corpus.utterance("s0-3").file();
    String silent = "\nsilent      2 in which every sample is the same; leave them out";
    assertTrue(report.contains(silent + first + second + "\nbad         0"), report);
  }

  @Test
  void hoursAreRounded() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 1, 1);
    StringBuilder scp = new StringBuilder();
    StringBuilder utt2spk = new StringBuilder();
    WavWriter.writePcm16(folder.resolve("x.wav"), new Waveform(new float[9600], 16000));
    for (int i = 0; i < 60; i++) {
      scp.append("u%d x.wav\n".formatted(i));
      utt2spk.append("u%d s\n".formatted(i));
    }
    Files.writeString(folder.resolve("wav.scp"), scp);
    Files.writeString(folder.resolve("utt2spk"), utt2spk);
    assertEquals(0.01, Corpus.open(corpus.folder()).validate().hours());
  }
}
