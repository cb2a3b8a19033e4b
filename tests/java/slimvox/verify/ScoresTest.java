package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.Fuzz;

class ScoresTest {
  @TempDir Path folder;

  private final Trials trials =
      Trials.builder("list").add("a", "b", true).add("a", "c", false).add("b", "c", false).build();

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("scores.txt"), text);
  }

  private String refusal(String text) throws IOException {
    Path file = file(text);
    String message = refused(() -> Scores.read(file, trials));
    assertFalse(message.contains("\n"), message);
    return message.replace(folder + "/", "");
  }

  @Test
  void voxsrcAndWespeakerFilesAreJoinedByPair() throws IOException {
    double[] expected = {0.5, -1e-3, 0.25};
    for (String text :
        new String[] {
          "0.5 a b\n-1e-3 a c\n0.25 b c\n",
          "0.25 b c\n0.5 a b\n-0.001 a c\n",
          "b c 0.25\na c -0.001\na b 0.5\n",
          "a\tc\t-0.001\tnontarget\na\tb\t0.5\ttarget\nb\tc\t.25\tnontarget\n",
        }) {
      Scores scores = Scores.read(file(text), trials);
      assertArrayEquals(expected, scores.values(), text);
      assertEquals(3, scores.size());
    }
  }

  @Test
  void namesMayHaveAnotherForm() throws IOException {
    Trials files =
        Trials.builder("veri_test.txt")
            .add("id1/x/1.wav", "id1/x/2.wav", true)
            .add("id1/x/1.wav", "jos\u00e9/y/1.wav", false)
            .build();
    for (String text :
        new String[] {
          "0.5 id1-x-1 id1-x-2\n0.25 id1-x-1 jose\u0301-y-1\n",
          "id1\\x\\1.wav ./jose\u0301/y/1 0.25\nid1/x/1.flac id1-x-2.wav 0.5 target\n",
        }) {
      assertArrayEquals(new double[] {0.5, 0.25}, Scores.read(file(text), files).values(), text);
    }
    Trials both = Trials.builder("l").add("a-b", "c", true).add("a/b", "c", false).build();
    assertTrue(
        refused(() -> Scores.read(file("1 a-b c\n0 a/b.wav c\n"), both))
            .contains("scores.txt:2: utterance 'a/b.wav' can be 'a"));
  }

  @Test
  void aFileDoesNotTellHowItWasScored() throws IOException {
    Scores read = Scores.read(file("0.5 a b\n0.1 a c\n0.25 b c\n"), trials);
    assertNull(Verification.of(read).scoring());
    assertTrue(Verification.of(read).toString().contains(" 0.0000, 1 targets"));
    Verification known = Verification.of(read.scoredBy("cosine"));
    assertEquals("cosine", known.scoring());
    assertTrue(known.toString().contains(" 0.0000 by cosine, 1 targets"));
  }

  @Test
  void damagedFilesAreReadOrRefused() throws IOException {
    Path file = file("0.5 a b\n-1e-3 a c\n0.25 b c\n");
    assertTrue(Fuzz.of(file).rounds(3000, f -> Scores.read(f, trials).curve()) > 1000);
    file("a b 0.5 target\na c -0.001 nontarget\nb c 1e3 nontarget\n");
    assertTrue(Fuzz.of(file).rounds(3000, f -> Scores.read(f, trials).curve()) > 1000);
  }

  @Test
  void utterancesNamedByNumbersAreToldFromScores() throws IOException {
    Trials numbered = Trials.builder("n").add("1", "2", true).add("1", "3", false).build();
    assertArrayEquals(
        new double[] {0.5, 3}, Scores.read(file("0.5 1 2\n3 1 3\n"), numbered).values());
    assertArrayEquals(
        new double[] {0.5, 3}, Scores.read(file("1 2 0.5\n1 3 3\n"), numbered).values());
  }

  @Test
  void writtenScoresReadBackToTheSameBits() {
    Random random = new Random(1);
    Trials.Builder builder = Trials.builder("many");
    double[] values = new double[2000];
    for (int i = 0; i < values.length; i++) {
      builder.add("e" + i, "t" + i % 7, i % 2 == 0);
      values[i] = random.nextGaussian() * Math.pow(10, random.nextInt(600) - 300);
    }
    Trials many = builder.build();
    for (Scores.Format format : Scores.Format.values()) {
      Path file = folder.resolve("sub/" + format);
      new Scores("made", many, values).write(file, format);
      assertArrayEquals(values, Scores.read(file, many).values());
    }
  }

  @Test
  void writtenScoresHaveNoExponent() throws IOException {
    Path file = folder.resolve("scores.txt");
    new Scores("made", trials, new double[] {1e-5, 0.1, 2}).write(file, Scores.Format.WESPEAKER);
    assertEquals(
        "a b 0.000010 target\na c 0.1 nontarget\nb c 2.0 nontarget\n", Files.readString(file));
    new Scores("made", trials, new double[] {1e8, 0.1, 2}).write(file, Scores.Format.VOXSRC);
    assertEquals("100000000 a b\n0.1 a c\n2.0 b c\n", Files.readString(file));
  }

  @Test
  void failedWriteLeavesNothingBehind() throws IOException {
    Files.createDirectory(folder.resolve("taken"));
    Scores scores = new Scores("made", trials, new double[3]);
    String message = refused(() -> scores.write(folder.resolve("taken"), Scores.Format.VOXSRC));
    assertTrue(message.startsWith(folder.resolve("taken") + ": cannot be written"), message);
    try (var files = Files.list(folder)) {
      assertEquals(1, files.count());
    }
  }

  @Test
  void badLinesAreNamed() throws IOException {
    assertEquals(
        "scores.txt:2: 2 fields; expected `score enrol test` as on line 1",
        refusal("0.5 a b\n0.1 a\n"));
    assertEquals(
        "scores.txt:2: 5 fields; expected `enrol test score [target|nontarget]` as on line 1",
        refusal("a b 0.5\na c 0.1 nontarget x\n"));
    assertEquals(
        "scores.txt:1: 'a b' is not a score;"
            + " expected `score enrol test` or `enrol test score [label]`",
        refusal("a b\n"));
    for (String bad :
        new String[] {"x", "nan", "NaN", "inf", "-Infinity", "1f", "0x1p3", "0X1P3", "1e", "+-1"}) {
      assertEquals(
          "scores.txt:2: score '"
              + bad
              + "' is not a finite number; look for NaN in the embeddings, or mend the line",
          refusal("0.5 a b\n" + bad + " a c\n"));
    }
    for (String bad : new String[] {"1e-400", "-2.5E-999", "1e309", "-1e400"}) {
      assertEquals(
          "scores.txt:2: score '"
              + bad
              + "' is more than float64 can hold; take the logarithms of likelihoods",
          refusal("0.5 a b\n" + bad + " a c\n"));
    }
    assertEquals(1e308, Scores.read(file("1e308 a b\n0e-999 a c\n-.0 b c\n"), trials).get(0));
    assertTrue(refusal("nan a b\n").startsWith("scores.txt:1: score 'nan' is not a finite number"));
  }

  @Test
  void mismatchesWithTheTrialListAreNamed() throws IOException {
    assertEquals(
        "scores.txt:2: utterance 'x' is in no trial of list;"
            + " score that list, or give the list that was scored",
        refusal("0.5 a b\n0.1 a x\n"));
    assertEquals(
        "scores.txt:2: pair 'c a' is no trial of list (it has 'a c');"
            + " score that list, or give the list that was scored",
        refusal("0.5 a b\n0.1 c a\n"));
    assertEquals(
        "scores.txt:1: pair 'a a' is no trial of list;"
            + " score that list, or give the list that was scored",
        refusal("0.5 a a\n"));
    assertEquals(
        "scores.txt:3: trial 'a b' has a score already; keep one line for each trial",
        refusal("0.5 a b\n0.1 a c\n0.5 a b\n"));
    assertEquals(
        "scores.txt:2: label 'target', but the trial is nontarget on list:2;"
            + " give the list that was scored",
        refusal("a b 0.5 target\na c 0.1 target\n"));
    assertEquals(
        "list:2: trial 'a c' has no score in scores.txt (2 of 3 trials have none);"
            + " score the whole list",
        refusal("0.5 a b\n"));
    assertTrue(refusal("").startsWith("list:1: trial 'a b' has no score in scores.txt (3 of 3"));
  }

  @Test
  void trialListedTwiceTakesTwoScores() throws IOException {
    Trials twice = Trials.builder("l").add("a", "b", true).add("a", "b", true).build();
    assertArrayEquals(new double[] {1, 2}, Scores.read(file("1 a b\n2 a b\n"), twice).values());
    Path three = file("1 a b\n2 a b\n3 a b\n");
    assertTrue(
        refused(() -> Scores.read(three, twice))
            .endsWith(
                "scores.txt:3: trial 'a b' has a score already; keep one line for each trial"));
  }

  @Test
  void scoresMadeInMemoryAreChecked() {
    assertRefused(
        "cosine: 2 scores for the 3 trials of list; score the same list",
        () -> new Scores("cosine", trials, new double[2]));
    assertRefused(
        "cosine: the score of trial 'a c' (list:2) is NaN; look for NaN in the embeddings",
        () -> new Scores("cosine", trials, new double[] {0, Double.NaN, 0}));
  }

  @Test
  void listsOfOneKindHaveNoErrorRate() {
    Trials targets = Trials.builder("targets").add("a", "b", true).build();
    Scores scores = new Scores("made", targets, new double[1]);
    assertRefused(
        "targets: 1 target and 0 nontarget trials; EER, minDCF and Cllr need both kinds, check the"
            + " labels",
        () -> Verification.of(scores));
  }
}
