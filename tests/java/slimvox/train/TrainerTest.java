package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.onStep;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.sameBits;
import static slimvox.train.TinyRuns.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.data.FeatureSource;
import slimvox.memory.Category;
import slimvox.memory.OutOfBudgetException;
import slimvox.recipe.Recipe;
import slimvox.step.NonFiniteException;
import slimvox.storage.InputException;

/** Whole runs on a tiny corpus: four speakers, each with tones of its own in noise. */
class TrainerTest {
  @TempDir static Path folder;

  @BeforeAll
  static void corpus() throws IOException {
    TinyRuns.corpus(folder);
  }

  private static Recipe recipe(String... settings) {
    return TinyRuns.recipe(folder, settings);
  }

  @Test
  void severalListenersAreOneObject() {
    Listener both = Listener.all(new Listener() {}, null);
    assertEquals(Set.of(both), new HashSet<>(List.of(both, both)));
    assertTrue(both.toString().contains("Listener"), both.toString());
  }

  @Test
  void aRunLearnsValidatesAndLeavesRecipeLogAndCheckpoints() throws Exception {
    Path out = folder.resolve("whole");
    List<Double> accuracies = new ArrayList<>();
    Listener.End end;
    Recipe recipe =
        recipe(
            "run.length=60 steps",
            "run.batch=8",
            "data.speeds=[1.0]",
            "loss.margin.final=0",
            "optimizer.learningRate.initial=0.01",
            "optimizer.learningRate.final=0.001");
    try (Trainer trainer = start(recipe, out)) {
      end = trainer.run(onStep(step -> accuracies.add(step.result().accuracyWithoutMargin())));
      trainer.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
    assertEquals(60, end.step());
    assertFalse(end.interrupted());
    double learned =
        accuracies.subList(50, 60).stream().mapToDouble(a -> a).average().orElseThrow();
    assertTrue(learned > 0.7, "share of the training batches classified right: " + accuracies);
    assertEquals(0, end.verifications().values().iterator().next().eerPercent());
    assertEquals(61, Files.readAllLines(out.resolve("log.csv")).size());
    assertEquals(11, Files.readAllLines(out.resolve("validation.csv")).size());
    assertEquals(
        List.of("checkpoint-0000056.safetensors", "checkpoint-0000060.safetensors"),
        Checkpoint.list(out).stream().map(f -> f.getFileName().toString()).toList());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.reversible=partial",
        "model.reversible=full model.slice=3 model.rebuild=true optimizer.update=in-backward",
        "model.reversible=full model.streams=fixed optimizer.update=in-backward",
        "model.recompute=checkpoint model.rebuild=true optimizer.update=in-backward"
      })
  void aRunThatSavesMemoryIsResumedToTheSameBits(String settings) throws Exception {
    Recipe recipe = recipe(settings.split(" "));
    Path whole = folder.resolve("whole-" + recipe.hash());
    try (Trainer trainer = start(recipe, whole)) {
      trainer.run(SILENT);
    }
    Path parts = folder.resolve("parts-" + recipe.hash());
    try (Trainer trainer = start(recipe, parts)) {
      trainer.run(interruptAt(5));
      assertTrue(Thread.interrupted());
    }
    try (Trainer trainer = resume(recipe, parts)) {
      assertEquals(5, trainer.step());
      trainer.run(SILENT);
    }
    sameBits(Checkpoint.file(whole, 12), Checkpoint.file(parts, 12));
  }

  @Test
  void aRunThatWasStoppedEndsInTheSameBitsAsOneThatWasNot() throws Exception {
    Path whole = folder.resolve("uninterrupted");
    try (Trainer trainer = start(recipe(), whole)) {
      trainer.run(SILENT);
    }
    Path parts = folder.resolve("interrupted");
    // As if killed after step 7: the latest checkpoint is that of step 4, the log is longer.
    try (Trainer trainer = start(recipe(), parts)) {
      assertThrows(
          IllegalStateException.class,
          () ->
              trainer.run(
                  onStep(
                      step -> {
                        if (step.step() == 7) throw new IllegalStateException("killed");
                      })));
    }
    List<String> log = Files.readAllLines(parts.resolve("log.csv"));
    assertTrue(log.getLast().startsWith("7,"), "a run that fails leaves its log: " + log);
    Files.writeString(
        parts.resolve("log.csv"), Files.readString(parts.resolve("log.csv")) + "5,1,3.2,0");
    Files.writeString(
        parts.resolve("validation.csv"),
        Files.readString(parts.resolve("validation.csv")) + "6,1.5,0.1,0.05,10,\"half a na");
    try (Trainer trainer = resume(recipe(), parts)) {
      assertEquals(4, trainer.step());
      // And stopped by an interrupt at step 9, which saves a checkpoint.
      Listener.End end = trainer.run(interruptAt(9));
      assertTrue(end.interrupted());
      assertEquals(9, end.step());
      assertTrue(Thread.interrupted(), "the interrupt is passed on");
    }
    try (Trainer trainer = resume(recipe(), parts)) {
      assertEquals(9, trainer.step());
      trainer.run(SILENT);
    }
    sameBits(Checkpoint.file(whole, 12), Checkpoint.file(parts, 12));
    List<String> steps =
        Files.readAllLines(parts.resolve("log.csv")).stream().map(l -> l.split(",")[0]).toList();
    assertEquals(13, steps.size(), steps.toString());
    assertEquals("12", steps.getLast());
    assertEquals(
        Files.readAllLines(whole.resolve("validation.csv")),
        Files.readAllLines(parts.resolve("validation.csv")));
  }

  @Test
  void aFolderIsLockedAsLongAsItsTrainerIsOpen() throws Exception {
    Path out = folder.resolve("locked");
    try (Trainer _ = start(recipe(), out)) {
      assertThrows(InputException.class, () -> RunLock.take(out, 0));
    }
    try (Trainer _ = resume(recipe(), out)) {
      assertThrows(InputException.class, () -> RunLock.take(out, 0));
    }
    Path corpus = folder.resolve("corpus");
    Files.move(corpus, folder.resolve("moved"));
    try {
      assertThrows(InputException.class, () -> resume(recipe(), out));
    } finally {
      Files.move(folder.resolve("moved"), corpus);
    }
    RunLock.take(out, 0).close();
  }

  @Test
  void aValidationThatWasInterruptedIsMadeUpForWhenTheRunGoesOn() throws Exception {
    Path whole = folder.resolve("validated");
    try (Trainer trainer = start(recipe(), whole)) {
      trainer.run(SILENT);
    }
    Path parts = folder.resolve("interrupted-validation");
    Listener interrupts =
        new Listener() {
          @Override
          public void stepped(Step step) {
            if (step.step() % 6 == 0) Thread.currentThread().interrupt(); // validation comes next
          }
        };
    for (int step : new int[] {6, 12}) {
      try (Trainer trainer = step == 6 ? start(recipe(), parts) : resume(recipe(), parts)) {
        Listener.End end = trainer.run(interrupts);
        assertTrue(Thread.interrupted());
        assertTrue(end.interrupted());
        assertEquals(step, end.step());
      }
    }
    try (Trainer trainer = resume(recipe(), parts)) {
      assertFalse(trainer.run(SILENT).verifications().isEmpty());
    }
    assertEquals(
        Files.readAllLines(whole.resolve("validation.csv")),
        Files.readAllLines(parts.resolve("validation.csv")));
  }

  /** The next cell of a notebook starts while the stopped one is still within a step. */
  @Test
  void whatFollowsAStoppedRunWaitsForItsLastStep() throws Exception {
    CountDownLatch inStep = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    List<String> order = Collections.synchronizedList(new ArrayList<>());
    Trainer trainer = Trainer.of(recipe());
    Thread cell =
        Thread.ofPlatform()
            .start(
                () ->
                    trainer.run(
                        new Listener() {
                          @Override
                          public void stepped(Step step) {
                            inStep.countDown();
                            while (goOn.getCount() > 0) Thread.onSpinWait(); // deaf, like a kernel
                          }

                          @Override
                          public void finished(End end) {
                            order.add("stopped at step " + end.step());
                          }
                        }));
    inStep.await();
    cell.interrupt();
    Thread next =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    trainer.score(FeatureSource.Progress.NONE);
                    order.add("scored");
                    trainer.close();
                    order.add("closed");
                  } catch (Exception e) {
                    order.add(e.toString());
                  }
                });
    while (next.getState() == Thread.State.NEW || next.getState() == Thread.State.RUNNABLE) {
      Thread.onSpinWait();
    }
    goOn.countDown();
    cell.join();
    next.join();
    assertEquals(List.of("stopped at step 1", "scored", "closed"), order);
    trainer.close();
    var e = assertThrows(IllegalStateException.class, () -> trainer.run(SILENT));
    assertEquals("this trainer is closed; make a new one", e.getMessage());
  }

  @Test
  void featuresOfAnotherWidthNameTheSettingToChange() throws Exception {
    Path corpus = Files.createDirectory(folder.resolve("seven-bins"));
    Path ark = Path.of("tests/data/data/features.ark").toAbsolutePath();
    Files.writeString(corpus.resolve("feats.scp"), "float " + ark + ":6\ndouble " + ark + ":364\n");
    Files.writeString(corpus.resolve("utt2spk"), "float a\ndouble b\n");
    Recipe recipe =
        Recipe.shipped(
            "quick-start",
            "data.trainCorpus=" + corpus,
            "data.trainSpeakers=null",
            "data.trials=null",
            "data.speeds=[1.0]",
            "data.joinUtterances=1");
    var e = assertThrows(InputException.class, () -> Trainer.of(recipe));
    assertEquals(
        corpus + ": its features have 7 values a frame, model.bins is 40; set model.bins=7",
        e.getMessage());
  }

  @Test
  void aRunWithoutCheckpointGoesOnWithItsOwnRecipeOnly() throws Exception {
    Path out = folder.resolve("no-checkpoint");
    start(recipe(), out).close();
    var e =
        assertThrows(
            InputException.class,
            () -> resume(recipe("optimizer.betas=[0.9, 0.99]", "seed=1"), out));
    assertEquals(
        out.resolve("recipe.yaml")
            + ": of a run with seed=42 optimizer.betas=[0.9, 0.999]; seed=1 optimizer.betas=[0.9,"
            + " 0.99] cannot be had in it: leave that out, or start a run in another folder",
        e.getMessage());
    resume(recipe(), out).close();
  }

  @Test
  void anInterruptedRunReturnsTheMemoryOfTheStep() throws Exception {
    try (Trainer trainer = Trainer.of(recipe())) {
      trainer.run(onStep(step -> Thread.currentThread().interrupt()));
      assertTrue(Thread.interrupted());
      assertEquals(0, trainer.network().backend().blockBytes());
      trainer.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
      assertNotNull(trainer.score(FeatureSource.Progress.NONE));
    }
  }

  @Test
  void aFolderWithARunIsNotOverwritten() throws Exception {
    Path out = folder.resolve("twice");
    start(recipe(), out).close();
    var e = assertThrows(InputException.class, () -> start(recipe(), out));
    assertEquals(
        out
            + ": holds a run already; go on with it (train --resume, Trainer.resume) or give"
            + " another folder",
        e.getMessage());
  }

  @Test
  void resumingNothingIsRefused() {
    Path out = folder.resolve("nothing");
    var e = assertThrows(InputException.class, () -> resume(recipe(), out));
    assertEquals(
        out + ": holds no run to resume; start one: train RECIPE without --resume, Trainer.start",
        e.getMessage());
  }

  @Test
  void aRunGoesOnWithASmallerBatchFromTheStepItWasAt() throws Exception {
    Path out = folder.resolve("smaller-batch");
    Listener stopping = interruptAt(5);
    try (Trainer trainer = start(recipe(), out)) {
      assertTrue(trainer.run(stopping).interrupted());
    }
    assertTrue(Thread.interrupted());
    try (Trainer trainer = resume(recipe("run.batch=2"), out)) {
      assertEquals(5, trainer.step());
      assertEquals(12, trainer.run(SILENT).step());
    }
  }

  @Test
  void lossesThatAreReadTogetherAreTheSameAndTheRunEndsInTheSameBits() throws Exception {
    Path each = folder.resolve("each");
    Path together = folder.resolve("together");
    List<String> told = new ArrayList<>();
    Listener listener =
        onStep(
            step -> {
              told.add(step.step() + " " + step.result().loss() + " " + step.result().accuracy());
              if (told.size() == 5) Thread.currentThread().interrupt();
            });
    try (Trainer trainer = start(recipe(), each)) {
      trainer.run(listener);
      assertTrue(Thread.interrupted());
      trainer.run(listener);
    }
    List<String> expected = List.copyOf(told);
    told.clear();
    // Windows of 5, cut by checkpoints at 4 and 8; interrupted within one, resumed with others.
    try (Trainer trainer = start(recipe("run.lossEvery=5"), together)) {
      assertTrue(trainer.run(listener).interrupted());
      assertTrue(Thread.interrupted());
      trainer.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE, Category.WORKSPACE);
    }
    try (Trainer trainer = resume(recipe("run.lossEvery=3"), together)) {
      trainer.run(listener);
    }
    assertEquals(12, expected.size());
    assertEquals(expected, told);
    assertEquals(13, Files.readAllLines(together.resolve("log.csv")).size());
    sameBits(Checkpoint.file(each, 12), Checkpoint.file(together, 12));
  }

  @Test
  void aLossThatIsNotFiniteStopsTheRunBeforeACheckpointWhateverIsReadTogether() throws Exception {
    Path out = folder.resolve("not-finite");
    Recipe recipe =
        recipe(
            "run.lossEvery=10",
            "optimizer.learningRate.schedule=constant",
            "optimizer.learningRate.initial=1e30");
    List<Long> told = new ArrayList<>();
    try (Trainer trainer = start(recipe, out)) {
      Listener listener = onStep(step -> told.add(step.step()));
      var e = assertThrows(NonFiniteException.class, () -> trainer.run(listener));
      assertTrue(e.getMessage().contains("it was seen after step 4, "), e.getMessage());
      assertTrue(e.getMessage().contains("step " + (told.size() + 1) + " "), e.getMessage());
      assertSame(e, trainer.history().failed());
      assertNull(trainer.history().end());
      assertTrue(trainer.history().seconds() > 0);
    }
    assertEquals(List.of(), Checkpoint.list(out));
    assertEquals(1 + told.size(), Files.readAllLines(out.resolve("log.csv")).size());
  }

  /** What fails after the last step fails the run, too. */
  @Test
  void anErrorWhileAStoppedRunIsSavedIsTold() throws Exception {
    Path out = folder.resolve("not-saved");
    List<Throwable> told = new ArrayList<>();
    IllegalStateException full = new IllegalStateException("no space left");
    Listener listener =
        new Listener() {
          @Override
          public void stepped(Step step) {
            if (step.step() == 1) Thread.currentThread().interrupt();
          }

          @Override
          public void saved(long step, Path file) {
            throw full;
          }

          @Override
          public void failed(Throwable error) {
            told.add(error);
          }
        };
    try (Trainer trainer = start(recipe(), out)) {
      assertSame(full, assertThrows(IllegalStateException.class, () -> trainer.run(listener)));
      assertTrue(Thread.interrupted());
      assertEquals(List.of(full), told);
      assertSame(full, trainer.history().failed());
      trainer.run(SILENT);
      assertNull(trainer.history().failed(), "it goes on");
      assertEquals(12, trainer.history().end().step());
    }
  }

  @Test
  void aCheckpointOfAnotherRecipeIsRefused() throws Exception {
    Path out = folder.resolve("other-recipe");
    try (Trainer trainer = start(recipe("run.length=4 steps"), out)) {
      trainer.run(SILENT);
    }
    Recipe other = recipe("run.length=4 steps", "model.width=8");
    FeatureSource.Progress features = (_, _) -> fail("features are computed");
    var e = assertThrows(InputException.class, () -> Trainer.resume(other, out, features));
    assertEquals(
        Checkpoint.file(out, 4)
            + ": of a run with model.width=4; model.width=8 cannot be had in it: leave that out, or"
            + " start a run in another folder",
        e.getMessage());
    // More validations or fewer threads for loading are the same training.
    resume(recipe("run.length=4 steps", "run.validateEvery=1 steps"), out).close();
  }

  @Test
  void aCheckpointWithAFlippedByteIsRefusedAndEarlierOnesStay() throws Exception {
    Path out = folder.resolve("flipped");
    try (Trainer trainer = start(recipe("run.length=8 steps"), out)) {
      trainer.run(SILENT);
    }
    Path latest = Checkpoint.latest(out).orElseThrow();
    byte[] bytes = Files.readAllBytes(latest);
    bytes[bytes.length / 2] ^= 4;
    Files.write(latest, bytes);
    var e = assertThrows(InputException.class, () -> resume(recipe("run.length=8 steps"), out));
    assertTrue(e.getMessage().startsWith(latest + ": tensor "), e.getMessage());
    assertTrue(e.getMessage().contains("is damaged"), e.getMessage());
    Files.delete(latest);
    try (Trainer trainer = resume(recipe("run.length=8 steps"), out)) {
      assertEquals(4, trainer.step());
    }
  }

  @Test
  void aRunOverItsMemoryBudgetIsRefusedAtTheStart() throws Exception {
    var e =
        assertThrows(
            OutOfBudgetException.class,
            () -> Trainer.of(recipe("run.memoryBudget=2MB", "run.batch=64")));
    assertTrue(
        e.getMessage()
            .startsWith(
                "out of the memory budget of 1.91 MiB (2 MB): ResNet18 with batch 64 x 40 frames"),
        e.getMessage());
    assertTrue(e.getMessage().contains("% of it activation; the largest batch that fits is "));
    int batch = Integer.parseInt(e.getMessage().replaceFirst(".*that fits is (\\d+);.*", "$1"));
    Trainer.of(recipe("run.memoryBudget=2MB", "run.batch=" + batch)).close();
    assertThrows(
        OutOfBudgetException.class,
        () -> Trainer.of(recipe("run.memoryBudget=2MB", "run.batch=" + (batch + 1))));
  }

  @Test
  void aTrialWithAnUnknownUtteranceIsRefusedAtTheStart() throws Exception {
    Path trials = folder.resolve("unknown.txt");
    Files.writeString(trials, "1 s0-u0 s0-u1\n0 s0-u0 s9-u0\n");
    var e = assertThrows(InputException.class, () -> Trainer.of(recipe("data.trials=" + trials)));
    assertTrue(e.getMessage().contains("s9-u0"), e.getMessage());
    assertTrue(e.getMessage().contains("data.validationCorpus"), e.getMessage());
  }

  @Test
  void aCorpusWithoutTheSpeakerListSaysHowToDoWithoutIt() {
    var e =
        assertThrows(InputException.class, () -> Trainer.of(recipe("data.trainSpeakers=[train]")));
    assertEquals(
        folder.resolve("corpus/train.speakers")
            + ": no such file; the corpus has no splits; data.trainSpeakers=[] trains with all"
            + " speakers",
        e.getMessage());
  }
}
