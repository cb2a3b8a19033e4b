package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.AudioFiles;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Waveform;
import slimvox.storage.InputException;

class FeatureCacheTest {
  @TempDir Path folder;

  private Path cache() {
    return folder.resolve("cache");
  }

  private FeatureCache build(Corpus corpus, Double... speeds) throws Exception {
    FeatureReader reader = SyntheticCorpus.reader(corpus, speeds);
    return new FeatureCache(cache(), reader, corpus).build(2, FeatureSource.Progress.NONE);
  }

  private List<Path> files() throws Exception {
    try (var files = Files.list(cache())) {
      return files.sorted().toList();
    }
  }

  @Test
  void cacheMemoryAndReaderGiveTheSameBits() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 3, 3);
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0, 0.9, 1.1);
    FeatureCache cache = build(corpus, 1.0, 0.9, 1.1);
    FeatureMemory memory = new FeatureMemory(reader).load(corpus, 2, FeatureSource.Progress.NONE);
    for (Utterance utterance : corpus.utterances()) {
      for (int speed = 0; speed < 3; speed++) {
        float[] expected = SyntheticCorpus.values(reader.features(utterance, speed));
        assertArrayEquals(expected, SyntheticCorpus.values(cache.features(utterance, speed)));
        assertArrayEquals(expected, SyntheticCorpus.values(memory.features(utterance, speed)));
      }
      assertTrue(
          reader.features(utterance, 1).frames() > reader.features(utterance, 2).frames(),
          "a recording at speed 0.9 is longer than at 1.1");
    }
    assertEquals(27, cache.computed());
  }

  @Test
  void bytesAreEstimatedBeforeAnythingIsComputed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 3);
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0, 0.9);
    long exact = 0;
    for (Utterance utterance : corpus.utterances()) {
      for (FeatureView view : reader.allSpeeds(utterance)) exact += view.values().byteSize();
    }
    assertEquals(exact, reader.bytes(corpus.utterances()), exact * 0.1);
    assertEquals(0, reader.bytes(List.of()));
    List<Utterance> many = Collections.nCopies(1_000_000, corpus.utterance("s0-1"));
    assertEquals(exact / 6 * 1e6, reader.bytes(many), exact / 6 * 1e5);
    String message =
        refused(() -> FeatureMemory.requireHeap(1L << 50, "features of x", "set data.cacheFolder"));
    assertTrue(
        message.startsWith("features of x take about 1,073,741,824 MiB in memory, the Java heap"),
        message);
    assertTrue(message.contains("; set data.cacheFolder (SLIMVOX_XMX="), message);
    FeatureMemory.requireHeap(1 << 20, "features of x", "");
  }

  @Test
  void whatIsThereIsNotComputedAgain() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 4, 2);
    assertEquals(8, build(corpus, 1.0).computed());
    assertEquals(0, build(corpus, 1.0).computed());
    assertEquals(0, build(corpus.fold(1, 2).train(), 1.0).computed(), "folds share files");
    assertEquals(8, build(corpus, 1.0, 1.1).computed(), "only the new speed is computed");
    FeatureReader other =
        FeatureReader.of(corpus, FbankOptions.wespeaker().withBins(24), List.of(1.0));
    FeatureCache otherCache = new FeatureCache(cache(), other, corpus);
    assertEquals(24, otherCache.features(corpus.utterance("s0-0"), 0).bins());
    assertEquals(2, otherCache.computed(), "one speaker, on demand");
  }

  @Test
  void changedRecordingIsComputedAgain() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    build(corpus, 1.0);
    Path sound = corpus.utterance("s1-0").file();
    Files.copy(
        corpus.utterance("s0-1").file(), sound, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    FeatureCache again = build(corpus, 1.0);
    assertEquals(2, again.computed());
    assertArrayEquals(
        SyntheticCorpus.values(again.features(corpus.utterance("s0-1"), 0)),
        SyntheticCorpus.values(again.features(corpus.utterance("s1-0"), 0)));
  }

  @Test
  void damagedAndCutFilesAreComputedAgain() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 3, 2);
    FeatureCache good = build(corpus, 1.0);
    List<float[]> expected = new ArrayList<>();
    for (Utterance u : corpus.utterances()) {
      expected.add(SyntheticCorpus.values(good.features(u, 0)));
    }
    List<Path> files = files();
    assertEquals(3, files.size());
    byte[] flipped = Files.readAllBytes(files.get(0));
    flipped[flipped.length - 100] ^= 4;
    // Beside the mapped files, as a broken disk or another program would leave them.
    Files.delete(files.get(0));
    Files.write(files.get(0), flipped);
    byte[] cut = java.util.Arrays.copyOf(Files.readAllBytes(files.get(1)), 1000);
    Files.delete(files.get(1));
    Files.write(files.get(1), cut);
    Files.delete(files.get(2));
    FeatureCache again = build(corpus, 1.0);
    assertEquals(4, again.computed(), "sums are looked at when an utterance is used");
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(
          expected.get(i), SyntheticCorpus.values(again.features(corpus.utterances().get(i), 0)));
    }
    assertEquals(6, again.computed());
    assertEquals(0, build(corpus, 1.0).computed());
  }

  @Test
  void fileCutShortUnderARunIsComputedAgainOrNamed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    float[] expected =
        SyntheticCorpus.values(
            SyntheticCorpus.reader(corpus, 1.0).features(corpus.utterance("s0-0"), 0));
    FeatureCache cache = build(corpus, 1.0);
    FeatureView used = cache.features(corpus.utterance("s1-0"), 0);
    float[] into = new float[used.frames() * used.bins()];
    for (int i = 0; i < 20_000; i++) used.copy(0, 1, into, 0); // compiled, as in training
    for (Path file : files()) {
      try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
        cut.setLength(100);
      }
    }
    assertTrue(
        refused(() -> used.copy(0, used.frames(), into, 0))
            .contains(".safetensors: became shorter while it was read; start again"));
    assertArrayEquals(
        expected, SyntheticCorpus.values(cache.features(corpus.utterance("s0-0"), 0)));
    assertEquals(6, cache.computed(), "one speaker twice");
    assertEquals(2, build(corpus, 1.0).computed(), "the other one at the next start");
  }

  @Test
  void replacedRecordingOfTheSameSizeAndTimeIsComputedAgain() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 1);
    Path sound = corpus.utterance("s1-0").file();
    FileTime time = FileTime.fromMillis(1_600_000_000_000L);
    Files.setLastModifiedTime(sound, time);
    build(corpus, 1.0);
    Thread.sleep(20); // clocks of file systems tick every few milliseconds
    Files.copy(corpus.utterance("s0-0").file(), sound, StandardCopyOption.REPLACE_EXISTING);
    Files.setLastModifiedTime(sound, time);
    assertEquals(1, build(corpus, 1.0).computed());
  }

  @Test
  void interruptIsNoDamage() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    build(corpus, 1.0);
    FeatureCache warm = new FeatureCache(cache(), SyntheticCorpus.reader(corpus, 1.0), corpus);
    Thread.currentThread().interrupt();
    assertThrows(InputException.class, () -> warm.features(corpus.utterance("s0-0"), 0));
    assertTrue(Thread.interrupted());
    assertEquals(20, warm.features(corpus.utterance("s0-0"), 0).bins());
    assertEquals(0, warm.computed());
  }

  @Test
  void segmentsOfARecordingAreCutAsKaldiDoes() throws Exception {
    Corpus whole = SyntheticCorpus.write(folder, 1, 1); // 4,800 samples
    Files.writeString(
        folder.resolve("segments"),
        "a s0-0 0 0.1\nb s0-0 0.05 -1\nc s0-0 0.1 0.7\nd s0-0 0.1 0.9\n");
    Files.writeString(folder.resolve("utt2spk"), "a x\nb x\nc y\nd z\n");
    Corpus corpus = Corpus.open(folder);
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0);
    Waveform sound = AudioFiles.read(whole.utterance("s0-0").file());
    int[][] ranges = {{0, 1600}, {800, 4800}, {1600, 4800}};
    for (int i = 0; i < 3; i++) {
      Waveform part =
          new Waveform(Arrays.copyOfRange(sound.samples(), ranges[i][0], ranges[i][1]), 16000);
      assertArrayEquals(
          new Fbank(FbankOptions.wespeaker().withBins(20)).compute(part, "x").values(),
          SyntheticCorpus.values(reader.features(corpus.utterances().get(i), 0)));
    }
    assertEquals(
        whole.utterance("s0-0").file()
            + ": has 0.30 s, the segment is from 0.10 s to 0.90 s; correct segments (utterance d)",
        assertThrows(RecordingException.class, () -> reader.features(corpus.utterance("d"), 0))
            .getMessage());
    assertEquals(
        (10 + 25 + 20) * 80L,
        reader.bytes(corpus.without(List.of("d")).utterances()),
        80,
        "bytes by the segments' lengths");
    build(corpus.without(List.of("d")), 1.0);
    Files.writeString(
        folder.resolve("segments"), "a s0-0 0 0.1\nb s0-0 0.05 0.3\nc s0-0 0.2 0.3\n");
    Files.writeString(folder.resolve("utt2spk"), "a x\nb x\nc y\n");
    assertEquals(3, build(Corpus.open(folder), 1.0).computed(), "other times, other features");
    CorpusReport report = corpus.validate();
    assertEquals(List.of(3, 1), List.of(report.utterances() - report.bad(), report.bad()));
    assertTrue(report.firstBad().getFirst().startsWith("d: "), report.toString());
  }

  @Test
  void badRecordingsAreLeftOutWhereThatIsAskedFor() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 3);
    for (String id : List.of("s1-0", "s1-2")) Files.write(corpus.utterance(id).file(), new byte[9]);
    Set<String> bad = new TreeSet<>();
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0);
    FeatureCache cache = new FeatureCache(cache(), reader, corpus);
    cache.build(1, FeatureSource.Progress.NONE, e -> bad.add(e.utterance()));
    assertEquals(Set.of("s1-0", "s1-2"), bad);
    assertEquals(3, cache.computed());
    assertEquals(1, build(corpus.without(bad), 1.0).computed());
    bad.clear();
    FeatureMemory memory = new FeatureMemory(reader);
    memory.load(corpus, 2, FeatureSource.Progress.NONE, e -> bad.add(e.utterance()));
    assertEquals(Set.of("s1-0", "s1-2"), bad);
  }

  @Test
  void cacheThatCannotBeWrittenIsToldBeforeRecordingsAreRead() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 1, 1);
    Files.write(corpus.utterance("s0-0").file(), new byte[9]); // would be told otherwise
    Path file = Files.writeString(folder.resolve("cache"), "a file");
    assertTrue(
        refused(() -> build(corpus, 1.0))
            .endsWith(": cannot be written (" + file + " is not a folder)"));
  }

  @Test
  void leftoversOfAKilledRunAreRemoved() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    Files.createDirectories(cache());
    Files.write(cache().resolve(".x.safetensors.01234567.slimvox-tmp"), new byte[100]);
    assertEquals(4, build(corpus, 1.0).computed());
    assertEquals(2, files().size());
    assertEquals(0, build(corpus, 1.0).computed());
  }

  @Test
  void progressRisesToTheTotal() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 3, 2);
    List<String> told = Collections.synchronizedList(new ArrayList<>());
    new FeatureCache(cache(), SyntheticCorpus.reader(corpus, 1.0), corpus)
        .build(1, (done, total) -> told.add(done + "/" + total));
    assertEquals(List.of("2/6", "4/6", "6/6"), told);
    told.clear();
    new FeatureMemory(SyntheticCorpus.reader(corpus, 1.0))
        .load(corpus, 1, (done, total) -> told.add(done + "/" + total));
    assertEquals(List.of("1/6", "2/6", "3/6", "4/6", "5/6", "6/6"), told);
  }

  @Test
  void badRecordingStopsTheBuildAndNamesItsFile() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    Path file = corpus.utterance("s1-1").file();
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, java.util.Arrays.copyOf(bytes, 2000));
    FeatureCache cache = new FeatureCache(cache(), SyntheticCorpus.reader(corpus, 1.0), corpus);
    String message = refused(() -> cache.build(1, FeatureSource.Progress.NONE));
    assertTrue(message.startsWith(file + ": "), message);
    assertEquals(-1, message.indexOf('\n'));
    assertEquals(1, files().size(), "the good speaker's features are kept");
  }

  @Test
  void utteranceOfAnotherCorpusIsRefused() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 3, 2);
    FeatureCache cache = build(corpus.subset(List.of("s0", "s1")), 1.0);
    assertRefused(
        cache()
            + ": the cache was made for "
            + folder.getFileName()
            + ", 2 speakers, which has no such utterance s2-0",
        () -> cache.features(corpus.utterance("s2-0"), 0));
  }

  @Test
  void missingRecordingIsNamedBeforeAnythingIsComputed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    Path file = corpus.utterance("s0-1").file();
    Files.delete(file);
    assertRefused(
        file + ": no such file (utterance s0-1); correct " + folder + " or put the file there",
        () -> build(corpus, 1.0));
  }

  @Test
  void interruptedBuildStops() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 3, 3);
    FeatureCache cache = new FeatureCache(cache(), SyntheticCorpus.reader(corpus, 1.0), corpus);
    Thread.currentThread().interrupt();
    AtomicInteger closed = new AtomicInteger();
    FeatureSource.Progress progress =
        new FeatureSource.Progress() {
          @Override
          public void at(int done, int total) {
            assertEquals(0, closed.get(), "told after its end");
          }

          @Override
          public void close() {
            closed.incrementAndGet();
          }
        };
    assertThrows(InterruptedException.class, () -> cache.build(1, progress));
    assertEquals(1, closed.get());
    assertEquals(20, build(corpus, 1.0).features(corpus.utterance("s2-2"), 0).bins());
  }

  @Test
  void impossibleSpeedsAreNamed() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 1);
    assertRefused(
        "speeds [0.9, 1.0]: the first must be 1.0", () -> SyntheticCorpus.reader(corpus, 0.9, 1.0));
    for (Double wrong : List.of(1.0, 3.0, Double.NaN, 0.905)) {
      assertRefused(
          "speeds [1.0, " + wrong + "]: each from 0.5 to 2 in whole hundredths, and only once",
          () -> SyntheticCorpus.reader(corpus, 1.0, wrong));
    }
  }

  @Test
  void fullHeapIsALineThatSaysSo() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    FeatureReader reader = SyntheticCorpus.reader(corpus, 1.0);
    FeatureSource full =
        new FeatureSource() {
          @Override
          public int bins() {
            return reader.bins();
          }

          @Override
          public List<Double> speeds() {
            return reader.speeds();
          }

          @Override
          public FeatureView features(Utterance utterance, int speed) {
            throw new OutOfMemoryError("Java heap space");
          }
        };
    FeatureMemory memory = new FeatureMemory(full);
    String message = refused(() -> memory.load(corpus, 2, FeatureSource.Progress.NONE));
    assertTrue(message.startsWith("features do not fit the Java heap of "), message);
    assertTrue(message.contains("SLIMVOX_XMX"), message);
    assertEquals(
        "x.flac: does not fit the Java heap of "
            + (Runtime.getRuntime().maxMemory() >> 20)
            + " MiB beside what is in it; give more (SLIMVOX_XMX=8g), use fewer threads, or leave"
            + " it out (utterance u)",
        RecordingException.outOfMemory("u", Path.of("x.flac"), new OutOfMemoryError())
            .getMessage());
  }
}
