package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.recipe.Recipe;

/** What a run says before its first step. */
class TrainingNotesTest {
  @TempDir static Path folder;

  /** All but what is said of each recipe here: that the speakers of its trials are trained on. */
  private static List<String> notes(String... settings) throws Exception {
    return all(settings).stream().filter(note -> !note.contains(" are trained on")).toList();
  }

  private static List<String> all(String... settings) throws Exception {
    List<String> notes = new ArrayList<>();
    Recipe recipe =
        TinyRuns.recipe(folder, "run.length=1 steps", "run.validateEvery=0 steps").with(settings);
    try (Trainer trainer = Trainer.of(recipe)) {
      Listener listener =
          new Listener() {
            @Override
            public void noted(String note) {
              if (!note.startsWith("finished already")) notes.add(note);
            }
          };
      trainer.run(listener);
      trainer.run(listener);
    }
    return notes;
  }

  private static final String KEPT = "the features of corpus: kept in memory, about 0 MiB";

  @Test
  void whereExamplesComeFromIsSaid() throws Exception {
    TinyRuns.corpus(folder);
    assertEquals(List.of(KEPT), notes());
    assertEquals(
        List.of(
            "the sound of corpus: read for each example and not kept; it would take about 0 MiB"),
        notes("data.channel.probability=1", "data.source=streaming"));
    assertEquals(
        List.of("the features of corpus: in the folder of data.cacheFolder, about 0 MiB"),
        notes("data.cacheFolder=" + folder.resolve("cache")));
  }

  /** A step takes about 2.64 MB, the features 0.45 MB. */
  @Test
  void whatHasNoRoomInTheBudgetIsStreamed() throws Exception {
    TinyRuns.corpus(folder);
    assertEquals(
        List.of(
            "the features of corpus: read for each example and not kept; it would take about 0"
                + " MiB"),
        notes("run.memoryBudget=2.8MB"));
    assertEquals(List.of(KEPT), notes("run.memoryBudget=8MB"));
  }

  /** Six recordings of 48, 51, 53, 56, 58 and 61 frames of each of four speakers. */
  @Test
  void recordingsThatAreRepeatedAreCountedOnce() throws Exception {
    TinyRuns.corpus(folder);
    assertEquals(List.of(KEPT), notes("data.frames=48", "data.joinUtterances=1"));
    assertEquals(
        List.of(
            "12 of 24 recordings are shorter than data.frames=56 and are repeated to fill it; the"
                + " longest recording has 61 frames",
            KEPT),
        notes("data.frames=56", "data.joinUtterances=1"));
    assertEquals(
        List.of(
            "24 of 24 recordings, 2 joined, are shorter than data.frames=200 and are repeated to"
                + " fill it; the longest recording has 61 frames",
            KEPT),
        notes("data.frames=200"));
  }

  /** They last 50, 52.5, 55, 57.5, 60 and 62.5 shifts of 10 ms. */
  @Test
  void recordingsThatAreTooShortAreLeftOut() throws Exception {
    TinyRuns.corpus(folder);
    String[] settings = {"data.frames=48", "data.joinUtterances=1", "data.leastFrames=56"};
    String left = "12 of 24 recordings are shorter than data.leastFrames=56 and left out";
    assertEquals(List.of(left, KEPT), notes(settings));
    Recipe recipe = TinyRuns.recipe(folder, settings);
    try (Trainer trainer = Trainer.of(recipe)) {
      assertEquals(
          List.of("s0-u3", "s0-u4", "s0-u5"),
          trainer.data().train().utterances("s0").stream().map(u -> u.id()).toList());
      assertTrue(trainer.data().validation().has("s0-u0"), "trials keep theirs");
    }
    assertRefused(
        folder.resolve("corpus") + ": no recording has data.leastFrames=63; set fewer",
        () -> Trainer.of(recipe.with("data.leastFrames=63")));
  }

  @Test
  void whatIsNotUsedOfTheCorpusIsSaid() throws Exception {
    TinyRuns.corpus(folder);
    Path back = Files.createSymbolicLink(folder.resolve("corpus/s0/back"), Path.of("../.."));
    try {
      List<String> notes = notes();
      assertEquals(2, notes.size(), notes.toString());
      assertTrue(notes.getFirst().contains("back"), notes.getFirst());
    } finally {
      Files.delete(back);
    }
  }

  @Test
  void speakersOfTheTrialsWhoAreTrainedOnAreCounted() throws Exception {
    TinyRuns.corpus(folder);
    String trials = folder.resolve("trials.txt") + "";
    String higher = " speakers are trained on, such as s0; strangers have more errors";
    assertEquals(trials + ": 4 of its 4" + higher, all().getFirst());
    Files.writeString(folder.resolve("corpus/some.speakers"), "s2\ns0\n");
    String[] settings = {"data.trainSpeakers=[some]"};
    assertEquals(trials + ": 2 of its 4" + higher, all(settings).getFirst());
    Files.writeString(folder.resolve("others.txt"), "1 s1-u0 s1-u1\n0 s1-u0 s3-u1\n");
    settings = new String[] {settings[0], "data.trials=" + folder.resolve("others.txt")};
    assertEquals(notes(settings), all(settings));
  }
}
