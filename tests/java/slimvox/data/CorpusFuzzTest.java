package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/**
 * Thousands of damaged corpora: each is read, or refused with one line that names what is wrong.
 */
class CorpusFuzzTest {
  private static final int ROUNDS = 1000;

  private static final List<String> LISTS =
      List.of("wav.scp", "utt2spk", "utt2word", "segments", "joined2utt", "some.speakers");

  private static final List<String> NAMES =
      List.of(
          "a b",
          "a\tb",
          "a\nb",
          "\r",
          "",
          " ",
          "\u001b]0;x\u0007",
          "\0",
          "\u00a0",
          "\ufeff",
          "..",
          "/",
          "../../etc/passwd",
          "x".repeat(100_000),
          "a:9",
          "b.ark:99999999999999999999",
          "|",
          "cat x |",
          "[0:5]",
          "-1",
          "1e9",
          "NaN",
          "\u0661",
          "%s%n",
          "{}",
          "\\",
          "\ud83d\ude00",
          "e\u0301");

  @TempDir Path folder;
  private Path corpus;

  @BeforeEach
  void write() throws Exception {
    corpus = folder.resolve("corpus");
    SyntheticCorpus.write(corpus, 2, 2);
  }

  /** The lists of a good corpus, which may or may not have segments. */
  private void restore(boolean segments) throws IOException {
    for (String list : LISTS) removeAll(corpus.resolve(list));
    StringBuilder scp = new StringBuilder();
    StringBuilder spk = new StringBuilder();
    StringBuilder word = new StringBuilder();
    StringBuilder segment = new StringBuilder();
    for (String id : List.of("s0-0", "s0-1", "s1-0", "s1-1")) {
      scp.append(id).append(" sound/").append(id).append(".wav\n");
      spk.append(id).append(' ').append(id, 0, 2).append('\n');
      word.append(id).append(" yes\n");
      segment.append(id).append(' ').append(id).append(" 0.0 0.25\n");
    }
    Files.writeString(corpus.resolve("wav.scp"), scp);
    Files.writeString(corpus.resolve("utt2spk"), spk);
    Files.writeString(corpus.resolve("utt2word"), word);
    if (segments) Files.writeString(corpus.resolve("segments"), segment);
    Files.writeString(corpus.resolve("joined2utt"), "j0 s0-0 s0-1\nj1 s1-0 s1-1\n");
    Files.writeString(corpus.resolve("some.speakers"), "s0\ns1\n");
  }

  private static void removeAll(Path path) throws IOException {
    if (!Files.exists(path, java.nio.file.LinkOption.NOFOLLOW_LINKS)) return;
    if (Files.isDirectory(path, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
      try (var below = Files.list(path)) {
        for (Path file : below.toList()) removeAll(file);
      }
    }
    Files.delete(path);
  }

  /** Damages one list; says how. */
  private String damage(Random random) throws IOException {
    String name = LISTS.get(random.nextInt(LISTS.size()));
    Path file = corpus.resolve(name);
    String text = Files.exists(file) ? Files.readString(file) : "";
    List<String> lines = new ArrayList<>(text.lines().toList());
    int at = lines.isEmpty() ? 0 : random.nextInt(lines.size());
    if (lines.isEmpty()) lines.add("");
    String line = lines.get(at);
    String[] fields = line.split(" ");
    int kind = random.nextInt(12);
    switch (kind) {
      case 0 -> lines.remove(at);
      case 1 -> lines.set(at, line.substring(0, random.nextInt(line.length() + 1)));
      case 2 -> lines.add(line);
      case 3 -> lines.set(at, String.join(" ", List.of(fields).reversed()));
      case 4 -> lines.clear();
      case 5, 6, 7 -> {
        fields[random.nextInt(fields.length)] = NAMES.get(random.nextInt(NAMES.size()));
        lines.set(at, String.join(" ", fields));
      }
      case 8 -> lines.set(at, line + " " + NAMES.get(random.nextInt(NAMES.size())));
      case 9 -> {
        removeAll(file);
        Files.createDirectories(file.resolve("x"));
        return name + " is a folder";
      }
      case 10 -> {
        removeAll(file);
        Files.createSymbolicLink(file, Path.of(random.nextBoolean() ? name : "nowhere"));
        return name + " is a link to nowhere or itself";
      }
      default -> {
        byte[] bytes = text.getBytes();
        for (int i = 0; i < 3 && bytes.length > 0; i++) {
          bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        Files.write(file, bytes);
        return name + ": bytes";
      }
    }
    Files.writeString(file, String.join("\n", lines) + "\n");
    return name + ": kind " + kind + " in line " + (at + 1);
  }

  /** All that is done with a corpus before training. */
  private void use() throws InterruptedException {
    Corpus whole = Corpus.open(corpus);
    CorpusReport report = CorpusReport.of(whole, true, 1, FeatureSource.Progress.NONE);
    for (String bad : report.firstBad()) assertOneLine(bad);
    whole.requireFiles();
    Corpus some = whole.split("some");
    FeatureReader reader = SyntheticCorpus.reader(some, 1.0);
    for (Utterance utterance : some.utterances()) reader.features(utterance, 0);
    for (TrialRule rule : TrialRule.values()) rule.pairs(some);
  }

  private static void assertOneLine(String message) {
    assertEquals(1, message.lines().count(), message);
    assertTrue(message.length() <= 2100, message.length() + " characters");
    assertTrue(message.chars().noneMatch(c -> c < ' ' || c == 0x7f), message);
  }

  @Test
  void damagedListsAreReadOrRefusedInOneLine() throws Exception {
    Random random = new Random(22);
    int refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
      restore(random.nextBoolean());
      String how = damage(random);
      if (random.nextInt(3) == 0) how += "; " + damageAgain(random);
      try {
        use();
      } catch (InputException e) {
        assertOneLine(e.getMessage());
        refused++;
      } catch (RuntimeException | Error e) {
        fail("round " + round + ", " + how, e);
      }
    }
    assertTrue(refused > ROUNDS / 2, refused + " refused");
  }

  private String damageAgain(Random random) throws IOException {
    try {
      return damage(random);
    } catch (IOException e) {
      return "no second damage"; // the first one made a folder of the file
    }
  }

  @Test
  void foldersWithStrangeNamesAreReadOrRefusedInOneLine() throws Exception {
    Random random = new Random(23);
    Path root = folder.resolve("folders");
    byte[] sound = Files.readAllBytes(corpus.resolve("sound/s0-0.wav"));
    for (int round = 0; round < ROUNDS / 4; round++) {
      removeAll(root);
      for (String speaker : List.of("a", "b")) {
        Files.createDirectories(root.resolve(speaker));
        Files.write(root.resolve(speaker + "/1.wav"), sound);
      }
      String name = NAMES.get(random.nextInt(NAMES.size())).replace('/', '_');
      if (name.length() > 200 || name.indexOf(0) >= 0)
        name = name.substring(0, 1).replace('\0', 'x');
      Path strange = root.resolve(random.nextBoolean() ? "a" : "a/" + name).resolve(name + ".wav");
      switch (random.nextInt(4)) {
        case 0 -> Files.createDirectories(strange);
        case 1 -> {
          Files.createDirectories(strange.getParent());
          Files.createSymbolicLink(strange, Path.of("."));
        }
        default -> AtomicFile.write(strange, "no sound");
      }
      try {
        Corpus opened = Corpus.open(root);
        opened.validate().firstBad().forEach(CorpusFuzzTest::assertOneLine);
      } catch (InputException e) {
        assertOneLine(e.getMessage());
      }
    }
  }

  @Test
  void thousandsOfSpeakersOfOneUtteranceAreACorpus() throws Exception {
    StringBuilder scp = new StringBuilder();
    StringBuilder spk = new StringBuilder();
    for (int i = 0; i < 5000; i++) {
      scp.append("u%d sound/s0-0.wav\n".formatted(i));
      spk.append("u%d s%d\n".formatted(i, i));
    }
    Files.writeString(corpus.resolve("wav.scp"), scp);
    Files.writeString(corpus.resolve("utt2spk"), spk);
    Corpus opened = Corpus.open(corpus).requireFiles();
    assertEquals(5000, opened.speakers().size());
    assertEquals(0, CorpusReport.of(opened, false, 1, FeatureSource.Progress.NONE).bad());
  }
}
