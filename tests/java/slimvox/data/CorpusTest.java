package slimvox.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.storage.InputException;

class CorpusTest {
  private static final Path SHIPPED = Path.of("data-scripts/speech-commands");

  @TempDir Path folder;

  private void write(String name, String text) throws Exception {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private String message() {
    return refused(() -> Corpus.open(folder));
  }

  private Path at(String name) {
    return folder.resolve(name);
  }

  @Test
  void shippedCorpusHasItsSpeakersAndEveryFile() {
    Corpus corpus = Corpus.open(SHIPPED).requireFiles().requireSpeakers();
    assertEquals("speech-commands: 1,361 speakers, 10,384 utterances", corpus.toString());
    assertEquals(3989, corpus.concatenated().size());
    assertEquals(Optional.of("up"), corpus.utterance("014f9f65-up-0").word());
    assertEquals(12, corpus.utterances("014f9f65").size());
    corpus.concatenated().values().forEach(parts -> assertEquals(4, parts.size()));
  }

  @Test
  void shippedSplitsAreDisjointAndComplete() {
    Corpus corpus = Corpus.open(SHIPPED);
    Set<String> seen = new HashSet<>();
    for (String split : List.of("train", "val", "test")) {
      Corpus part = corpus.split(split);
      int speakers = Map.of("train", 1151, "val", 60, "test", 150).get(split);
      assertEquals(speakers, part.speakers().size());
      for (String speaker : part.speakers()) assertTrue(seen.add(speaker), speaker);
      part.concatenated().values().forEach(p -> part.label(p.getFirst().speaker()));
    }
    assertEquals(new HashSet<>(corpus.speakers()), seen);
    Corpus often = corpus.split("train6");
    assertEquals(341, often.speakers().size());
    assertEquals(3199, often.utterances().size());
    assertTrue(corpus.split("train").speakers().containsAll(often.speakers()));
  }

  /**
   * The lists that ship are another program's, with the same order and limits for each speaker and
   * each two speakers, which cut off some of the same speaker that the rule keeps, and no others.
   */
  @ParameterizedTest
  @CsvSource({
    "TEXT_DEPENDENT, val-same-word",
    "TEXT_INDEPENDENT, val-different-words",
    "JOINED, val-joined"
  })
  void ruleGivesTheFirstOfTheShippedTrials(TrialRule rule, String list) throws Exception {
    Corpus corpus = Corpus.open(SHIPPED).split("val");
    Files.write(at("list"), rule.pairs(corpus).stream().map(Object::toString).toList());
    for (String kind : List.of("0 ", "1 ")) {
      List<String> shipped = new ArrayList<>(Files.readAllLines(corpus.trialList(list)));
      shipped.removeIf(
          l -> !l.startsWith(kind) || rule == TrialRule.JOINED && sharesWord(corpus, l));
      List<String> ours = new ArrayList<>(Files.readAllLines(at("list")));
      ours.removeIf(l -> !l.startsWith(kind));
      if (kind.equals("0 ")) assertEquals(TrialRule.MOST, ours.size());
      else ours.retainAll(new HashSet<>(shipped));
      assertTrue(ours.size() > 400, list + ": " + ours.size());
      for (int i = 0; i < ours.size(); i++) assertEquals(shipped.get(i), ours.get(i), list);
    }
  }

  private static boolean sharesWord(Corpus corpus, String line) {
    String[] fields = line.split(" ");
    return !Collections.disjoint(words(corpus, fields[1]), words(corpus, fields[2]));
  }

  private static Set<String> words(Corpus corpus, String id) {
    Set<String> words = new HashSet<>();
    for (Utterance part : corpus.parts(id)) words.add(part.word().orElseThrow());
    return words;
  }

  @Test
  void recordingsOfOnePhraseAreChosenByTheirWord() {
    Corpus corpus = Corpus.open(SHIPPED).split("test");
    Corpus phrase = corpus.saying(List.of("happy", "cat"));
    assertEquals(
        corpus.utterances().stream()
            .filter(u -> List.of("happy", "cat").contains(u.word().orElseThrow()))
            .toList(),
        phrase.utterances());
    assertTrue(phrase.utterances().size() > 200, phrase.toString());
    phrase
        .concatenated()
        .values()
        .forEach(parts -> parts.forEach(part -> assertTrue(phrase.has(part.id()))));
    assertRefused(
        SHIPPED + ": has no word hapy; the nearest are happy, cat, up",
        () -> corpus.saying(List.of("hapy")));
  }

  @Test
  void trainingOnWordsNeedsToKnowThem() throws Exception {
    Corpus corpus = SyntheticCorpus.write(folder, 2, 2);
    assertRefused(
        folder + ": utterance s0-0 has no word; training on words needs the file utt2word",
        () -> corpus.saying(List.of("open")));
  }

  @Test
  void joinedTrialsShareNoRecordingAndNoWord() {
    Corpus corpus = Corpus.open(SHIPPED).split("val").fold(2, 5).test();
    for (TrialRule.Pair pair : TrialRule.JOINED.pairs(corpus)) {
      assertTrue(
          Collections.disjoint(words(corpus, pair.enrolment()), words(corpus, pair.test())),
          pair.toString());
    }
  }

  @Test
  void everySpeakerIsATestSpeakerInExactlyOneFold() {
    Corpus corpus = Corpus.open(SHIPPED);
    Set<String> tested = new HashSet<>();
    for (int k = 0; k < 5; k++) {
      Corpus.Fold fold = corpus.fold(k, 5);
      assertEquals(k == 0 ? 1088 : 1089, fold.train().speakers().size());
      for (String speaker : fold.test().speakers()) {
        assertTrue(tested.add(speaker), speaker);
        assertFalse(fold.train().speakers().contains(speaker), speaker);
      }
    }
    assertEquals(1361, tested.size());
    assertEquals("speech-commands, fold 1 of 5, test", corpus.fold(1, 5).test().name());
  }

  @Test
  void foldsNeedEnoughSpeakers() {
    Corpus corpus = Corpus.open(SHIPPED);
    assertRefused(
        SHIPPED + ": 1362 folds need at least 1362 speakers, here are 1361",
        () -> corpus.fold(0, 1362));
    Corpus three = corpus.subset(corpus.speakers().subList(0, 3));
    assertRefused(
        SHIPPED + ": 2 folds need at least 4 speakers, here are 3", () -> three.fold(0, 2));
    assertEquals(2, three.fold(0, 3).train().speakers().size());
    assertRefused("fold 5 of 5: folds are 0 to n - 1, n at least 2", () -> corpus.fold(5, 5));
  }

  @Test
  void labelsFollowSortedSpeakersAndPathsTheFolder() throws Exception {
    write("wav.scp", "b1 sub dir/b.wav\na1 /abs/a.flac\n\n");
    write("utt2spk", "a1 anna\nb1 bob\r\n");
    Corpus corpus = Corpus.open(folder);
    assertEquals(List.of("anna", "bob"), corpus.speakers());
    assertEquals(1, corpus.label("bob"));
    assertEquals("a1", corpus.utterances().getFirst().id());
    assertEquals(at("sub dir/b.wav"), corpus.utterance("b1").file());
    assertEquals(Path.of("/abs/a.flac"), corpus.utterance("a1").file());
    assertEquals(0, corpus.subset(List.of("bob")).label("bob"));
    assertEquals(64, corpus.sha256().length());
  }

  @Test
  void featsScpGivesArkPlaces() throws Exception {
    write("feats.scp", "a1 ark/x.ark:17\nb1 y.ark\n");
    write("utt2spk", "a1 anna\nb1 bob\n");
    Corpus corpus = Corpus.open(folder);
    assertEquals(new Utterance.Ark(at("ark/x.ark"), 17), corpus.utterance("a1").source());
    assertEquals(new Utterance.Ark(at("y.ark"), 0), corpus.utterance("b1").source());
    write("feats.scp", "a1 x.ark:17[0:5]\nb1 y.ark\n");
    assertTrue(message().startsWith(at("feats.scp") + ", line 1: utterance a1 is a range of rows"));
  }

  @Test
  void speakerFoldersMayBeNested() throws Exception {
    for (String file : List.of("anna/s1/x.wav", "anna/s2/x.FLAC", "bob/y.wav", "bob/._y.wav")) {
      write(file, "");
    }
    write("README", "not a sound");
    Corpus corpus = Corpus.open(folder);
    assertEquals(
        List.of("anna-s1-x", "anna-s2-x", "bob-y"),
        corpus.utterances().stream().map(Utterance::id).toList());
    assertEquals(List.of("anna", "bob"), corpus.speakers());
    write("anna/s1/x.flac", "");
    assertTrue(message().contains("has the same id anna-s1-x as "), message());
  }

  @Test
  void soundBesideSpeakerFoldersIsRefused() throws Exception {
    write("anna/x.wav", "");
    write("lost.wav", "");
    assertEquals(
        at("lost.wav")
            + ": lies beside the speakers' folders; put it into a folder named by its speaker",
        message());
  }

  @Test
  void folderWithoutCorpusSaysWhatIsNeeded() {
    assertEquals(
        folder
            + ": no corpus; it has neither wav.scp nor feats.scp, nor folders of speakers with"
            + " .wav or .flac files",
        message());
    Path nowhere = at("nowhere");
    assertRefused(
        nowhere
            + ": no such folder; name a corpus folder (wav.scp or feats.scp with utt2spk, or one"
            + " folder for each speaker)",
        () -> Corpus.open(nowhere));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          a x.wav@b y.wav@a z.wav | a s@b t | wav.scp, line 3: a is on line 1 already; remove one of them
          a x.wav@b y.wav | a s | wav.scp, line 2: utterance b has no speaker in utt2spk
          a x.wav | a s@c t | utt2spk, line 2: utterance c is not in wav.scp
          a x.wav | | utt2spk: no such file; beside wav.scp it gives each utterance's speaker
          'a sph2pipe x.sph |' | a s | 'wav.scp, line 1: utterance a is a command (|), and commands are not run; run it once yourself and list the file it makes'
          a | a s | wav.scp, line 1: only one field (a); a line is UTTERANCE PATH
          @ | a s | wav.scp: empty; a line is UTTERANCE PATH
          """)
  void eachFaultOfTheListsHasItsLine(String scp, String speakers, String fault) throws Exception {
    write("wav.scp", scp.replace('@', '\n') + "\n");
    if (speakers != null) write("utt2spk", speakers.replace('@', '\n') + "\n");
    assertRefused(folder + "/" + fault, () -> Corpus.open(folder));
  }

  @Test
  void listInUtf16IsRefused() throws Exception {
    Files.write(at("wav.scp"), new byte[] {(byte) 0xff, (byte) 0xfe, 'a'});
    assertRefused(at("wav.scp") + ": text in UTF-16; save it as UTF-8", () -> Corpus.open(folder));
  }

  /** As VoxCeleb's trial lists name what folders of speakers call id10001-x-00001. */
  @Test
  void utterancesAreFoundByTheNamesOfTrialLists() throws Exception {
    for (int i = 1; i <= 2; i++) write("id10001/x/0000" + i + ".wav", "");
    write("jose\u0301/y/1.flac", "");
    Corpus corpus = Corpus.open(folder);
    for (String name :
        List.of(
            "id10001/x/00002.wav",
            "./id10001/x/00002",
            "id10001\\x\\00002.wav",
            "id10001-x-00002.wav",
            "id10001-x-00002")) {
      assertTrue(corpus.has(name), name);
      assertEquals("id10001-x-00002", corpus.parts(name).getFirst().id());
    }
    assertEquals("jose\u0301-y-1", corpus.parts("jos\u00e9/y/1.wav").getFirst().id());
    assertFalse(corpus.has("id10001/x/00003.wav"));
    assertThrows(InputException.class, () -> corpus.parts("id10001/x/00003.wav"));
  }

  @Test
  void joinedUtterancesMustBeOfOneSpeakerAndKnown() throws Exception {
    write("wav.scp", "a x.wav\nb y.wav\n");
    write("utt2spk", "a s\nb t\n");
    write("joined2utt", "j a b\n");
    assertEquals(at("joined2utt") + ", line 1: joins speakers s and t", message());
    write("joined2utt", "j a c\n");
    assertEquals(at("joined2utt") + ", line 1: no utterance c", message());
    write("joined2utt", "b a\n");
    assertEquals(at("joined2utt") + ", line 1: b is the id of an utterance too", message());
  }

  @Test
  void missingFilesAreCounted() throws Exception {
    write("wav.scp", "a x.wav\nb y.wav\n");
    write("utt2spk", "a s\nb t\n");
    Corpus corpus = Corpus.open(folder);
    assertRefused(
        at("x.wav")
            + ": no such file (utterance a, and 1 more are missing); correct "
            + folder
            + " or put the file there",
        corpus::requireFiles);
  }

  @Test
  void oneSpeakerIsTooFewToTrain() throws Exception {
    write("wav.scp", "a x.wav\nb y.wav\n");
    write("utt2spk", "a s\nb s\n");
    Corpus corpus = Corpus.open(folder);
    assertRefused(
        folder + ": one speaker only (s); training needs at least two", corpus::requireSpeakers);
  }

  @Test
  void unknownNamesAreAnsweredWithTheNearest() {
    Corpus corpus = Corpus.open(SHIPPED);
    String message = refused(() -> corpus.parts("014f9f65-upp-0"));
    assertTrue(
        message.startsWith(
            SHIPPED + ": has no utterance 014f9f65-upp-0; the nearest are 014f9f65-up-0"),
        message);
    assertThrows(InputException.class, () -> corpus.label("014f9f66"));
    assertRefused(
        SHIPPED.resolve("dev.speakers")
            + ": no such file; the corpus has the splits test, train, train6, val",
        () -> corpus.split("dev"));
    assertTrue(
        refused(() -> corpus.trialList("x"))
            .endsWith(
                "; the corpus has the trial lists test-different-words, test-joined,"
                    + " test-same-word, val-different-words, val-joined, val-same-word"));
  }

  @Test
  void splitWithUnknownSpeakerNamesTheLine() throws Exception {
    write("wav.scp", "a x.wav\n");
    write("utt2spk", "a s\n");
    write("train.speakers", "s\nu\n");
    assertRefused(
        at("train.speakers") + ", line 2: speaker u has no utterance in " + folder.getFileName(),
        () -> Corpus.open(folder).split("train"));
  }

  @Test
  void textDependentTrialsNeedWords() throws Exception {
    write("wav.scp", "a x.wav\nb y.wav\n");
    write("utt2spk", "a s\nb t\n");
    Corpus corpus = Corpus.open(folder);
    assertRefused(
        folder + ": utterance a has no word; text-dependent trials need the file utt2word",
        () -> TrialRule.TEXT_DEPENDENT.pairs(corpus));
    assertRefused(
        folder
            + ": no pair of the same speaker for TEXT_INDEPENDENT trials in "
            + folder.getFileName(),
        () -> TrialRule.TEXT_INDEPENDENT.pairs(corpus));
  }
}
