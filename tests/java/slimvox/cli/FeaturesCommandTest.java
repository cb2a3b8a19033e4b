package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.AudioFiles;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.MeanNormalization;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.storage.Safetensors;

class FeaturesCommandTest extends CommandLineTest {
  @TempDir Path folder;

  @Test
  void aFileHoldsTheFeaturesOfEachUtterance() throws IOException {
    Path corpus = corpus(folder.resolve("corpus"), 2, 3);
    Path out = folder.resolve("f.safetensors");
    JsonNode json = run("features", corpus, out, "--json", "--threads=1").succeeds().json();
    assertEquals(6, json.get("utterances").asInt());
    assertEquals(2, json.get("speakers").asInt());
    assertEquals(80, json.get("bins").asInt());
    Safetensors file = Safetensors.read(out);
    assertEquals(6, file.names().size());
    Path wav = corpus.resolve("s1/u2.wav");
    Features expected =
        new Fbank(FbankOptions.wespeaker()).compute(AudioFiles.read(wav), wav.toString());
    assertArrayEquals(new long[] {expected.frames(), 80}, file.shape("s1-u2"));
    assertArrayEquals(expected.values(), file.floats("s1-u2"));

    run("features", corpus, out, "--cmn", "--threads=1").succeeds();
    assertArrayEquals(
        MeanNormalization.apply(expected).values(), Safetensors.read(out).floats("s1-u2"));
  }

  @Test
  void aFolderIsTheCacheOfRecipes() throws IOException {
    Path corpus = corpus(folder.resolve("corpus"), 2, 3);
    Path cache = folder.resolve("cache");
    Object[] command = {
      "features", corpus, cache, "--bins=40", "--speeds=1.0,0.9", "--threads=1", "--json"
    };
    assertEquals(12, run(command).succeeds().json().get("computed").asInt());
    assertEquals(0, run(command).succeeds().json().get("computed").asInt());
    try (Stream<Path> files = Files.list(cache)) {
      assertEquals(4, files.count(), "one file a speaker and speed");
    }
  }

  @Test
  void partsAreTheBytesOfOneProcess() throws IOException {
    Path corpus = corpus(folder.resolve("shared-work"), 3, 3);
    Path whole = folder.resolve("whole.safetensors");
    run("features", corpus, whole, "--threads=1").succeeds();
    List<Object> join = new ArrayList<>(List.of("join", folder.resolve("joined.safetensors")));
    Path all = folder.resolve("cache");
    Path shared = folder.resolve("shared-cache");
    run("features", corpus, all, "--threads=1").succeeds();
    for (int i = 1; i <= 2; i++) {
      Path part = folder.resolve("part%d.safetensors".formatted(i));
      run("features", corpus, part, "--threads=1", "--shard=" + i + "/2").succeeds();
      join.add(part);
      run("features", corpus, shared, "--threads=1", "--shard=" + i + "/2").succeeds();
    }
    assertEquals(4, Safetensors.read((Path) join.get(2)).names().size());
    run(join.toArray()).succeeds();
    assertEquals(-1, Files.mismatch(whole, (Path) join.get(1)));
    try (Stream<Path> files = Files.list(all)) {
      for (Path file : files.toList()) {
        assertEquals(-1, Files.mismatch(file, shared.resolve(file.getFileName())));
      }
    }
    run("features", corpus, "--check", "--shard=1/2").isRefusedAsUsage("features", "--shard is");

    // Made in the same way of less: without the hash of the whole one utterance would be missing.
    Path part = (Path) join.get(3);
    Path wav = corpus.resolve("s2/u2.wav");
    Path away = Files.move(wav, folder.resolve("away.wav"));
    run("features", corpus, part, "--threads=1", "--shard=2/2").succeeds();
    run(join.toArray()).failsWith(part + ": is a part of something else than " + join.get(2));
    Files.move(away, wav);
    run("features", corpus, part, "--threads=1", "--shard=2/2", "--resample").succeeds();
    run(join.toArray()).failsWith(part + ": is a part of something else than");

    // A part of which nothing can be used is written, as the others wait for it.
    for (Path recording : List.of(wav, corpus.resolve("s2/u1.wav"))) {
      Files.writeString(recording, "no sound");
    }
    join = new ArrayList<>(join.subList(0, 2));
    for (int i = 1; i <= 5; i++) {
      Path named = folder.resolve("fifth%d.safetensors".formatted(i));
      Run run = run("features", corpus, named, "--threads=1", "--shard=" + i + "/5");
      assertEquals(i == 5 ? 3 : 0, run.code(), run::toString);
      join.add(named);
    }
    assertEquals(List.of(), Safetensors.read((Path) join.getLast()).names());
    run(join.toArray()).succeeds();
    assertEquals(3, run("features", corpus, whole, "--threads=1").code());
    assertEquals(-1, Files.mismatch(whole, (Path) join.get(1)));
  }

  @Test
  void checkReportsWithoutWriting() throws IOException {
    Path corpus = corpus(folder.resolve("corpus"), 2, 3);
    String text = run("features", "--check", corpus).succeeds().out();
    assertTrue(text.contains("utterances  6, 6 usable"), text);
    Files.writeString(corpus.resolve("s0/u1.wav"), "no sound");
    Files.writeString(corpus.resolve("s1/u1.wav"), "no sound either");
    Run bad = run("features", "--check", corpus);
    bad.failsWith("s0-u1: " + corpus.resolve("s0/u1.wav"), "(and 1 more)");
    assertTrue(bad.out().contains("s1-u1: "), bad.out());
  }

  @Test
  void recordingsWithEndingsThatAreNotReadAreNamedWithTheCommandThatConvertsThem()
      throws IOException {
    Path corpus = corpus(folder.resolve("endings"), 2, 2);
    Files.write(corpus.resolve("s0/x.m4a"), new byte[9]);
    Files.write(corpus.resolve("s1/y.OGG"), new byte[9]);
    Files.write(corpus.resolve("s1/notes.txt"), new byte[9]);
    String said =
        corpus
            + ": recordings with endings that are not read (.m4a, .ogg) are left out, 2 in all; to"
            + " make WAV of them: find "
            + corpus
            + " \\( -iname '*.m4a' -o -iname '*.ogg' \\) -exec sh -c 'ffmpeg -nostdin -i \"$1\" -ar"
            + " 16000 -ac 1 \"${1%.*}.wav\"' _ {} ';'";
    Run check = run("features", "--check", corpus).succeeds();
    assertTrue(check.out().contains(said), check.out());
    Path none = folder.resolve("none");
    Files.createDirectories(none.resolve("s0"));
    Files.write(none.resolve("s0/x.m4a"), new byte[9]);
    run("features", "--check", none)
        .failsWith("no corpus", "not read (.m4a) are left out, 1 in all; to make");
  }

  @Test
  void optionsThatDoNotGoTogetherAreRefused() throws IOException {
    Path corpus = corpus(folder.resolve("corpus"), 2, 1);
    run("features", corpus).isRefusedAsUsage("features", "OUT is needed");
    run("features", "--check", corpus, "x").isRefusedAsUsage("features", "leave out OUT");
    Path cache = folder.resolve("cache");
    Path file = folder.resolve("f.safetensors");
    Run normalized = run("features", corpus, cache, "--cmn");
    normalized.isRefusedAsUsage("features", "--cmn is for a .safetensors file");
    Run fast = run("features", corpus, file, "--speeds=1.0,0.9");
    fast.isRefusedAsUsage("features", "--speeds is for a cache folder");
    run("features", corpus, folder.resolve("f.txt"))
        .isRefusedAsUsage("features", "f.txt would be a folder and is named like a file; make it");
    run("features", corpus, corpus)
        .isRefusedAsUsage("features", "OUT " + corpus + " is the corpus itself; give another name");
    for (String option : List.of("--bins=24", "--speeds=1.0,0.9", "--frame-shift=20", "--cmn")) {
      run("features", "--check", corpus, option)
          .isRefusedAsUsage("features", option.split("=")[0] + " is for what is written; leave it");
    }
    Run first = run("features", corpus, cache, "--speeds=0.9");
    first.failsWith("speeds [0.9]: the first must be 1.0");
    Run wide = run("features", corpus, file, "--bins=500");
    wide.failsWith("500 mel filters", "up to 126 filters fit");
    // before recordings are looked at, which takes hours where they are many
    for (Run run : List.of(normalized, fast, first, wide)) assertEquals("", run.out());
  }

  @Test
  void recordingsOfOtherRatesAndLengthsAreReadWhereItIsAskedFor() throws IOException {
    Path corpus = corpus(folder.resolve("corpus"), 2, 1);
    WavWriter.writePcm16(corpus.resolve("s0/u0.wav"), new Waveform(new float[8000], 8000));
    run("features", "--check", corpus).failsWith("8000 Hz where 16000 Hz", "(--resample)");
    run("features", "--check", corpus, "--resample").succeeds();
    run("features", "--check", corpus, "--resample", "--longest=0.01")
        .failsWith("0.02 minutes or more", "(--longest)");
    run("features", "--check", corpus, "--longest=0")
        .isRefusedAsUsage("features", "--longest 0 is not possible; give 0.001 to 100000");
    Path out = folder.resolve("f.safetensors");
    run("features", corpus, out, "--resample", "--threads=1").succeeds();
    assertArrayEquals(new long[] {98, 80}, Safetensors.read(out).shape("s0-u0"));
    run("embed", "m", out, "--features", out, "--resample")
        .isRefusedAsUsage("embed", "leave them out with --features");
  }
}
