package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.data.Corpus;
import slimvox.data.FeatureSource;
import slimvox.data.TrialRule;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;
import slimvox.study.TrainingRuns.Outcome;
import slimvox.train.Checkpoint;
import slimvox.train.Listener;
import slimvox.train.Trainer;

/** Short runs on the corpus that ships. */
class TrainingRunsTest {
  private static final List<String> LISTS = List.of("val-same-word");
  private static final TrainingRuns.Progress SILENT = (run, done, total) -> {};

  @TempDir Path folder;

  private static Recipe recipe(int seed, String... settings) {
    return Recipe.shipped(
            "quick-start",
            "seed=" + seed,
            "model.width=2",
            "model.bins=24",
            "model.embeddingSize=8",
            "data.frames=24",
            "data.trainSpeakers=[val]",
            "data.trials=val-same-word",
            "run.batch=4",
            "run.length=6 steps",
            "run.threads=1",
            "run.validateEvery=0 steps",
            "run.checkpointEvery=2 steps")
        .with(settings);
  }

  private TrainingRuns runs() {
    return new TrainingRuns(folder, LISTS).add("one", recipe(1)).add("two", recipe(2));
  }

  @Test
  void runsAtOnceGiveTheBitsOfRunsOnTheirOwnAndAreReadTheSecondTime() throws Exception {
    List<String> told = new ArrayList<>();
    Map<String, Outcome> first =
        runs().run(2, (run, done, total) -> told.add(done + " of " + total));
    assertEquals(List.of("1 of 2", "2 of 2"), told);
    assertEquals(List.of("one", "two"), List.copyOf(first.keySet()));
    Path scores =
        folder.resolve("one-" + recipe(1).hash()).resolve("scores-" + LISTS.get(0) + ".txt");
    FileTime written = Files.getLastModifiedTime(scores);
    Map<String, Outcome> again = runs().run(1, SILENT);
    assertEquals(written, Files.getLastModifiedTime(scores));
    Map<String, Outcome> alone =
        new TrainingRuns(folder.resolve("alone"), LISTS).add("one", recipe(1)).run(1, SILENT);
    for (Map<String, Outcome> other : List.of(again, alone)) {
      assertArrayEquals(first.get("one").losses(), other.get("one").losses());
      assertEquals(first.get("one").eer(LISTS.get(0)), other.get("one").eer(LISTS.get(0)));
    }
    assertEquals(6, first.get("one").losses().length);
    assertEquals(3, first.get("one").meanLosses(2).length);
  }

  @Test
  void aRunThatWasStoppedGoesOnFromItsCheckpoint() throws Exception {
    Path own = folder.resolve("one-" + recipe(1).hash());
    try (Trainer trainer = Trainer.start(recipe(1), own, FeatureSource.Progress.NONE)) {
      trainer.run(
          new Listener() {
            @Override
            public void stepped(Step step) {
              if (step.step() == 3) Thread.currentThread().interrupt();
            }
          });
    }
    Thread.interrupted();
    Outcome resumed = runs().run(1, SILENT).get("one");
    Outcome whole =
        new TrainingRuns(folder.resolve("whole"), LISTS)
            .add("one", recipe(1))
            .run(1, SILENT)
            .get("one");
    assertArrayEquals(whole.losses(), resumed.losses());
    assertArrayEquals(
        whole.scores().get(LISTS.get(0)).values(), resumed.scores().get(LISTS.get(0)).values());
  }

  @Test
  void anInterruptStopsAllRunsAndTheyGoOnLater() throws Exception {
    Thread caller = Thread.currentThread();
    TrainingRuns.Progress stop =
        new TrainingRuns.Progress() {
          @Override
          public void finished(Outcome run, int done, int total) {}

          @Override
          public void stepped(String run, Listener.Step step) {
            if (step.step() == 3) caller.interrupt();
          }
        };
    assertThrows(InterruptedException.class, () -> runs().run(1, stop));
    Path own = folder.resolve("one-" + recipe(1).hash());
    assertTrue(Checkpoint.latest(own).isPresent());
    assertFalse(Files.exists(own.resolve("scores-" + LISTS.get(0) + ".txt")));
    Outcome resumed = runs().run(1, SILENT).get("one");
    Outcome whole =
        new TrainingRuns(folder.resolve("whole"), LISTS)
            .add("one", recipe(1))
            .run(1, SILENT)
            .get("one");
    assertArrayEquals(whole.losses(), resumed.losses());
  }

  @Test
  void aRunThatStartsFromAnotherIsScoredOnItsFoldAndReadTheSecondTime() throws Exception {
    Path corpus = validationSpeakers();
    Recipe real =
        recipe(1)
            .with("data.trainCorpus=" + corpus, "data.trainSpeakers=[]")
            .with("data.folds=5", "data.trials=text-dependent");
    int trials = TrialRule.TEXT_DEPENDENT.pairs(Corpus.open(corpus).fold(0, 5).test()).size();
    List<Long> steps = new ArrayList<>();
    TrainingRuns.Progress progress =
        new TrainingRuns.Progress() {
          @Override
          public void finished(Outcome run, int done, int total) {}

          @Override
          public void stepped(String run, Listener.Step step) {
            steps.add(step.step());
          }
        };
    for (int time = 0; time < 2; time++) {
      TrainingRuns runs = new TrainingRuns(folder).calibrating(2).add("real", real);
      Outcome first = runs.run(1, progress).get("real");
      assertEquals(1, runs.size());
      assertEquals(trials, first.scores().get(TrainingRuns.TRIALS).trials().size());
      assertThrows(IllegalStateException.class, first::calibrated);
      Recipe binary = real.with("model.binary.scheme=paper", "transfer.from=" + first.checkpoint());
      Outcome second = runs.add("binary", binary).run(1, progress).get("binary");
      assertEquals(
          second.eer(TrainingRuns.TRIALS), second.verification().eerPercent(), "own trials");
      assertNotEquals(
          second.verification().eerPercent(), second.calibrated().eerPercent(), "calibrated");
    }
    assertEquals(List.of(1L, 2L, 3L, 4L, 5L, 6L, 1L, 2L, 3L, 4L, 5L, 6L), steps);
  }

  /** The corpus that ships without its other speakers, so that folds are small. */
  private Path validationSpeakers() throws Exception {
    Path shipped = Path.of("data-scripts/speech-commands");
    Corpus val = Corpus.open(shipped).split("val");
    Path corpus = Files.createDirectory(folder.resolve("val"));
    for (String name : List.of("segments", "utt2spk", "utt2word")) {
      List<String> lines = new ArrayList<>(Files.readAllLines(shipped.resolve(name)));
      lines.removeIf(line -> !val.has(line.split(" ")[0]));
      Files.write(corpus.resolve(name), lines);
    }
    Path sound = shipped.resolve("val.flac").toAbsolutePath();
    Files.writeString(corpus.resolve("wav.scp"), "val " + sound + "\n");
    return corpus;
  }

  @Test
  void namesAreCheckedAndFailuresOfARunAreThrown() {
    TrainingRuns runs = runs();
    var twice = assertThrows(IllegalArgumentException.class, () -> runs.add("one", recipe(3)));
    assertEquals("there is a run one already", twice.getMessage());
    var slash = assertThrows(IllegalArgumentException.class, () -> runs.add("a/b", recipe(3)));
    assertEquals("'a/b' names no run; use letters, digits, dots and hyphens", slash.getMessage());
    TrainingRuns missing =
        new TrainingRuns(folder, LISTS).add("x", recipe(1, "data.trainCorpus=nowhere"));
    assertThrows(InputException.class, () -> missing.run(1, SILENT));
  }
}
