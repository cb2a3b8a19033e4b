package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.recipe.Recipe;

/** Runs the scripts of data-scripts/ on tiny trees, good and bad. */
class CorpusScriptsTest {
  private static final Path SHIPPED = Path.of("data-scripts/speech-commands");

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

  /** Ten recordings of each of six speakers: loud in the middle, with known results. */
  private void speechCommands() throws Exception {
    StringBuilder table = new StringBuilder("# utterance, SHA-1, part\n");
    List<String> parts = List.of("train", "val", "test");
    for (int speaker = 0; speaker < 6; speaker++) {
      for (int i = 0; i < 10; i++) {
        String word = "abcde".substring(i / 2, i / 2 + 1);
        Path file = folder.resolve("in/%s/%d_nohash_%d.wav".formatted(word, speaker, i % 2));
        Files.createDirectories(file.getParent());
        WavWriter.writePcm16(file, new Waveform(burst(speaker, i), 16000));
        byte[] sha1 = MessageDigest.getInstance("SHA-1").digest(Files.readAllBytes(file));
        table.append("%d-%s-%d ".formatted(speaker, word, i % 2));
        table.append(HexFormat.of().formatHex(sha1), 0, 16);
        table.append(' ').append(parts.get(speaker / 2)).append('\n');
      }
    }
    text("out/recordings.tsv", table.toString());
  }

  /** +-1000 from sample 2000 on, a mark that makes each other; of the last speaker, as below. */
  private static float[] burst(int speaker, int take) {
    boolean special = speaker == 5 && take < 3;
    float[] samples = new float[special && take == 0 ? 5000 : 16000];
    float top = special ? List.of(1000, 32767, 3).get(take) : 1000;
    int start = samples.length == 5000 ? 0 : 2000;
    for (int i = start; i < Math.min(samples.length, start + 12800); i++) {
      samples[i] = (i % 2 == 0 ? top : -top) / 32768;
    }
    if (!special) samples[start] = (100 + 10 * speaker + take) / 32768f;
    return samples;
  }

  @Test
  void speechCommandsAreMadeFromAnArchive() throws Exception {
    requireFlac();
    speechCommands();
    Path out = folder.resolve("out");
    Path archive = archive();
    Run run = run("speech-commands.py", archive, "--out", out);
    assertEquals(0, run.status(), run.output());
    assertTrue(run.output().startsWith(archive + ": not as published\n"), run.output());
    assertTrue(run.output().contains("60 recordings, 6 speakers, 5 words, 0.013 h, "));
    Corpus corpus = Corpus.open(out).requireFiles();
    SoundReader reader = new SoundReader(16000, corpus.reading());
    // 1000^2 10^-4 = 100 >= 4^5 / 12: multiples of 32. The loud one's are of 1024, up to 31 of
    // them.
    int[][] expected = {{5000, 992, -992}, {12800, 31744, -32768}, {12800, 3, -3}};
    for (int i = 0; i < 3; i++) {
      Utterance utterance = corpus.utterances("5").get(i);
      float[] samples = reader.read((Utterance.Sound) utterance.source());
      assertEquals(expected[i][0], samples.length, utterance.id());
      for (int at = 0; at < samples.length; at++) {
        assertEquals(expected[i][1 + at % 2], samples[at] * 32768, utterance.id() + " " + at);
      }
    }
    assertEquals(List.of("0", "1"), corpus.split("train").speakers());
    // So few that the limits do nothing: every pair there is, as the library makes them.
    for (TrialRule rule : List.of(TrialRule.TEXT_INDEPENDENT, TrialRule.TEXT_DEPENDENT)) {
      boolean same = rule == TrialRule.TEXT_DEPENDENT;
      Files.write(
          folder.resolve("list"),
          rule.pairs(corpus.split("val")).stream().map(Object::toString).toList());
      Path list = corpus.trialList(same ? "val-same-word" : "val-different-words");
      assertEquals(-1, Files.mismatch(list, folder.resolve("list")), list.toString());
    }
    assertEquals(4 * 12, corpus.concatenated().size());
    assertEquals(0, run("speech-commands.py", "--check", "--trials", "--out", out).status());
    text("out/utt2word", "0-a-0 b\n");
    assertEquals(
        out.resolve("utt2word") + ": not as the rules make it; make it again",
        refusal("speech-commands.py", "--check", "--out", out));
  }

  @Test
  void badArchivesOfSpeechCommandsAreRefusedWithOneLine() throws Exception {
    requireFlac();
    speechCommands();
    Path out = folder.resolve("out");
    Path archive = archive();
    Files.delete(folder.resolve("in/b/3_nohash_1.wav"));
    assertEquals(
        "1 of 60 recordings are in none of %s/in, the first is 3-b-1; add the other version's"
                .formatted(folder)
            + " archive from https://download.tensorflow.org/data/",
        refusal("speech-commands.py", folder.resolve("in"), "--out", out));
    byte[] whole = Files.readAllBytes(archive);
    Files.write(archive, Arrays.copyOf(whole, whole.length / 2));
    String cut = refusal("speech-commands.py", archive, "--out", out);
    assertTrue(cut.startsWith(archive + ": cut short or damaged after "), cut);
    Files.writeString(archive, "no archive");
    assertTrue(
        refusal("speech-commands.py", archive, "--out", out)
            .startsWith(archive + ": cut short or damaged after 0 recordings; download it again"));
    text("out/recordings.tsv", "0-a-0 0123 dev\n");
    assertEquals(
        out.resolve("recordings.tsv") + ", line 1: not UTTERANCE SHA1 PART",
        refusal("speech-commands.py", archive, "--out", out));
    try (var files = Files.list(out)) {
      assertEquals(List.of(out.resolve("recordings.tsv")), files.toList(), "nothing was written");
    }
  }

  @Test
  void shippedCorpusHasTheSamplesOfItsReadme() throws Exception {
    requireFlac();
    Run run = run("speech-commands.py", "--check");
    assertEquals(0, run.status(), run.output());
    String readme = Files.readString(SHIPPED.resolve("README.md"));
    for (String figure : run.output().strip().split(", |; SHA-256 of all samples ")) {
      String text = figure.replaceAll("^(\\d+)(\\d{3}) (?=rec|spe)", "$1,$2 ");
      text = text.replaceAll("^(\\d+)(\\d{3})(\\d{3}) bytes.*", "$1,$2,$3 bytes");
      text = text.replace("2.301 h", "2.30 hours").replace("30 words", "| 30 |");
      assertTrue(readme.contains(text), text);
    }
  }

  private Path archive() throws Exception {
    Path archive = folder.resolve("commands.tar.gz");
    String input = folder.resolve("in").toString();
    new ProcessBuilder("python3", "-m", "tarfile", "-c", archive.toString(), input)
        .start()
        .waitFor();
    return archive;
  }

  private static void requireFlac() {
    boolean there =
        Stream.of(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(place -> Files.isExecutable(Path.of(place, "flac")));
    assumeTrue(there, "the tool flac is not installed; speech-commands.py is not tested");
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
    Path sound = wav("vox1/wav/id10001/vid/00003.wav", 8000);
    assertEquals(
        sound + ": 8000 Hz; 16000 Hz is needed", refusal("voxceleb.py", in, out, "--partial"));
    byte[] whole = Files.readAllBytes(wav("vox1/wav/id10001/vid/00003.wav", 16000));
    Files.write(sound, Arrays.copyOf(whole, 700));
    assertEquals(
        sound + ": cut short; copy or download it again",
        refusal("voxceleb.py", in, out, "--partial"));
    Files.write(sound, Arrays.copyOf(whole, 10));
    assertTrue(
        refusal("voxceleb.py", in, out, "--partial").startsWith(sound + ": not a 16-bit PCM WAV"));
    Files.delete(sound);
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

  @Test
  void noisesAndRoomsAreListedByTheirKinds() throws Exception {
    Path musan = folder.resolve("musan");
    Path list = folder.resolve("noise.scp");
    assertEquals(
        musan.resolve("noise") + ": no such folder; get MUSAN from https://www.openslr.org/17/",
        refusal("musan.py", musan, list));
    for (String name : List.of("noise/free-sound/a", "speech/librivox/b", "music/rfm/c")) {
      Path file = wav("musan/" + name + ".wav", 16000);
      byte[] bytes = Files.readAllBytes(file);
      bytes[bytes.length - 1] = 1;
      Files.write(file, bytes);
    }
    assertEquals(
        musan.resolve("noise")
            + ": 1 files, MUSAN has 930; get what is missing, or give --partial if this is meant",
        refusal("musan.py", musan, list));
    assertEquals(0, run("musan.py", musan, list, "--partial").status());
    assertEquals(
        List.of("noise/free-sound/a", "speech/librivox/b", "music/rfm/c"),
        Files.readAllLines(list).stream().map(line -> line.split(" ")[0]).toList());
    new Surroundings(
        Recipe.defaults().with("data.surroundings.noises=" + list).data().surroundings());
    Path silent = wav("rirs/simulated_rirs/smallroom/Room001/Room001-00001.wav", 16000);
    assertEquals(
        silent + ": silent; copy or download it again",
        refusal("rirs.py", folder.resolve("rirs"), list, "--partial"));
    Path slow = wav("musan/noise/free-sound/d.wav", 8000);
    assertEquals(
        slow + ": 8000 Hz; 16000 Hz is needed", refusal("musan.py", musan, list, "--partial"));
  }
}
