package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.sameBits;
import static slimvox.train.TinyRuns.start;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.data.FeatureSource;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;

/** What may happen to a run's folder, and to what a run reads. */
class RunFolderTest {
  @TempDir static Path folder;

  @BeforeAll
  static void corpus() throws IOException {
    TinyRuns.corpus(folder);
  }

  private static Recipe recipe(String... settings) {
    return TinyRuns.recipe(folder, settings);
  }

  @Test
  void aFolderThatIsRemovedDuringTheRunIsMadeAnewAndCanBeResumed() throws Exception {
    Path whole = folder.resolve("not-removed");
    try (Trainer trainer = start(recipe(), whole)) {
      trainer.run(SILENT);
    }
    Path out = folder.resolve("removed");
    Path moved = folder.resolve("moved-away");
    List<String> notes = new ArrayList<>();
    try (Trainer trainer = start(recipe(), out)) {
      trainer.run(
          new Listener() {
            @Override
            public void stepped(Step step) {
              if (step.step() == 6) move(out, moved);
              if (step.step() == 10) Thread.currentThread().interrupt();
            }

            @Override
            public void noted(String note) {
              notes.add(note);
            }
          });
      Thread.interrupted();
      assertThrows(InputException.class, () -> RunLock.take(out, 0));
    }
    assertEquals(
        List.of(
            folder.resolve("trials.txt")
                + ": 4 of its 4 speakers are trained on, such as s0; strangers have more errors",
            "the features of corpus: kept in memory, about 0 MiB",
            out.resolve("recipe.yaml")
                + ": was removed during the run; it, and what follows, is written anew"),
        notes);
    for (Path half : List.of(out, moved)) {
      try (Trainer trainer = resume(recipe(), half)) {
        assertEquals(half == out ? 10 : 4, trainer.step());
        trainer.run(SILENT);
      }
      sameBits(Checkpoint.file(whole, 12), Checkpoint.file(half, 12));
    }
    assertEquals(
        Files.readAllLines(whole.resolve("validation.csv")),
        Files.readAllLines(moved.resolve("validation.csv")));
  }

  private static void move(Path from, Path to) {
    try {
      Files.move(from, to);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aRunInWhoseFolderAnotherWasStartedDoesNotWriteThere() throws Exception {
    Path out = folder.resolve("taken-over");
    try (Trainer trainer = start(recipe(), out)) {
      move(out, folder.resolve("was-taken-over"));
      start(recipe("seed=5"), out).close();
      var e = assertThrows(InputException.class, () -> trainer.run(SILENT));
      assertEquals(
          out + ": was replaced by the folder of another run; nothing more is saved there",
          e.getMessage());
    }
    assertFalse(Files.exists(out.resolve("log.csv")));
    assertTrue(Checkpoint.list(out).isEmpty());
    assertEquals(recipe("seed=5"), Recipe.read(out.resolve("recipe.yaml")));
  }

  @Test
  void foreignThingsInTheFolderOfARunAreLeftAloneOrNamed() throws Exception {
    Path out = folder.resolve("foreign");
    try (Trainer trainer = start(recipe("run.keepCheckpoints=1"), out)) {
      Files.writeString(out.resolve("checkpoint-99999999999999999999.safetensors"), "");
      Files.createDirectory(out.resolve("checkpoint-0000009.safetensors"));
      trainer.run(interruptAt(9));
      fail("a checkpoint was saved where a folder is");
    } catch (InputException e) {
      Thread.interrupted();
      assertTrue(e.getMessage().contains("checkpoint-0000009.safetensors: cannot be written, it"));
    }
    Files.delete(out.resolve("checkpoint-0000009.safetensors"));
    assertEquals(List.of(Checkpoint.file(out, 8)), Checkpoint.list(out));
    Path log = out.resolve("log.csv");
    String written = Files.readString(log);
    List<String> lines = written.lines().toList();
    for (int line = 1; line <= 5; line++) {
      for (String foreign : List.of("", "x", "a,b", "\"", lines.get(2), "1,2,3,4,5,6,7,8,9,10,x")) {
        List<String> changed = new ArrayList<>(lines);
        changed.add(line - 1, foreign);
        if (foreign.isEmpty() && line == 1 || foreign.equals(lines.get(2)) && line == 3) continue;
        String text = String.join("\r\n", changed) + "\r\n";
        Files.writeString(log, text);
        if (foreign.isEmpty()) continue; // blank lines are no lines
        var e = assertThrows(InputException.class, () -> goOn(out), foreign);
        assertTrue(e.getMessage().startsWith(log + ", line "), e.getMessage());
        assertTrue(e.getMessage().contains(": not a line that a run writes there"), foreign);
        assertEquals(text, Files.readString(log));
      }
    }
    Files.writeString(log, written + "10,1,2.5,0.");
    goOn(out);
    List<Long> steps = new ArrayList<>();
    RunLog.steps(out, line -> steps.add(Long.parseLong(line.get("step"))));
    assertEquals(LongStream.rangeClosed(1, 12).boxed().toList(), steps);
    // The recipe is in each checkpoint, too.
    Files.delete(out.resolve("recipe.yaml"));
    goOn(out);
    assertTrue(Files.exists(out.resolve("recipe.yaml")));
  }

  private static void goOn(Path out) throws InterruptedException {
    try (Trainer trainer = resume(recipe("run.keepCheckpoints=1"), out)) {
      trainer.run(SILENT);
    }
  }

  @Test
  void aFileThatARunWouldWriteOverIsNamed() throws Exception {
    for (String name : List.of("log.csv", "validation.csv")) {
      Path out = Files.createDirectory(folder.resolve("has-" + name));
      Files.writeString(out.resolve(name), "somebody's");
      var e = assertThrows(InputException.class, () -> start(recipe(), out));
      assertTrue(e.getMessage().startsWith(out.resolve(name) + ": "), e.getMessage());
      assertEquals("somebody's", Files.readString(out.resolve(name)));
    }
  }

  @Test
  void theLogHoldsWholeLinesAtEachStep() throws Exception {
    Path out = folder.resolve("whole-lines");
    try (Trainer trainer = start(recipe(), out)) {
      trainer.run(
          new Listener() {
            @Override
            public void stepped(Step step) {
              try {
                String log = Files.readString(out.resolve("log.csv"));
                assertTrue(log.endsWith("\n"), log);
                assertEquals(step.step() + 1, log.lines().count());
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            }
          });
    }
  }

  @Test
  void checkpointsHaveTheSameNamesInEveryLocale() throws Exception {
    Locale before = Locale.getDefault();
    Path out = folder.resolve("locale");
    for (String tag : List.of("ar-EG", "tr-TR", "hi-IN-u-nu-deva", "de-DE")) {
      Locale.setDefault(Locale.forLanguageTag(tag));
      try {
        Path own = out.resolve(tag);
        start(recipe(), own).close();
        try (Trainer trainer = resume(recipe(), own)) {
          trainer.run(SILENT);
        }
        assertEquals(
            List.of(Checkpoint.file(own, 8), Checkpoint.file(own, 12)), Checkpoint.list(own));
        assertTrue(Files.exists(own.resolve("checkpoint-0000012.safetensors")));
        // As earlier versions wrote it in Arabic.
        Files.delete(Checkpoint.file(own, 8));
        Path arabic = own.resolve("checkpoint-٠٠٠٠٠١٢.safetensors");
        Files.move(Checkpoint.file(own, 12), arabic);
        try (Trainer trainer = resume(recipe(), own)) {
          assertEquals(12, trainer.step());
        }
      } finally {
        Locale.setDefault(before);
      }
    }
  }

  @Test
  void scoringWithoutTrialsAsksForThem() throws Exception {
    try (Trainer trainer = Trainer.of(recipe("data.trials=null"))) {
      var e = assertThrows(InputException.class, () -> trainer.score(FeatureSource.Progress.NONE));
      assertEquals("data.trials: is not set; name the trials to score", e.getMessage());
    }
  }

  @Test
  void listsOutsideTheCorpusAreNotRead() throws Exception {
    Files.writeString(folder.resolve("x.speakers"), "s0\ns1\n");
    Files.writeString(folder.resolve("x.txt"), "1 s0-u0 s0-u5\n");
    Path corpus = folder.resolve("corpus");
    for (String name : List.of("../x", "a/../../x", folder.resolve("x").toString())) {
      var e =
          assertThrows(
              InputException.class,
              () -> Trainer.of(recipe("data.trainSpeakers=[\"" + name + "\"]")));
      assertEquals(
          "%s: '%s' is not the name of a file in it; give a name without folders"
                  .formatted(corpus, name)
              + "; data.trainSpeakers=[] trains with all speakers",
          e.getMessage());
      var trials =
          assertThrows(InputException.class, () -> Trainer.of(recipe("data.trials=" + name)));
      assertEquals(
          "data.trials: %s is no file, and %s: '%1$s' is not the name of a file in it; give a name"
                  .formatted(name, corpus.resolve("trials"))
              + " without folders",
          trials.getMessage());
    }
  }
}
