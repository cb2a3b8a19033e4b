package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.storage.Safetensors;
import slimvox.train.Checkpoint;

/** Bad input of every kind: one line, exit code 2, and earlier results are as they were. */
class BadInputTest extends CommandLineTest {
  @TempDir static Path shared;
  private static Path checkpoint; // of a tiny network, 40 bins

  private Path folder;
  private Path corpus;
  private Path recipe;

  @BeforeAll
  static void train() throws IOException {
    Path corpus = corpus(shared.resolve("corpus"), 2, 4);
    Path recipe = recipe(shared.resolve("recipe.yaml"), corpus, "null");
    Path out = shared.resolve("run");
    run("train", recipe, "--out", out, "--set=run.length=1 steps").succeeds();
    checkpoint = Checkpoint.latest(out).orElseThrow();
  }

  @BeforeEach
  void corpusOfItsOwn(TestInfo test) throws IOException {
    folder = shared.resolve(test.getTestMethod().orElseThrow().getName());
    corpus = corpus(folder.resolve("corpus"), 2, 4);
    recipe = recipe(folder.resolve("recipe.yaml"), corpus, "null");
  }

  /** Training refuses the recording, with nothing left; features and embed leave it out. */
  private void isRefused(String... parts) throws IOException {
    Path out = folder.resolve("run");
    run("train", recipe, "--out", out).failsWith(parts);
    assertFalse(Files.exists(out), "nothing is left of a run that never started");
    run("features", "--check", corpus, "--quiet").failsWith(parts);

    Path features = folder.resolve("f.safetensors");
    Run run = run("features", corpus, features, "--quiet", "--json");
    leavesOut(run, 1, 8, parts);
    assertEquals(7, Safetensors.read(features).names().size());
    leavesOut(run("features", corpus, folder.resolve("cache"), "--quiet", "--json"), 1, 8, parts);
    Path embeddings = folder.resolve("e.safetensors");
    run = run("embed", checkpoint, corpus, embeddings, "--threads=1", "--quiet", "--json");
    leavesOut(run, 1, 8, parts);
    assertEquals(7, Safetensors.read(embeddings).names().size());
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(5, files.count(), "no temporary file is left");
    }
  }

  private static void leavesOut(Run run, int count, int total, String... parts) {
    assertEquals(3, run.code(), run::toString);
    assertEquals(1, run.err().lines().count(), run.err());
    String start = "slimvox: left out %d of %d utterances, the others are written: s1-u2: ";
    assertTrue(run.err().startsWith(start.formatted(count, total)), run.err());
    for (String part : parts) assertTrue(run.err().contains(part), run.err());
    assertEquals(count, run.json().get("left_out").asInt());
    assertTrue(run.json().get("first_left_out").get(0).asText().startsWith("s1-u2: "));
    assertFalse(run.err().contains("(utterance s1-u2)"), "named once: " + run.err());
  }

  @Test
  void whereNothingCanBeUsedAnEarlierResultStays() throws IOException {
    try (Stream<Path> files = Files.walk(corpus)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) Files.writeString(file, "bad");
    }
    Path features = Files.writeString(folder.resolve("f.safetensors"), "earlier");
    run("features", corpus, features, "--quiet").failsWith("no utterance can be used: s0-u0: ");
    run("features", corpus, folder.resolve("cache"), "--quiet").failsWith("s0-u0", "(and 7 more)");
    Path embeddings = Files.writeString(folder.resolve("e.safetensors"), "earlier");
    run("embed", checkpoint, corpus, embeddings, "--threads=1")
        .failsWith("no utterance can be used: s0-u0: ", "(and 7 more)");
    assertEquals("earlier", Files.readString(features));
    assertEquals("earlier", Files.readString(embeddings));
  }

  @Test
  void aRecordingTooShortForAnEmbeddingIsLeftOut() throws IOException {
    WavWriter.writePcm16(sound("u2.wav"), new Waveform(new float[400], 16000));
    Path embeddings = folder.resolve("e.safetensors");
    Run run = run("embed", checkpoint, corpus, embeddings, "--threads=1", "--json");
    leavesOut(run, 1, 8, "is too short, 1 of the 9 frames that the network needs");
    Run means = run("embed", checkpoint, corpus, embeddings, "--threads=1", "--speaker-means");
    assertEquals(3, means.code());
    assertEquals(2, Safetensors.read(embeddings).names().size());
    String check = run("features", "--check", corpus, "--quiet").succeeds().out();
    assertTrue(check.contains("  s1-u2: " + sound("u2.wav") + ": frames 1"), check);
  }

  private Path sound(String name) {
    return corpus.resolve("s1").resolve(name);
  }

  @Test
  void truncatedSound() throws IOException {
    Path file = sound("u2.wav");
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length - 1001));
    isRefused(file.toString());
  }

  @Test
  void emptySound() throws IOException {
    Files.write(sound("u2.wav"), new byte[0]);
    isRefused(sound("u2.wav").toString(), "empty");
  }

  @Test
  void stereoSound() throws IOException {
    Files.write(sound("u2.wav"), wav(2, 16000));
    isRefused(sound("u2.wav").toString(), "2 channels");
  }

  @Test
  void soundAtEightKilohertz() throws IOException {
    WavWriter.writePcm16(sound("u2.wav"), new Waveform(new float[8000], 8000));
    isRefused(sound("u2.wav").toString(), "8000");
  }

  @Test
  void notSoundAtAll() throws IOException {
    Files.writeString(sound("u2.wav"), "these are words, not sound; quite a lot of them".repeat(9));
    String said = ": not a WAV or FLAC file (it is text); fetch it again, or leave it out";
    isRefused(sound("u2.wav") + said);
  }

  @Test
  void anUtteranceShorterThanAFrame() throws IOException {
    WavWriter.writePcm16(sound("u2.wav"), new Waveform(new float[399], 16000));
    isRefused(sound("u2.wav").toString(), "399");
  }

  @Test
  void aMissingFile() throws IOException {
    Path kaldi = Files.createDirectories(folder.resolve("corpus-kaldi"));
    StringBuilder wavs = new StringBuilder();
    StringBuilder speakers = new StringBuilder();
    for (int i = 0; i < 8; i++) {
      String id = "s%d-u%d".formatted(i / 4, i % 4);
      wavs.append("%s %s\n".formatted(id, corpus.resolve("s%d/u%d.wav".formatted(i / 4, i % 4))));
      speakers.append("%s s%d\n".formatted(id, i / 4));
    }
    Files.writeString(kaldi.resolve("wav.scp"), wavs);
    Files.writeString(kaldi.resolve("utt2spk"), speakers);
    Files.delete(sound("u2.wav"));
    recipe = recipe(folder.resolve("recipe.yaml"), kaldi, "null");
    String missing = sound("u2.wav").toString();
    run("train", recipe, "--out", folder.resolve("run")).failsWith(missing, "no such file");
    run("features", kaldi, folder.resolve("cache")).failsWith(missing, "s1-u2");
    run("embed", checkpoint, kaldi, folder.resolve("e.safetensors")).failsWith(missing);
    assertFalse(Files.exists(folder.resolve("cache")));
    run("features", folder.resolve("nowhere"), folder.resolve("cache")).failsWith("no such folder");
    run("embed", folder.resolve("nothing"), corpus, folder.resolve("e")).failsWith("no such file");
    run("embed", checkpoint.getParent(), corpus, folder.resolve("e"))
        .failsWith("is a folder, a safetensors file is needed; it has " + checkpoint.getFileName());
  }

  @Test
  void oneSpeakerOnly() throws IOException {
    Path one = corpus(folder.resolve("one"), 1, 4);
    recipe = recipe(folder.resolve("recipe.yaml"), one, "null");
    Path out = folder.resolve("run");
    run("train", recipe, "--out", out).failsWith(one + ": one speaker only (s0)", "at least two");
    assertFalse(Files.exists(out));
    String report = run("features", "--check", one).succeeds().out();
    assertTrue(report.contains("one speaker only"), report);
  }

  @Test
  void aTrialWithAnUnknownUtterance() throws IOException {
    Path trials = folder.resolve("trials.txt");
    Files.writeString(trials, "1 s0-u0 s0-u1\n0 s0-u0 s9-u0\n");
    Path embeddings = folder.resolve("e.safetensors");
    run("embed", checkpoint, corpus, embeddings, "--threads=1").succeeds();
    Path scores = Files.writeString(folder.resolve("scores.txt"), "earlier");
    run("score", embeddings, trials, scores).failsWith(trials + ":2: utterance 's9-u0'");
    assertEquals("earlier", Files.readString(scores));
    byte[] before = Files.readAllBytes(embeddings);
    run("embed", checkpoint, corpus, embeddings, "--trials", trials, "--threads=1")
        .failsWith("utterance s9-u0 is not in");
    assertArrayEquals(before, Files.readAllBytes(embeddings));
    run("train", recipe, "--out", folder.resolve("run"), "--set=data.trials=" + trials)
        .failsWith("utterance s9-u0 is not in");
  }

  @Test
  void anOutputThatCannotBeWrittenIsToldBeforeAnythingIsComputed() throws IOException {
    Files.delete(sound("u2.wav")); // would be told otherwise
    Path nowhere = Files.writeString(folder.resolve("file"), "x").resolve("out.safetensors");
    String why = nowhere + ": cannot be written (" + folder.resolve("file") + " is not a folder)";
    run("features", corpus, nowhere).failsWith(why);
    run("embed", checkpoint, corpus, nowhere).failsWith(why);
    run("score", checkpoint, recipe, nowhere).failsWith(why);
    run("pack", checkpoint, nowhere).failsWith(why);
    run("train", recipe, "--out", folder.resolve("file")).failsWith("file is not a folder)");
    run("features", corpus, folder.resolve("file")).failsWith("file is not a folder)");
    Path other = folder.resolve("folder.safetensors");
    why = other + " would be a folder and is named like a file; make it first if it is meant";
    run("train", recipe, "--out", other).isRefusedAsUsage("train", why);
    run("shards", corpus, other).isRefusedAsUsage("shards", why);
    Files.createDirectory(other);
    run("embed", checkpoint, corpus, other).failsWith(other + ": cannot be written, it is not a");
    assertEquals("x", Files.readString(folder.resolve("file")));
  }

  @Test
  void whatIsReadIsNotWrittenOver() throws IOException {
    Path model = Files.copy(checkpoint, folder.resolve("model.safetensors"));
    Path link = Files.createSymbolicLink(folder.resolve("link.safetensors"), model);
    byte[] before = Files.readAllBytes(model);
    run("embed", model, corpus, link)
        .isRefusedAsUsage("embed", "OUT " + link + " is the model itself; give another name");
    Path features = Files.copy(checkpoint, folder.resolve("f.safetensors"));
    run("embed", model, "--features", features, features)
        .isRefusedAsUsage("embed", "OUT " + features + " is the file of features itself");
    Path trials = Files.writeString(folder.resolve("trials"), "1 s0-u0 s0-u1\n");
    run("embed", model, corpus, trials, "--trials", trials)
        .isRefusedAsUsage("embed", "OUT " + trials + " is the trial list itself");
    run("score", model, trials, trials)
        .isRefusedAsUsage("score", "OUT " + trials + " is the trial list itself");
    run("score", model, trials, model)
        .isRefusedAsUsage("score", "OUT " + model + " is the file of embeddings itself");
    run("score", trials, trials, model, "--asnorm", link)
        .isRefusedAsUsage("score", "OUT " + model + " is the cohort itself");
    Path scores = Files.copy(trials, folder.resolve("scores.csv"));
    run("evaluate", scores, trials, "--det", scores)
        .isRefusedAsUsage("evaluate", "OUT " + scores + " is the file of scores itself");
    run("shards", corpus, corpus)
        .isRefusedAsUsage("shards", "OUT " + corpus + " is the corpus itself");
    Path other = Files.createDirectory(folder.resolve("other"));
    for (String list : List.of("shard.list", "feats.scp", "utt2spk")) {
      Path there = Files.writeString(other.resolve(list), "x");
      run("shards", corpus, other)
          .failsWith(other + ": holds a corpus already (" + list + "); name another folder");
      Files.delete(there);
    }
    Path sound = Files.write(other.resolve("1.wav"), new Waveform(new float[8000], 16000).wav());
    run("embed", model, corpus, sound)
        .failsWith(sound + ": is there and holds no embeddings; give another name");
    Path run = Files.createDirectory(folder.resolve("run"));
    Path own = Files.copy(checkpoint, run.resolve(checkpoint.getFileName()));
    run("average", run, "--last=1", "--out", own)
        .isRefusedAsUsage("average", "OUT " + own + " is a checkpoint of the run itself");
    String mean = run("average", run, "--last=1").succeeds().out();
    assertTrue(mean.startsWith("the mean of 1 checkpoint in "), mean);
    run("average", corpus).failsWith(corpus + ": holds no checkpoints; give the folder of a run");
    run("show", corpus).failsWith(corpus + ": cannot be read: is a folder");
    assertArrayEquals(before, Files.readAllBytes(own));
    assertEquals("1 s0-u0 s0-u1\n", Files.readString(scores));
    assertArrayEquals(before, Files.readAllBytes(model));
    assertArrayEquals(before, Files.readAllBytes(features));
    assertEquals("1 s0-u0 s0-u1\n", Files.readString(trials));
  }

  @Test
  void scoresAndTrialsThatDoNotMatch() throws IOException {
    Path trials = Files.writeString(folder.resolve("trials"), "1 a b\n0 a c\n0 b c\n");
    Path scores = folder.resolve("scores");
    Files.writeString(scores, "0.5 a b\n0.1 a c\n");
    run("evaluate", scores, trials).failsWith(scores.toString(), "b c");
    Files.writeString(scores, "0.5 a b\n0.1 a c\n0.3 b d\n");
    run("evaluate", scores, trials).failsWith(scores + ":3", "d");
    Files.writeString(scores, "0.5 a b\nnan a c\n0.3 b c\n");
    run("evaluate", scores, trials).failsWith(scores + ":2", "look for NaN");
    Files.writeString(scores, "0.5 a b\n0,1 a c\n0.3 b c\n");
    String comma = ": score '0,1' has a comma; a number with a decimal point is expected";
    run("evaluate", scores, trials).failsWith(scores + ":2" + comma);
    Files.writeString(scores, "a b 0,1\na c 0,2\nb c 0,3\n");
    run("evaluate", scores, trials).failsWith(scores + ":1" + comma);
    Files.writeString(scores, "0.5 a b\n0.1 a c\n0.2 b c\n");
    run("evaluate", scores, Files.writeString(folder.resolve("one"), "1 a b\n"))
        .failsWith(scores + ":2");
    run("evaluate", scores, trials, "--p-target=1.5").failsWith("p_target 1.5");
    run("evaluate", scores, trials, "--det=curve.svg").failsWith("curve.svg", ".png");
    run("evaluate", scores, trials, "--det", folder.resolve("det.csv")).succeeds();
    run("evaluate", scores, folder.resolve("nothing")).failsWith("nothing", "no such file");
  }

  @Test
  void wordsThatDoNotMatchTheTrials() throws IOException {
    Path trials = Files.writeString(folder.resolve("trials"), "1 a b\n0 a c\n0 d c\n1 d e\n");
    Path scores = Files.writeString(folder.resolve("s"), "4 a b\n3 a c\n1 d c\n2 d e\n");
    Path words = folder.resolve("utt2word");
    Files.writeString(words, "a yes\nb yes\nc yes\nd\n");
    run("evaluate", scores, trials, "--words", words)
        .failsWith(words + ":4: only one field (d); a line is UTTERANCE PHRASE");
    Files.writeString(words, "a yes\nb yes\na no\n");
    run("evaluate", scores, trials, "--words", words)
        .failsWith(words + ":3: a is on an earlier line already; remove one of them");
    Files.writeString(words, "a yes\nb yes\nc yes\nd good morning\n");
    run("evaluate", scores, trials, "--words", words)
        .failsWith("trials:3: 'd' says 'good morning' and 'c' says 'yes'");
    Files.writeString(trials, "1 a b\n0 a c\n0 d f\n1 d e\n");
    Files.writeString(scores, "4 a b\n3 a c\n1 d f\n2 d e\n");
    Files.writeString(words, "a y\nb y\nc y\nd good morning\ne good morning\n");
    run("evaluate", scores, trials, "--words", words)
        .failsWith("trials:3: what 'f' says is not known; add it to the file of words");
    Files.writeString(words, Files.readString(words) + "f good morning\n");
    // Both phrases are told apart without an error; one threshold for both makes one in two.
    var json = run("evaluate", scores, trials, "--words", words, "--json").succeeds().json();
    assertEquals(0, json.at("/phrases/good morning/eer_percent").asDouble());
    assertEquals(0, json.get("mean_phrase_eer_percent").asDouble());
    assertEquals(50, json.get("eer_percent").asDouble());
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      String table = run("evaluate", scores, trials, "--words", words).succeeds().out();
      assertTrue(table.contains("mean of the phrases' EERs: 0.00 %"), table);
      assertTrue(table.lines().anyMatch(l -> l.matches("y +0[.]00 +0[.]000 +1 +1")), table);
    } finally {
      Locale.setDefault(before);
    }
  }

  @Test
  void recipesWithFaults() throws IOException {
    Path out = folder.resolve("run");
    Path file = folder.resolve("bad.yaml");
    Files.writeString(file, "model:\n  widht: 8\n");
    run("train", file, "--out", out).failsWith("bad.yaml: line 2: ", "widht", "width");
    Files.writeString(file, "run:\n  batch: many\n");
    run("train", file, "--out", out).failsWith("bad.yaml: line 2: ", "run.batch", "many");
    Files.writeString(file, "model:\n  width: -4\n");
    run("train", file, "--out", out).failsWith("bad.yaml: line 2: ", "model.width", "-4");
    run("train", recipe, "--out", out, "--set", "data.fold=3").failsWith("data.fold");
    run("train", recipe, "--out", out, "--set", "batch=3").failsWith("batch", "run.batch");
    assertFalse(Files.exists(out));
  }

  @Test
  void aCheckpointOfAnotherModel() throws IOException {
    Path out = Files.writeString(folder.resolve("e.safetensors"), "earlier");
    run("embed", checkpoint, corpus, out, "--model=ResNet34")
        .failsWith(checkpoint + ": the checkpoint is of another model", "ResNet18, not ResNet34");
    run("embed", checkpoint, corpus, out, "--width=8").failsWith("--width 4, not 8");
    Path features = folder.resolve("f.safetensors");
    run("features", corpus, features, "--bins=24").succeeds();
    run("embed", checkpoint, "--features", features, out).failsWith("24 bins", "made for 40");
    Path embeddings = folder.resolve("vectors.safetensors");
    Safetensors.writer().put("s0-u0", new long[] {2}, new float[] {1, 2}).write(embeddings);
    run("embed", embeddings, corpus, out).failsWith("no tensor conv1.weight");
    assertEquals("earlier", Files.readString(out));
  }

  @Test
  void aModelWhoseTrainingWentWrong() throws IOException {
    Path bad = folder.resolve("bad.safetensors");
    for (String name : List.of("layer2.0.conv1.weight", "bn1.running_var")) {
      float wrong = name.endsWith("var") ? -1 : Float.NaN;
      altered(checkpoint, name, 2, wrong, bad);
      String message =
          "%s: tensor %s is %s at index 2: its training went wrong; take an earlier checkpoint"
              .formatted(bad, name, wrong);
      run("embed", bad, corpus, folder.resolve("e.safetensors")).failsWith(message);
      run("export", bad, folder.resolve("e.onnx")).failsWith(message);
    }
  }

  /** A module that was pickled whole: its class would be run by whoever makes it. */
  @Test
  void aForeignFileOfPyTorch() throws IOException {
    Path foreign = Path.of("tests/data/models/pt/whole.pt");
    String message = foreign + ": whole/data.pkl: byte 2: class torch.nn.modules.linear.Linear";
    Path out = Files.writeString(folder.resolve("earlier.safetensors"), "earlier");
    Path trials = Files.writeString(folder.resolve("trials"), "1 s0-u0 s0-u1\n");
    run("embed", foreign, corpus, out).failsWith(message);
    run("score", foreign, trials, out).failsWith(message);
    run("convert", foreign, out).failsWith(message);
    assertEquals("earlier", Files.readString(out));
    Path run = folder.resolve("run");
    run("train", recipe, "--out", run, "--init", foreign).failsWith(message);
    assertFalse(Files.exists(run));
  }

  @Test
  void aDamagedCheckpoint() throws IOException {
    byte[] bytes = Files.readAllBytes(checkpoint);
    Path out = Files.writeString(folder.resolve("e.safetensors"), "earlier");
    Path run = folder.resolve("run");
    run("train", recipe, "--out", run).succeeds();
    Path latest = Checkpoint.latest(run).orElseThrow();
    for (int flip : new int[] {3, 300, bytes.length / 2, bytes.length - 1}) {
      byte[] damaged = bytes.clone();
      damaged[flip] ^= 16;
      Files.write(latest, damaged);
      run("embed", latest, corpus, out, "--threads=1").failsWith(latest.toString());
      run("train", "--resume", "--out", run).failsWith(latest.toString());
      assertArrayEquals(damaged, Files.readAllBytes(latest));
    }
    for (int length : new int[] {0, 5, 500, bytes.length - 1}) {
      Files.write(latest, Arrays.copyOf(bytes, length));
      run("embed", latest, corpus, out, "--threads=1").failsWith(latest.toString());
      run("train", "--resume", "--out", run).failsWith(latest.toString());
    }
    assertEquals("earlier", Files.readString(out));
  }

  /**
   * In a process of its own, which sees a disk of 64 kB with one full file and an earlier result.
   */
  private Run onAFullDisk(Path disk, Object... args) throws Exception {
    String script =
        """
        mount -t tmpfs -o size=64k none "$0" || exit 77
        cd "$0" && echo earlier > out.safetensors && dd if=/dev/zero of=fill bs=1k 2>/dev/null
        "$@"
        code=$?
        cat out.safetensors
        ls -A | grep tmp && echo a temporary file is left
        exit $code
        """;
    List<String> command = new ArrayList<>(List.of("unshare", "-rm", "sh", "-c", script));
    command.add(disk.toString());
    command.addAll(slimvoxProcess());
    for (Object arg : args) command.add(arg.toString());
    Path out = folder.resolve("stdout");
    Path err = folder.resolve("stderr");
    Process process;
    try {
      process =
          new ProcessBuilder(command)
              .redirectOutput(out.toFile())
              .redirectError(err.toFile())
              .start();
    } catch (IOException e) {
      Assumptions.abort("a small disk needs Linux' unshare: " + e.getMessage());
      throw e;
    }
    int code = process.waitFor();
    String errors = Files.readString(err);
    Assumptions.assumeFalse(
        code == 77 || errors.startsWith("unshare:"), "a small disk may not be mounted: " + errors);
    return new Run(
        code,
        Files.readString(out),
        errors.lines().filter(l -> !l.startsWith("WARNING:")).collect(Collectors.joining("\n")));
  }

  @Test
  void aFullDisk() throws Exception {
    Path disk = Files.createDirectories(folder.resolve("disk"));
    Path out = disk.resolve("out.safetensors");
    Run features = onAFullDisk(disk, "features", corpus, out, "--quiet");
    features.failsWith(out + ": disk full", "an earlier file is untouched");
    assertEquals("earlier\n", features.out());
    Run train = onAFullDisk(disk, "train", recipe, "--out", disk.resolve("run"), "--quiet");
    train.failsWith(disk.resolve("run").toString(), "disk full");
    assertEquals("earlier\n", train.out());
    Run shards = onAFullDisk(disk, "shards", corpus, disk.resolve("tars"), "--quiet");
    shards.failsWith(disk.resolve("tars").toString(), "disk full");
    assertEquals("earlier\n", shards.out());
  }

  /** A tenth of a second of silence in 16-bit PCM. */
  private static byte[] wav(int channels, int rate) {
    int bytes = rate / 10 * channels * 2;
    ByteBuffer wav = ByteBuffer.allocate(44 + bytes).order(ByteOrder.LITTLE_ENDIAN);
    wav.put("RIFF".getBytes()).putInt(36 + bytes).put("WAVEfmt ".getBytes()).putInt(16);
    wav.putShort((short) 1).putShort((short) channels).putInt(rate);
    wav.putInt(rate * channels * 2).putShort((short) (channels * 2)).putShort((short) 16);
    wav.put("data".getBytes()).putInt(bytes);
    return wav.array();
  }

  @Test
  void textWithoutEndIsRefusedWhereItIsRead() throws IOException {
    Path zero = Path.of("/dev/zero");
    Assumptions.assumeTrue(Files.exists(zero), "this machine has no /dev/zero");
    Path trials = Files.writeString(folder.resolve("trials"), "1 a b\n0 a c\n");
    run("train", zero, "--out", folder.resolve("run")).failsWith("/dev/zero: is not a recipe");
    run("evaluate", zero, trials).failsWith("/dev/zero:1: a line of more than 1048576 characters");
    run("evaluate", trials, zero).failsWith("/dev/zero:1: a line of more than");
    run("evaluate", trials, trials, "--words", zero).failsWith("/dev/zero:1: a line of more than");
    Path kaldi = Files.createDirectories(folder.resolve("kaldi"));
    Files.createSymbolicLink(kaldi.resolve("wav.scp"), zero);
    Files.writeString(kaldi.resolve("utt2spk"), "a b\n");
    run("features", "--check", kaldi).failsWith("wav.scp");
    Files.delete(kaldi.resolve("wav.scp"));
    Files.writeString(kaldi.resolve("wav.scp"), "x".repeat(1 << 21));
    run("features", "--check", kaldi).failsWith("wav.scp:1: a line of more than");
  }

  @Test
  void namesGiveTheTerminalNoOrders() throws IOException {
    Path trials = Files.writeString(folder.resolve("trials"), "1 a b\n0 a c\n");
    String orders = "x\u001b]0;owned\u0007\u009b31m\u202e\u2028y";
    String shown = "x\\u001b]0;owned\\u0007\\u009b31m\\u202e\\u2028y";
    run("evaluate", folder.resolve(orders), trials).failsWith(shown);
    Path named = Files.writeString(folder.resolve(orders), "1 a b\n0 a c\n");
    Run run = run("evaluate", trials, named, "--json").succeeds();
    assertTrue(run.out().toLowerCase(Locale.ROOT).contains(shown), run.out());
    assertTrue(run.json().get("trial_list").asText().endsWith(orders), run.out());
    assertTrue(run("evaluate", trials, named).succeeds().out().contains(shown));
  }
}
