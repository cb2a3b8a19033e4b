package slimvox.data;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.ChannelSettings;
import slimvox.audio.FbankOptions;
import slimvox.audio.FlacEncoder;
import slimvox.audio.SpecAugment;
import slimvox.audio.Waveform;

class TarShardsTest {
  @TempDir Path folder;
  private Path out;

  @BeforeEach
  void place() {
    out = folder.resolve("out");
  }

  /** WAV and FLAC files and segments of both. */
  private Corpus corpus() throws Exception {
    Path in = Files.createDirectories(folder.resolve("in"));
    SyntheticCorpus.write(in, 3, 3);
    int[] values = new int[40_000];
    SplittableRandom random = new SplittableRandom(5);
    for (int i = 0; i < values.length; i++) values[i] = (int) random.nextGaussian(0, 3000);
    Files.write(in.resolve("f.flac"), new FlacEncoder(random, 16).encode(values, 192));
    String scp = Files.readString(in.resolve("wav.scp"));
    Files.writeString(in.resolve("wav.scp"), scp + "f f.flac\n");
    StringBuilder segments = new StringBuilder("f f 0 -1\nf-part f 0.1 1.0\n");
    StringBuilder utt2spk = new StringBuilder("f x\nf-part x\n");
    for (String line : scp.split("\n")) {
      String id = line.split(" ")[0];
      segments.append("%s %s 0 -1\n".formatted(id, id));
      utt2spk.append("%s %s\n".formatted(id, id.substring(0, 2)));
    }
    segments.append("s0-0-part s0-0 0.02 0.25\n");
    utt2spk.append("s0-0-part s0\n");
    Files.writeString(in.resolve("segments"), segments);
    Files.writeString(in.resolve("utt2spk"), utt2spk);
    return Corpus.open(in);
  }

  private static FeatureReader reader(Corpus corpus) {
    return FeatureReader.of(corpus, FbankOptions.wespeaker().withBins(20), List.of(1.0, 0.9));
  }

  @Test
  void archivesHoldTheSameUtterancesWithAndWithoutTheirIndex() throws Exception {
    Corpus corpus = corpus();
    TarShards.write(corpus, out, 5, FeatureSource.Progress.NONE);
    assertEquals(3, Files.readAllLines(out.resolve("shard.list")).size());
    BatchSettings settings = SyntheticCorpus.settings(6, 20, 1, true, SpecAugment.NONE, 3);
    Batches expected = new Batches(corpus, reader(corpus), settings);
    for (boolean indexed : new boolean[] {true, false}) {
      if (!indexed) Files.delete(out.resolve("wav.scp"));
      Corpus shards = Corpus.open(out).requireFiles();
      assertEquals(corpus.sha256(), shards.sha256());
      Batches streamed = new Batches(shards, new SoundSource(reader(shards), false), settings);
      for (int i = 0; i < 2 * expected.batchesPerEpoch(); i++) {
        int epoch = i / expected.batchesPerEpoch();
        int index = i % expected.batchesPerEpoch();
        assertArrayEquals(
            expected.batch(epoch, index).features(), streamed.batch(epoch, index).features());
      }
    }
  }

  @Test
  void aBufferIsDrawnFromWhileArchivesAreReadFromTheirStarts() throws Exception {
    Corpus corpus = corpus();
    TarShards.write(corpus, out, 4, FeatureSource.Progress.NONE);
    Corpus shards = Corpus.open(out);
    BatchSettings settings =
        new BatchSettings(
            4, 20, 1, true, SpecAugment.NONE, 3, null, ChannelSettings.usual(0), 2, false);
    Batches batches = new Batches(shards, new SoundSource(reader(shards), false), settings);
    Set<List<String>> orders = new HashSet<>();
    for (int epoch = 0; epoch < 4; epoch++) {
      String[] ids = new String[12];
      for (int i = 0; i < 3; i++) {
        System.arraycopy(batches.batch(epoch, i).utterances(), 0, ids, 4 * i, 4);
      }
      assertEquals(12, Set.of(ids).size(), "each recording once");
      orders.add(List.of(ids));
      // Of the first recordings only what lies in two files was in the buffer.
      Set<Path> files = new HashSet<>();
      for (int i = 0; i < 3; i++) files.add(shards.utterance(ids[i]).file());
      assertTrue(files.size() <= 2, files.toString());
      assertArrayEquals(batches.batch(epoch, 1).utterances(), Arrays.copyOfRange(ids, 4, 8));
    }
    assertEquals(4, orders.size());
  }

  private void archive(String name, Object... members) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
      for (int i = 0; i < members.length; i += 2) {
        byte[] content =
            members[i + 1] instanceof String text
                ? text.getBytes(StandardCharsets.UTF_8)
                : (byte[]) members[i + 1];
        TarArchiveEntry entry = new TarArchiveEntry((String) members[i]);
        entry.setSize(content.length);
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
      }
    }
    Files.createDirectories(out);
    Files.write(out.resolve(name), bytes.toByteArray());
    Files.writeString(out.resolve("shard.list"), name + "\n");
  }

  private static byte[] sound() {
    return new Waveform(new float[8000], 16000).wav();
  }

  @Test
  void membersMayComeInAnyOrder() throws Exception {
    archive("a.tar", "a.spk", "x", "b.wav", sound(), "a.wav", sound(), "b.spk", " y\n");
    Corpus corpus = Corpus.open(out);
    assertEquals(List.of("x", "y"), corpus.speakers());
    assertEquals(48, reader(corpus).features(corpus.utterance("b"), 0).frames());
  }

  @Test
  void badArchivesAreRefusedByMember() throws Exception {
    Path file = out.resolve("a.tar");
    archive("a.tar", "a.wav", sound(), "b.wav", sound(), "b.spk", "y");
    assertRefused(
        file + ": a has no speaker, .spk; leave it out, or make the archive again",
        () -> Corpus.open(out));
    archive("a.tar", "a.spk", "x");
    assertRefused(
        file + ": a has no sound, .wav or .flac; leave it out, or make the archive again",
        () -> Corpus.open(out));
    archive("a.tar", "a.spk", "x", "a.wav", sound(), "a.txt", "hello");
    assertRefused(
        file + ", member a.txt: is neither .wav, .flac nor .spk; leave it out of the archive",
        () -> Corpus.open(out));
    for (String name : List.of("", " ", "a b", "\n")) {
      archive("a.tar", "a.spk", name, "a.wav", sound());
      assertRefused(
          "%s, member a.spk: a speaker is one word, not '%s'; make the archive again"
              .formatted(file, name.strip()),
          () -> Corpus.open(out));
    }
    archive("a.tar", "a.spk", "jos\u00e9".getBytes(ISO_8859_1), "a.wav", sound());
    assertRefused(
        file + ", member a.spk: is not UTF-8; make the archive again", () -> Corpus.open(out));
    archive("a.tar", "a.spk", "x", "a.wav", sound(), "b.spk", "x", "b.wav", sound());
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, 20_000));
    String message = refused(() -> Corpus.open(out));
    assertTrue(message.startsWith(file + ": ") && message.endsWith("; copy it again"), message);
    Files.delete(file);
    message = refused(() -> Corpus.open(out));
    assertTrue(message.startsWith(file + ": no such file"), message);
  }

  /** Only when it is used: what was learnt before stays. */
  @Test
  void anIndexThatDoesNotFitIsRefusedByPlace() throws Exception {
    archive("a.tar", "a.spk", "x", "a.wav", sound(), "b.spk", "x", "b.wav", sound());
    Files.writeString(out.resolve("wav.scp"), "a a.tar:1537\nb a.tar:999999\n");
    Files.writeString(out.resolve("utt2spk"), "a x\nb y\n");
    Corpus corpus = Corpus.open(out);
    Path file = out.resolve("a.tar");
    assertRefused(
        file
            + ":1537: no WAV or FLAC file starts there (bytes 49 46 46 a4 3e 00 00 57 41 56 45 66);"
            + " make the list again (utterance a)",
        () -> reader(corpus).features(corpus.utterance("a"), 0));
    assertRefused(
        "%s:999999: the file has %d bytes; make the list again (utterance b)"
            .formatted(file, Files.size(file)),
        () -> reader(corpus).features(corpus.utterance("b"), 0));
    Files.writeString(out.resolve("wav.scp"), "a a.tar:1536\nb a.tar:1536\n");
    Corpus right = Corpus.open(out);
    assertEquals(48, reader(right).features(right.utterance("a"), 0).frames());
    Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 5000));
    assertRefused(
        file
            + ":1536: the archive is cut short at byte 5000, in this member; copy it again"
            + " (utterance a)",
        () -> reader(right).features(right.utterance("a"), 0));
  }
}
