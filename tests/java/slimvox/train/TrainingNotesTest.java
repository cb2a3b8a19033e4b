package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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

  private static List<String> notes(String... settings) throws Exception {
    List<String> notes = new ArrayList<>();
    Recipe recipe =
        TinyRuns.recipe(folder, "run.length=1 steps", "run.validateEvery=0 steps").with(settings);
    try (Trainer trainer = Trainer.of(recipe)) {
      Listener listener =
          new Listener() {
            @Override
            public void noted(String note) {
              notes.add(note);
            }
          };
      trainer.run(listener);
      trainer.run(listener);
    }
    return notes;
  }

  /** Six recordings of 48, 51, 53, 56, 58 and 61 frames of each of four speakers. */
  @Test
  void recordingsThatAreRepeatedAreCountedOnce() throws Exception {
    TinyRuns.corpus(folder);
    assertEquals(List.of(), notes());
    assertEquals(List.of(), notes("data.frames=48", "data.joinUtterances=1"));
    assertEquals(
        List.of(
            "12 of 24 recordings are shorter than data.frames=56 and are repeated to fill it; the"
                + " longest recording has 61 frames"),
        notes("data.frames=56", "data.joinUtterances=1"));
    assertEquals(
        List.of(
            "24 of 24 recordings, 2 joined, are shorter than data.frames=200 and are repeated to"
                + " fill it; the longest recording has 61 frames"),
        notes("data.frames=200"));
  }

  @Test
  void whatIsNotUsedOfTheCorpusIsSaid() throws Exception {
    TinyRuns.corpus(folder);
    Path back = Files.createSymbolicLink(folder.resolve("corpus/s0/back"), Path.of("../.."));
    try {
      List<String> notes = notes();
      assertEquals(1, notes.size(), notes.toString());
      assertTrue(notes.getFirst().contains("back"), notes.getFirst());
    } finally {
      Files.delete(back);
    }
  }
}
