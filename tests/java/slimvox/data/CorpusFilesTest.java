package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Text files of a corpus as other programs write them, segments, links. */
class CorpusFilesTest {
  @TempDir Path folder;

  @BeforeEach
  void plain() throws Exception {
    write("wav.scp", "u1 a.wav\nu2 b.wav\n");
    write("utt2spk", "u1 s\nu2 s\n");
    write("utt2word", "u1 yes\nu2 no\n");
    write("some.speakers", "s\n");
    write("joined2utt", "j u1 u2\n");
  }

  private void write(String name, String text) throws Exception {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private Corpus open() {
    return Corpus.open(folder).split("some");
  }

  private String message() {
    String message = refused(this::open);
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  @ParameterizedTest
  @ValueSource(strings = {"wav.scp", "utt2spk", "utt2word", "some.speakers", "joined2utt"})
  void marksBlanksAndLineEndsOfOtherProgramsAreTaken(String name) throws Exception {
    String text = Files.readString(folder.resolve(name));
    write(name, "\uFEFF" + text.replace("\n", " \t\r\n\r\n").replace(" ", "\t "));
    Corpus corpus = open();
    assertEquals(List.of("s"), corpus.speakers());
    assertEquals("no", corpus.utterance("u2").word().get());
    assertEquals(folder.resolve("b.wav"), corpus.utterance("u2").file());
    assertEquals(2, corpus.parts("j").size());
  }

  @ParameterizedTest
  @ValueSource(strings = {"wav.scp", "utt2spk", "utt2word", "some.speakers", "joined2utt"})
  void invisibleCharactersAreNamed(String name) throws Exception {
    String text = Files.readString(folder.resolve(name));
    int[] hidden = {
      0xa0, 0x200b, 0x200e, 0x2060, 0x3000, 0xad, 0xfeff, 0x2028, 0x85, 0x7f, 0, 0x1b, 0x2800,
      0x3164
    };
    for (int c : hidden) {
      for (int at : new int[] {1, text.length() - 1}) { // within the first field, at the end
        write(name, text.substring(0, at) + Character.toString(c) + text.substring(at));
        String where = folder.resolve(name) + ", line " + (at == 1 || text.length() < 9 ? 1 : 2);
        String what = "U+%04X (%s)".formatted(c, Character.getName(c));
        assertTrue(message().startsWith(where + ": holds the invisible character " + what), what);
      }
    }
  }

  @Test
  void aNameMayNeedAJoinerAndAPathMayHoldWhatItsFileIsCalled() throws Exception {
    write("utt2word", "u1 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\nu2 no\n");
    write("wav.scp", "u1 a\u202fb.wav\nu2 b.wav\n");
    assertEquals(folder.resolve("a\u202fb.wav"), open().utterance("u1").file());
    String missing = refused(open()::requireFiles);
    assertTrue(missing.contains("the name holds U+202F (NARROW NO-BREAK SPACE)"), missing);
  }

  @ParameterizedTest
  @ValueSource(strings = {"UTF-16", "UTF-16LE", "UTF-16BE", "x-UTF-16LE-BOM"})
  void sixteenBitTextIsRefusedByName(String charset) throws Exception {
    byte[] bytes = "u1 s\r\nu2 s\r\n".getBytes(charset);
    Files.write(folder.resolve("utt2spk"), bytes);
    assertTrue(message().startsWith(folder.resolve("utt2spk").toString()), message());
    assertTrue(message().contains("UTF-16"), message());
    Files.write(folder.resolve("utt2spk"), "u1 \u00e9\n".getBytes(StandardCharsets.ISO_8859_1));
    assertEquals(folder.resolve("utt2spk") + ": not UTF-8 text", message());
  }

  @Test
  void speakersThatDifferInHowAccentsAreEncodedAreRefused() throws Exception {
    Files.delete(folder.resolve("joined2utt"));
    write("utt2spk", "u1 jos\u00e9\nu2 jose\u0301\n");
    assertTrue(message().contains("differ in how accents are encoded"), message());
    write("wav.scp", "\u00e9-1 a.wav\n");
    write("utt2spk", "e\u0301-1 s\n");
    assertTrue(
        message()
            .endsWith(
                "is not in wav.scp, where its accents are encoded in another way; write both"
                    + " alike"),
        message());
  }

  @Test
  void wordsAndSpeakersMeanTheSameHoweverAccentsAreEncoded() throws Exception {
    Files.delete(folder.resolve("joined2utt"));
    write("utt2spk", "u1 jose\u0301\nu2 ana\n");
    write("utt2word", "u1 cafe\u0301\nu2 caf\u00e9\n");
    write("some.speakers", "jos\u00e9\n");
    assertEquals(List.of("jose\u0301"), open().speakers());
    for (String word : List.of("caf\u00e9", "cafe\u0301")) {
      assertEquals(2, Corpus.open(folder).saying(List.of(word)).utterances().size());
    }
  }

  @Test
  void aFolderOrDeviceInPlaceOfAFileIsNamed() throws Exception {
    Files.delete(folder.resolve("utt2spk"));
    Files.createDirectory(folder.resolve("utt2spk"));
    assertEquals(folder.resolve("utt2spk") + ": not a file; put a text file there", message());
    Files.delete(folder.resolve("wav.scp"));
    Files.createSymbolicLink(folder.resolve("wav.scp"), Path.of("not there"));
    assertEquals(folder.resolve("wav.scp") + ": no such file", message());
  }

  @Test
  void segmentsAreUtterancesAndMayOverlap() throws Exception {
    write("segments", "x u1 0 1.5\ny u1 1.25 -1\n");
    write("utt2spk", "x s\ny s\n");
    write("utt2word", "x yes\ny no\n");
    write("joined2utt", "j x y\n");
    Corpus corpus = open();
    assertEquals(2, corpus.utterances().size());
    assertEquals(
        new Utterance.Sound(folder.resolve("a.wav"), 0, 1.25, Utterance.Sound.WHOLE),
        corpus.utterance("y").source());
    assertEquals(
        List.of(
            folder.resolve("segments") + ": 1 of 2 recordings are not used, no segment is of u2"),
        corpus.notes());
    assertEquals(new Utterance.Sound(folder.resolve("a.wav")).isSegment(), false);
    write("feats.scp", "x f.ark:0\ny f.ark:9\n");
    assertTrue(
        KaldiFolder.read(folder, "feats.scp").utterance("x").source() instanceof Utterance.Ark,
        "features have been cut already");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          x u9 0 1         | recording u9 is not in wav.scp
          x u1 0           | 3 fields; a line is UTTERANCE RECORDING START END (seconds)
          x u1 0 1 0       | 5 fields; a line is UTTERANCE RECORDING START END (seconds)
          x u1 1 1         | the segment from 1 to 1 is empty; correct it
          x u1 2 1         | the segment from 2 to 1 is empty; correct it
          x u1 -1 1        | -1 is not a time in seconds; a line is UTTERANCE RECORDING START END
          x u1 0 -2        | -2 is not a time in seconds; a line is UTTERANCE RECORDING START END
          x u1 0 nan       | nan is not a time in seconds; a line is UTTERANCE RECORDING START END
          x u1 0 1f        | 1f is not a time in seconds; a line is UTTERANCE RECORDING START END
          x u1 0 0x1p3     | 0x1p3 is not a time in seconds; a line is UTTERANCE RECORDING START END
          x u1 0 1,5       | 1,5 is not a time in seconds; a line is UTTERANCE RECORDING START END
          x                | only one field (x); a line is UTTERANCE RECORDING START END
          """)
  void badSegmentsAreNamed(String line, String fault) throws Exception {
    Files.delete(folder.resolve("utt2word"));
    Files.delete(folder.resolve("joined2utt"));
    write("segments", line + "\n");
    write("utt2spk", "x s\n");
    assertEquals(folder.resolve("segments") + ", line 1: " + fault, message());
  }

  @Test
  void segmentsAndSpeakersBelongTogether() throws Exception {
    write("segments", "");
    assertEquals(
        folder.resolve("segments") + ": empty; a line is UTTERANCE RECORDING START END", message());
    write("segments", "x u1 0 1\n");
    assertEquals(
        folder.resolve("utt2spk") + ", line 1: utterance u1 is not in segments", message());
  }

  @Test
  void linksThatLeadBackAreLeftOutAndDanglingOnesAreMissingRecordings() throws Exception {
    Path root = folder.resolve("loop");
    Files.createDirectories(root.resolve("a/b"));
    Files.writeString(root.resolve("a/b/1.wav"), "");
    Files.createSymbolicLink(root.resolve("a/up"), Path.of("../.."));
    Files.createSymbolicLink(root.resolve("a/b/self"), Path.of("."));
    Files.createSymbolicLink(root.resolve("a/2.wav"), Path.of("/not/mounted/2.wav"));
    Files.createSymbolicLink(root.resolve("c"), Path.of("/not/mounted"));
    Corpus corpus = Corpus.open(root);
    assertEquals(List.of("a-2", "a-b-1"), corpus.utterances().stream().map(Utterance::id).toList());
    assertEquals(3, corpus.notes().size(), corpus.notes().toString());
    assertTrue(
        corpus
            .notes()
            .contains(
                root.resolve("a/up") + ": a link that leads back to a folder above it, left out"),
        corpus.notes().toString());
    assertTrue(corpus.notes().contains(root.resolve("c") + ": a link that leads nowhere"));
    assertTrue(
        refused(corpus::requireFiles)
            .startsWith(root.resolve("a/2.wav") + ": no such file (utterance a-2)"));
  }

  @Test
  void aCorpusMayBeALinkAndNoRecordingIsOfTwoSpeakers() throws Exception {
    Path root = folder.resolve("linked");
    Files.createDirectories(root.resolve("a"));
    Files.writeString(root.resolve("a/1.wav"), "");
    Files.createSymbolicLink(root.resolve("b"), Path.of("a"));
    Corpus corpus = Corpus.open(root);
    assertEquals(List.of("a-1"), corpus.utterances().stream().map(Utterance::id).toList());
    assertEquals(
        List.of(root.resolve("b") + ": a link to a folder that is in the corpus already, left out"),
        corpus.notes());
    Path link = Path.of("linked-corpus-of-a-test"); // one element, without a parent
    Files.createSymbolicLink(link, root);
    try {
      assertEquals(1, Corpus.open(link).utterances().size());
    } finally {
      Files.delete(link);
    }
  }

  @Test
  void listsThatAreLinksToNowhereAreMissed() throws Exception {
    for (String list : List.of("utt2word", "joined2utt")) {
      Path root = Files.createDirectories(folder.resolve("gone-" + list));
      Files.writeString(root.resolve("wav.scp"), "u 1.wav\n");
      Files.writeString(root.resolve("utt2spk"), "u s\n");
      Files.createSymbolicLink(root.resolve(list), Path.of("/not/mounted"));
      assertTrue(refused(() -> Corpus.open(root)).contains(list));
    }
  }

  @Test
  void namesOfFoldersAreVisible() throws Exception {
    Path root = folder.resolve("folders");
    Files.createDirectories(root.resolve("a\u00a0"));
    Files.writeString(root.resolve("a\u00a0/1.wav"), "");
    assertTrue(refused(() -> Corpus.open(root)).contains("U+00A0 (NO-BREAK SPACE) in the name"));
  }

  @Test
  void listsAreFoundByTheirNamesAndNowhereElse() throws Exception {
    write("trials/etri", "1 u1 u2\n");
    write("trials/own.txt", "1 u1 u2\n");
    Corpus corpus = Corpus.open(folder);
    assertEquals(folder.resolve("trials/etri"), corpus.trialList("etri"));
    assertEquals(folder.resolve("trials/own.txt"), corpus.trialList("own"));
    assertEquals(folder.resolve("trials/own.txt"), corpus.trialList("own.txt"));
    assertRefused(
        folder.resolve("trials/x.txt") + ": no such file; the corpus has the trial lists etri, own",
        () -> corpus.trialList("x"));
    for (String outside : List.of("../some", "../../x", "/etc/x", "", "a/b", "a\0b")) {
      assertTrue(refused(() -> corpus.split(outside)).contains("is not the name of a file in it"));
    }
  }
}
