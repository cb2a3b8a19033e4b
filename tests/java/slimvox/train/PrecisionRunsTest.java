package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.sameBits;
import static slimvox.train.TinyRuns.start;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.recipe.Recipe;

/** Runs with activations and streams of 16 and 8 bits: stopped, gone on with, changed. */
class PrecisionRunsTest {
  @TempDir private static Path folder;

  @BeforeAll
  static void writeCorpus() throws Exception {
    TinyRuns.corpus(folder);
  }

  private static Recipe recipe(String... settings) {
    return TinyRuns.recipe(folder, "run.validateEvery=0 steps").with(settings);
  }

  private static void run(Recipe recipe, Path out, Listener listener) throws Exception {
    try (Trainer trainer = Files.exists(out) ? resume(recipe, out) : start(recipe, out)) {
      trainer.run(listener);
    }
    Thread.interrupted();
  }

  @ParameterizedTest
  @ValueSource(strings = {"float", "fixed16", "fixed8"})
  void aRunGoesOnToTheSameBits(String streams) throws Exception {
    Recipe recipe =
        recipe(
            "run.precision=bfloat16",
            "model.reversible=full",
            "model.slice=4",
            "model.rebuild=true",
            "model.streams=" + streams);
    Path whole = folder.resolve("whole-" + streams);
    run(recipe, whole, new Listener() {});
    Path parts = folder.resolve("parts-" + streams);
    run(recipe, parts, interruptAt(5));
    run(recipe, parts, new Listener() {});
    sameBits(Checkpoint.file(whole, 12), Checkpoint.file(parts, 12));
  }

  @Test
  void aRunMayGoOnInAnotherPrecisionWhichIsSaid() throws Exception {
    Path out = folder.resolve("changed");
    run(recipe(), out, interruptAt(5));
    List<String> notes = new ArrayList<>();
    run(
        recipe("run.precision=bfloat16"),
        out,
        new Listener() {
          @Override
          public void noted(String note) {
            notes.add(note);
          }
        });
    assertEquals(
        List.of(
            "activations go on as bfloat16, they were float32: the bits are not those of one run"),
        notes);
  }
}
