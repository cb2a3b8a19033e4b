package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;

/** Runs the scripts of data-scripts/ on tiny trees, good and bad. */
class CorpusScriptsTest {
  private static final Path SHIPPED = Path.of("data-scripts/arabic-speech-commands");

  @TempDir Path folder;

  private record Run(int status, String output) {}

  @BeforeAll
  static void pythonIsThere() throws Exception {
    boolean there;
    try {
      Process process = new ProcessBuilder("python3", "-c", "pass").start();
      there = process.waitFor() == 0;
    } catch (IOException e) {
      there = false;
    }
    assumeTrue(there, "python3 is not installed; the corpus scripts are not tested");
  }

  private Run run(String script, Object... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("python3", "-B", "data-scripts/" + script));
    for (Object argument : arguments) command.add(argument.toString());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    return new Run(process.waitFor(), output);
  }

  /** Runs a script that must refuse its input with one line. */
  private String refusal(String script, Object... arguments) throws Exception {
    Run run = run(script, arguments);
    List<String> lines = run.output().lines().filter(l -> l.startsWith(script)).toList();
    assertEquals(2, run.status(), run.output());
    assertEquals(1, lines.size(), run.output());
    assertFalse(run.output().contains("Traceback"), run.output());
    return lines.getFirst().substring(script.length() + 2);
  }

  private Path wav(String path, int rate) throws Exception {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    WavWriter.writePcm16(file, new Waveform(new float[800], rate));
    return file;
  }

  /** A FLAC file's header: all that the scripts look at. */
  private Path flac(String path, int channels) throws Exception {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    ByteBuffer bytes = ByteBuffer.allocate(42);
    bytes.put(new byte[] {'f', 'L', 'a', 'C', (byte) 0x80, 0, 0, 34}).position(18);
    bytes.putLong(16000L << 44 | (channels - 1L) << 41 | 15L << 36 | 32000);
    return Files.write(file, bytes.array());
  }

  private void text(String path, String content) throws Exception {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, content);
  }

  /** Two words, four speakers, ten rounds. */
  private void commands() throws Exception {
    for (String word : List.of("no", "yes")) {
      for (int speaker = 1; speaker <= 4; speaker++) {
        for (int turn = 1; turn <= 10; turn++) {
          wav(String.format("in/dataset/%s/0000000%d_NO_%02d.wav", word, speaker, turn), 16000);
        }
      }
    }
    text(
        "in/train.csv",
        "file,class\ndataset/no/00000001_NO_01.wav,no\ndataset/no/00000002_NO_01.wav,no\n");
    text("in/val.csv", "file,class\ndataset/no/00000003_NO_01.wav,no\n");
    text("in/test.csv", "file,class\ndataset/no/00000004_NO_01.wav,no\n");
  }

  @Test
  void wholeCommandsCorpusOpensAndItsListsFollowTheRule() throws Exception {
    commands();
    text(
        "in/val.csv",
        "file,class\ndataset/no/00000003_NO_01.wav,no\ndataset/no/00000004_NO_01.wav,no\n");
    text("in/test.csv", "file,class\n");
    Path out = folder.resolve("out");
    Run run = run("arabic-speech-commands-full.py", folder.resolve("in"), out);
    assertEquals(0, run.status(), run.output());
    assertTrue(run.output().contains("note: 2 words and 4 speakers;"), run.output());
    assertTrue(run.output().contains("80 recordings of 4 speakers"), run.output());
    Corpus corpus = Corpus.open(out).requireFiles();
    assertEquals(80, corpus.utterances().size());
    assertEquals(4 * 2 * 6, corpus.concatenated().size());
    assertEquals("yes", corpus.utterance("00000003-yes-10").word().orElseThrow());
    Corpus val = corpus.split("val");
    for (TrialRule rule : List.of(TrialRule.TEXT_INDEPENDENT, TrialRule.TEXT_DEPENDENT)) {
      String list = "val-" + rule.name().toLowerCase().replace('_', '-');
      TrialRule.write(folder.resolve("list"), rule.pairs(val));
      assertEquals(-1, Files.mismatch(corpus.trialList(list), folder.resolve("list")), list);
    }
  }

  @Test
  void badCommandsTreesAreRefusedWithOneLine() throws Exception {
    String script = "arabic-speech-commands-full.py";
    Path in = folder.resolve("in");
    Path out = folder.resolve("out");
    Files.createDirectories(in);
    assertTrue(refusal(script, in, out).startsWith(in + ": no folder dataset/ in it; download "));
    commands();
    Path file = in.resolve("dataset/yes/00000002_NO_07.wav");
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, java.util.Arrays.copyOf(whole, 700));
    assertEquals(file + ": cut short; copy or download it again", refusal(script, in, out));
    Files.write(file, java.util.Arrays.copyOf(whole, 10));
    assertTrue(refusal(script, in, out).startsWith(file + ": not a 16-bit PCM WAV file"));
    wav("in/dataset/yes/00000002_NO_07.wav", 8000);
    assertEquals(file + ": 8000 Hz; 16000 Hz is needed", refusal(script, in, out));
    Files.delete(file);
    assertTrue(
        refusal(script, in, out).startsWith("dataset/yes/00000002_NO_07.wav: missing; download"));
    wav("in/dataset/yes/00000002_NO_07.wav", 16000);
    Path stranger = wav("in/dataset/yes/copy of a.wav", 16000);
    assertTrue(refusal(script, in, out).startsWith(stranger + ": unexpected name"));
    Files.delete(stranger);
    text("in/val.csv", "file,class\ndataset/no/00000001_NO_01.wav,no\n");
    assertEquals(
        in.resolve("val.csv")
            + ": speaker 00000001 is in train.csv too; splits must have speakers of their own",
        refusal(script, in, out));
    Files.delete(in.resolve("test.csv"));
    assertFalse(Files.exists(out), "nothing was written");
    assertTrue(
        refusal("arabic-speech-commands.py", in, out).startsWith(in.resolve("val.csv").toString()));
  }

  @Test
  void shippedCorpusIsMadeFromAllSpeakersOnly() throws Exception {
    commands();
    Path in = folder.resolve("in");
    assertTrue(
        refusal("arabic-speech-commands.py", in, folder.resolve("out"))
            .startsWith(in + ": the CSV files name 4 speakers, not 30; download it again from"));
  }

  @Test
  void shippedCorpusIsMadeAgainFromTheWholeDataset() throws Exception {
    Path source = Path.of("../shared/data/arabic-speech-commands");
    assumeTrue(Files.isDirectory(source), "needs the whole dataset in " + source);
    Path out = folder.resolve("out");
    // With the sound in place only lists are written, and every file is checked by its MD5.
    try (var files = Files.walk(SHIPPED.resolve("flac"))) {
      for (Path file : files.toList()) {
        Path copy = out.resolve(SHIPPED.relativize(file));
        if (Files.isDirectory(file)) Files.createDirectories(copy);
        else Files.copy(file, copy);
      }
    }
    Run run = run("arabic-speech-commands.py", source, out);
    assertEquals(0, run.status(), run.output());
    assertTrue(run.output().contains("1440 recordings, 22058682 bytes"), run.output());
    try (var files = Files.walk(out)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path shipped = SHIPPED.resolve(out.relativize(file));
        assertEquals(-1, Files.mismatch(shipped, file), shipped.toString());
      }
    }
  }

  private void libriSpeech() throws Exception {
    for (String place :
        List.of(
            "train-clean-100/1/10/1-10-",
            "train-clean-100/2/20/2-20-",
            "dev-clean/3/30/3-30-",
            "dev-clean/3/31/3-31-",
            "dev-clean/4/40/4-40-",
            "test-clean/5/50/5-50-",
            "test-clean/5/51/5-51-",
            "test-clean/6/60/6-60-")) {
      for (int i = 0; i < 3; i++) flac("LibriSpeech/" + place + "000" + i + ".flac", 1);
    }
    text("LibriSpeech/dev-clean/3/30/3-30.trans.txt", "3-30-0000 WORDS\n");
  }

  @Test
  void libriSpeechTrialsAreAcrossChapters() throws Exception {
    libriSpeech();
    Path in = folder.resolve("LibriSpeech");
    Path out = folder.resolve("out");
    assertEquals(
        in.resolve("train-clean-100")
            + ": 2 speakers and 6 utterances, published are 251 and 28539; unpack"
            + " train-clean-100.tar.gz again, or give --partial if this is meant",
        refusal("librispeech.py", in, out));
    Run run = run("librispeech.py", in, out, "--partial");
    assertEquals(0, run.status(), run.output());
    Corpus corpus = Corpus.open(out).requireFiles();
    assertEquals(24, corpus.utterances().size());
    assertEquals(List.of("1", "2"), corpus.split("train").speakers());
    List<String> trials = Files.readAllLines(corpus.trialList("test-text-independent"));
    assertEquals(9 + 18, trials.size());
    for (String trial : trials) {
      String[] fields = trial.split(" ");
      String[] a = fields[1].split("-");
      String[] b = fields[2].split("-");
      assertEquals(a[0].equals(b[0]), fields[0].equals("1"), trial);
      assertFalse(a[1].equals(b[1]), "same chapter: " + trial);
    }
  }

  @Test
  void badLibriSpeechTreesAreRefusedWithOneLine() throws Exception {
    libriSpeech();
    Path in = folder.resolve("LibriSpeech");
    Path out = folder.resolve("out");
    Path stereo = flac("LibriSpeech/dev-clean/3/30/3-30-0001.flac", 2);
    assertEquals(
        stereo + ": 2 channels at 16000 Hz; one channel at 16000 Hz is needed",
        refusal("librispeech.py", in, out, "--partial"));
    Files.write(stereo, new byte[7]);
    assertEquals(
        stereo + ": not a FLAC file; copy or download it again",
        refusal("librispeech.py", in, out, "--partial"));
    flac("LibriSpeech/dev-clean/3/30/3-30-0001.flac", 1);
    Path lost = flac("LibriSpeech/dev-clean/3/30/4-40-0009.flac", 1);
    assertTrue(refusal("librispeech.py", in, out, "--partial").startsWith(lost + ": not at "));
    Files.delete(lost);
    assertEquals(
        "speaker 3 is in dev-clean and in dev-clean; choose parts with speakers of their own",
        refusal("librispeech.py", in, out, "--partial", "--test", "dev-clean"));
    assertTrue(
        refusal("librispeech.py", in, out, "--val", "dev-other", "--partial")
            .startsWith(in.resolve("dev-other") + ": no such folder; download dev-other.tar.gz"));
    assertFalse(Files.exists(out), "nothing was written");
  }

  private void voxCeleb() throws Exception {
    for (String speaker : List.of("id10001", "id10270", "id10271")) {
      for (int i = 1; i <= 2; i++) wav("vox1/wav/" + speaker + "/vid/0000" + i + ".wav", 16000);
    }
    text(
        "vox1/veri_test2.txt",
        "1 id10270/vid/00001.wav id10270/vid/00002.wav\n"
            + "0 id10270/vid/00001.wav id10271/vid/00002.wav\n");
  }

  @Test
  void voxCelebListsUseOurIds() throws Exception {
    voxCeleb();
    Path in = folder.resolve("vox1");
    Path out = folder.resolve("out");
    assertTrue(
        refusal("voxceleb.py", in, out)
            .startsWith(in + ": 3 speakers and 6 utterances, VoxCeleb1 has 1251 and 153516; get"));
    Run run = run("voxceleb.py", in, out, "--partial");
    assertEquals(0, run.status(), run.output());
    Corpus corpus = Corpus.open(out).requireFiles();
    assertEquals(List.of("id10001"), corpus.split("train").speakers());
    assertEquals(List.of("id10270", "id10271"), corpus.split("test").speakers());
    assertEquals(
        List.of("1 id10270-vid-00001 id10270-vid-00002", "0 id10270-vid-00001 id10271-vid-00002"),
        Files.readAllLines(corpus.trialList("vox1-o")));
    wav("vox2/dev/wav/id00012/vid/00001.wav", 16000);
    text("vox1/list_test_all2.txt", "0 id10001/vid/00001.wav id10271/vid/00002.wav\n");
    text("vox1/list_test_hard2.txt", "0 id10001/vid/00002.wav id10271/vid/00002.wav\n");
    run = run("voxceleb.py", in, out, "--partial", "--voxceleb2", folder.resolve("vox2"));
    assertEquals(0, run.status(), run.output());
    corpus = Corpus.open(out);
    assertEquals(List.of("id00012"), corpus.split("train").speakers());
    assertEquals(3, corpus.split("test").speakers().size());
    assertEquals(1, Files.readAllLines(corpus.trialList("vox1-h")).size());
  }

  @Test
  void badVoxCelebTreesAreRefusedWithOneLine() throws Exception {
    Path in = folder.resolve("vox1");
    Path out = folder.resolve("out");
    assertTrue(refusal("voxceleb.py", in, out).startsWith(in + ": no such folder; get VoxCeleb1"));
    Files.createDirectories(in.resolve("wav"));
    assertTrue(refusal("voxceleb.py", in, out).startsWith(in + ": no folders idNNNNN in it"));
    voxCeleb();
    Path aac = in.resolve("wav/id10001/vid/00003.m4a");
    Files.write(aac, new byte[3]);
    assertTrue(refusal("voxceleb.py", in, out).startsWith(aac + ": AAC is not read; convert all"));
    Files.delete(aac);
    text("vox1/veri_test2.txt", "1 id10270/vid/00001.wav\n");
    assertTrue(
        refusal("voxceleb.py", in, out, "--partial")
            .startsWith(in.resolve("veri_test2.txt") + ", line 1: not '1 FILE FILE'"));
    Files.delete(in.resolve("veri_test2.txt"));
    assertEquals(
        in.resolve("veri_test2.txt")
            + ": missing; get it from https://mm.kaist.ac.kr/datasets/voxceleb/meta/",
        refusal("voxceleb.py", in, out, "--partial"));
    assertFalse(Files.exists(out), "nothing was written");
  }
}
