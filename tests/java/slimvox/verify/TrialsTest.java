package slimvox.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.Fuzz;
import slimvox.storage.InputException;

class TrialsTest {
  @TempDir Path folder;

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("trials.txt"), text);
  }

  private String refusal(String text) throws IOException {
    return refusalOf(file(text));
  }

  private String refusalOf(Path file) {
    String message = refused(() -> Trials.read(file));
    assertFalse(message.contains("\n"), message);
    return message.replace(folder + "/", "");
  }

  private static void assertThreeTrials(Trials trials) {
    assertEquals(3, trials.size());
    assertEquals(1, trials.targets());
    assertEquals(2, trials.nontargets());
    assertEquals(List.of("a/1.wav", "a/2.wav", "b/1.wav", "c"), trials.utterances());
    assertTrue(trials.isTarget(0));
    assertFalse(trials.isTarget(2));
    assertEquals("b/1.wav", trials.enrol(2));
    assertEquals("c", trials.test(2));
    assertEquals(3, trials.testNumber(2));
  }

  @Test
  void voxcelebListIsRead() throws IOException {
    Trials trials = Trials.read(file("1 a/1.wav a/2.wav\n0 a/1.wav b/1.wav\n0 b/1.wav c\n"));
    assertThreeTrials(trials);
    assertEquals(folder.resolve("trials.txt").toString(), trials.name());
    assertEquals( // sha256sum
        "b119c9bdd851a65bc663d178283d94cb4ba48dd4fdf18caa30ea3eedc58ff3f0", trials.sha256());
  }

  @Test
  void kaldiListIsRead() throws IOException {
    assertThreeTrials(
        Trials.read(
            file("a/1.wav a/2.wav target\na/1.wav b/1.wav nontarget\nb/1.wav c nontarget")));
  }

  @Test
  void tabsWindowsLineEndsByteOrderMarkAndTrailingBlankLinesAreRead() throws IOException {
    assertThreeTrials(
        Trials.read(
            file("\uFEFF1\ta/1.wav\ta/2.wav\r\n0  a/1.wav\t b/1.wav \r\n0 b/1.wav c\n\n\n")));
    assertThreeTrials(Trials.read(file("1  a/1.wav  a/2.wav\n0\ta/1.wav b/1.wav\n 0 b/1.wav c")));
  }

  @Test
  void writtenListsReadBackInBothFormats() {
    Trials built =
        Trials.builder("made")
            .add("a/1.wav", "a/2.wav", true)
            .add("a/1.wav", "b/1.wav", false)
            .add("b/1.wav", "c", false)
            .build();
    assertThreeTrials(built);
    for (Trials.Format format : Trials.Format.values()) {
      Path file = folder.resolve("sub/" + format);
      built.write(file, format);
      Trials read = Trials.read(file);
      assertThreeTrials(read);
      assertEquals(format == Trials.Format.VOXCELEB, built.sha256().equals(read.sha256()));
    }
  }

  @Test
  void pairsAreFoundInTheirOrderOnly() {
    Random random = new Random(1);
    Trials.Builder builder = Trials.builder("many");
    for (int i = 0; i < 20_000; i++) {
      int a = random.nextInt(300);
      int b = random.nextInt(300);
      builder.add("u" + a, "v" + b, (a + b) % 2 == 0);
    }
    Trials trials = builder.build();
    int found = 0;
    for (int i = 0; i < trials.size(); i++) {
      int first = trials.find(trials.enrol(i), trials.test(i), -1);
      assertTrue(first <= i && first >= 0);
      assertEquals(trials.enrol(i), trials.enrol(first));
      assertEquals(trials.test(i), trials.test(first));
      if (trials.find(trials.enrol(i), trials.test(i), i - 1) == i) found++;
      assertEquals(-1, trials.find(trials.test(i), trials.enrol(i), -1));
    }
    assertEquals(trials.size(), found);
    assertEquals(-1, trials.find("u1", "unknown", -1));
  }

  @Test
  void badLinesAreNamed() throws IOException {
    assertEquals(
        "trials.txt:2: 2 fields instead of 3; expected `<1|0> enrol test` as on line 1",
        refusal("1 a b\n0 a\n"));
    assertEquals(
        "trials.txt:2: label '2'; expected `<1|0> enrol test` as on line 1",
        refusal("1 a b\n2 a c\n"));
    assertEquals(
        "trials.txt:3: label 'yes'; expected `enrol test target|nontarget` as on line 1",
        refusal("a b target\na c nontarget\na d yes\n"));
    assertEquals(
        "trials.txt:1: 'a b maybe' is not a trial;"
            + " expected `<1|0> enrol test` or `enrol test target|nontarget`",
        refusal("a b maybe\n"));
    assertEquals("trials.txt:2: blank line; take it out", refusal("1 a b\n \n0 a c\n"));
    assertEquals(
        "trials.txt: no trials in it; expected lines `1 enrol test` or `enrol test target`",
        refusal("\n\n"));
    assertTrue(refusal("").startsWith("trials.txt: no trials in it"));
  }

  @Test
  void pairWithBothLabelsIsRefusedAndOneListedTwiceIsNot() throws IOException {
    assertEquals(
        "trials.txt:3: trial 'a b' is nontarget here but target on line 1; remove one of them",
        refusal("1 a b\n0 a c\n0 a b\n"));
    assertEquals(3, Trials.read(file("1 a b\n0 a c\n1 a b\n")).size());
  }

  @Test
  void filesThatAreNotTextOrNotThereAreRefused() throws IOException {
    Path binary = folder.resolve("trials.txt");
    Files.write(binary, new byte[] {'1', ' ', 'a', ' ', 'b', '\n', (byte) 0xFF, (byte) 0xFE, 0});
    String message = refused(() -> Trials.read(binary));
    assertTrue(message.matches(".*trials.txt: not UTF-8 text; give a text file of .*"), message);
    String wave = refusal("RIFF\u0000\u0001WAVEfmt \u0002\u0003\n");
    assertEquals(
        "trials.txt:1: holds the invisible character U+0000 (NULL);"
            + " text in UTF-8 is needed, not UTF-16",
        wave);
    Files.write(binary, "1 a b\n".getBytes(StandardCharsets.UTF_16));
    assertTrue(refusalOf(binary).startsWith("trials.txt: text in UTF-16; save it as UTF-8"));
    Files.write(binary, "1 a b\n".getBytes(StandardCharsets.UTF_16LE));
    assertTrue(refusalOf(binary).contains("not UTF-16"));
    Files.write(binary, new byte[] {0x1f, (byte) 0x8b, 8, 0, 0});
    assertTrue(refusalOf(binary).startsWith("trials.txt: packed by gzip; unpack it with gunzip"));
    for (String blank : List.of("\u00a0", "\u200b", "\u3000")) {
      String name = "U+%04X".formatted((int) blank.charAt(0));
      assertTrue(refusal("1 a b\n1 a" + blank + " b\n").startsWith("trials.txt:2: "), name);
      assertTrue(refusal("1" + blank + "a b\n").contains(name), name);
    }
    Path missing = folder.resolve("missing.txt");
    assertRefused(
        missing + ": cannot be read: no such file; check the path", () -> Trials.read(missing));
    assertTrue(refused(() -> Trials.read(folder)).startsWith(folder + ": cannot be read: "));
  }

  @Test
  void randomBytesNeverEscapeAsAnotherException() throws IOException {
    Random random = new Random(5);
    String alphabet = "01 \t\n\rab.-target\u0000\u00E9\"";
    for (int round = 0; round < 500; round++) {
      StringBuilder text = new StringBuilder(round % 2 == 0 ? "1 a b\n" : "a b target\n");
      for (int i = random.nextInt(40); i > 0; i--) {
        text.append(alphabet.charAt(random.nextInt(alphabet.length())));
      }
      byte[] bytes = text.toString().getBytes();
      if (round % 5 == 0) bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      Path file = folder.resolve("fuzz.txt");
      Files.write(file, bytes);
      try {
        assertTrue(Trials.read(file).size() > 0);
      } catch (InputException e) {
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        assertFalse(e.getMessage().matches("(?s).*\\p{Cntrl}.*"), e.getMessage());
      }
    }
  }

  @Test
  void damagedListsAreReadOrRefused() throws IOException {
    for (String text :
        new String[] {"1 a/1.wav a/2.wav\n0 a/1.wav b/1.wav\n", "a b target\na c nontarget\n"}) {
      assertTrue(Fuzz.of(file(text)).rounds(2000, f -> Trials.read(f).size()) > 500);
    }
  }

  @Test
  void builderThatGoesOnLeavesTheFirstListAlone() {
    Trials.Builder builder = Trials.builder("made").add("a", "b", true);
    Trials first = builder.build();
    Trials second = builder.add("a", "c", false).build();
    assertEquals(List.of("a", "b"), first.utterances());
    assertFalse(first.contains("c"));
    assertEquals(1, first.size());
    assertEquals(2, second.size());
    assertEquals(1, second.targets());
  }

  @Test
  void unwritableNamesAndEmptyListsAreRefused() {
    Trials.Builder builder = Trials.builder("made");
    assertRefused("made: no trials in it; add some", builder::build);
    assertRefused(
        "made: utterance name 'a b' is empty or has blanks; rename it",
        () -> builder.add("a b", "c", true));
  }
}
