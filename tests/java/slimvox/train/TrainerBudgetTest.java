package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.sameBits;
import static slimvox.train.TinyRuns.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.backend.cpu.CpuDevice;
import slimvox.data.FeatureSource;
import slimvox.memory.OutOfBudgetException;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;
import slimvox.verify.Trials;
import slimvox.verify.Verification;

/** A run that is accepted within its budget ends within it; and what is saved is not lost. */
class TrainerBudgetTest {
  @TempDir static Path folder;

  @BeforeAll
  static void corpus() throws IOException {
    TinyRuns.corpus(folder);
    SplittableRandom random = new SplittableRandom(7);
    float[] samples = new float[6 * 16000];
    for (int t = 0; t < samples.length; t++) samples[t] = (float) (0.1 * random.nextGaussian());
    WavWriter.writePcm16(folder.resolve("corpus/s0/long.wav"), new Waveform(samples, 16000));
    StringBuilder trials = new StringBuilder("1 s0-long s0-u1\n0 s0-long s1-u1\n");
    for (int s = 0; s < 4; s++) {
      for (int u = 0; u < 5; u++) trials.append("1 s%d-u%d s%d-u%d\n".formatted(s, u, s, u + 1));
    }
    Files.writeString(folder.resolve("trials.txt"), trials);
  }

  private static Recipe recipe(String settings, String... more) {
    return TinyRuns.recipe(
            folder,
            "run.length=4 steps",
            "run.batch=2",
            "run.validateEvery=2 steps",
            "run.checkpointEvery=2 steps")
        .with(settings.isEmpty() ? new String[0] : settings.split(" "))
        .with(more);
  }

  private static long stepBytes(Recipe recipe) {
    return MemoryAnalysis.of(recipe, 8, CpuDevice.open(1), 0)
        .price(recipe.model(), recipe.run().batch())
        .neededBytes();
  }

  private static Recipe within(Recipe recipe, long bytes) {
    return recipe.with("run.memoryBudget=" + bytes + "B");
  }

  private static final Listener STOPS_AT_TWO = interruptAt(2);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "run.lossEvery=3",
        "model.reversible=partial",
        "model.reversible=full model.slice=3 model.rebuild=true optimizer.update=in-backward",
        "model.recompute=checkpoint optimizer.state.bits=8 run.lossEvery=2"
      })
  void whatIsAcceptedIsTrainedValidatedAndResumedWithinTheBudget(String settings) throws Exception {
    Recipe recipe = recipe(settings);
    long step = stepBytes(recipe);
    boolean refused = false;
    boolean accepted = false;
    String expected = null;
    for (double share : new double[] {0.97, 1, 1.02, 1.3, 4, 1000}) {
      Recipe tight = within(recipe, (long) (share * step));
      Path out = folder.resolve("sweep-" + settings.hashCode() + "-" + share);
      Trainer trainer;
      try {
        trainer = start(tight, out);
      } catch (OutOfBudgetException e) {
        assertFalse(accepted, "a larger budget was refused: " + e.getMessage());
        refused = true;
        continue;
      }
      accepted = true;
      try (trainer) {
        assertTrue(trainer.run(STOPS_AT_TWO).interrupted());
        assertTrue(Thread.interrupted());
        assertEquals(22, trainer.score(FeatureSource.Progress.NONE).size());
      }
      try (Trainer again = resume(tight, out)) {
        assertEquals(4, again.run(SILENT).step());
        again.calibrate(2);
        assertTrue(again.ledger().report().totalPeak() <= share * step);
      }
      String validations = Files.readString(out.resolve("validation.csv"));
      assertEquals(3, validations.lines().count());
      if (expected == null) expected = validations;
      assertEquals(expected, validations);
    }
    assertTrue(refused && accepted);
  }

  @Test
  void theUtteranceThatDoesNotFitIsNamedAndTheBudgetThatSufficesToo() throws Exception {
    Recipe recipe =
        recipe("model.reversible=full model.slice=3 model.rebuild=true", "data.frames=20");
    Path out = folder.resolve("long");
    var e =
        assertThrows(
            OutOfBudgetException.class,
            () -> start(within(recipe, stepBytes(recipe) * 11 / 10), out));
    assertTrue(e.getMessage().contains(": to embed s0-long of the trials, 60"), e.getMessage());
    assertFalse(Files.exists(out));
    long enough =
        Long.parseLong(e.getMessage().replaceFirst(".*run[.]memoryBudget=(\\d+)B .*", "$1"));
    assertThrows(OutOfBudgetException.class, () -> start(within(recipe, enough - 1), out));
    try (Trainer trainer = start(within(recipe, enough), out)) {
      assertEquals(4, trainer.run(SILENT).step());
    }
    // What is not on the list was not priced: it is named when it is met.
    try (Trainer trainer =
        Trainer.of(within(recipe("", "data.trials=null"), stepBytes(recipe("")) + 1000))) {
      trainer.run(SILENT);
      Path list = Files.writeString(folder.resolve("other.txt"), "1 s0-long s0-u0\n");
      var late =
          assertThrows(
              OutOfBudgetException.class,
              () -> trainer.score(Trials.read(list), FeatureSource.Progress.NONE));
      assertTrue(late.getMessage().startsWith("s0-long, 598 frames: out of"), late.getMessage());
    }
  }

  @Test
  void aResumedRunMayHaveAnotherBudgetAndOneThatIsTooSmallCostsNothing() throws Exception {
    Recipe recipe = recipe("");
    Path out = folder.resolve("changed");
    try (Trainer trainer = start(within(recipe, 100_000_000), out)) {
      trainer.run(STOPS_AT_TWO);
      assertTrue(Thread.interrupted());
    }
    List<Path> before = Checkpoint.list(out);
    assertThrows(OutOfBudgetException.class, () -> resume(within(recipe, 500_000), out));
    assertEquals(before, Checkpoint.list(out));
    try (Trainer trainer = resume(within(recipe, 200_000_000), out)) {
      assertEquals(2, trainer.step());
      assertEquals(4, trainer.run(SILENT).step());
    }
  }

  /** Killed when a checkpoint was written, within a validation, and right after one. */
  @ParameterizedTest
  @ValueSource(strings = {"saved 2", "validating 2", "validated 2", "saved 4", "validated 4"})
  void aRunKilledBetweenSavingAndValidatingMakesUpForTheValidation(String where) throws Exception {
    Path whole = folder.resolve("whole-" + where.replace(' ', '-'));
    try (Trainer trainer = start(recipe(""), whole)) {
      trainer.run(SILENT);
    }
    Path parts = folder.resolve("killed-" + where.replace(' ', '-'));
    Listener kills =
        new Listener() {
          private long step;

          private void kill(String event) {
            if ((event + " " + step).equals(where)) throw new OutOfMemoryError(where);
          }

          @Override
          public void stepped(Step s) {
            step = s.step();
          }

          @Override
          public void saved(long step, Path checkpoint) {
            kill("saved");
          }

          @Override
          public void validating(int done, int total) {
            kill("validating");
          }

          @Override
          public void validated(long step, Map<String, Verification> verifications) {
            kill("validated");
          }
        };
    try (Trainer trainer = start(recipe(""), parts)) {
      assertThrows(OutOfMemoryError.class, () -> trainer.run(kills));
    }
    long step = Long.parseLong(where.substring(where.length() - 1));
    try (Trainer trainer = resume(recipe(""), parts)) {
      assertEquals(step, trainer.step(), "what was trained before is not lost");
      trainer.run(SILENT);
    }
    sameBits(Checkpoint.file(whole, 4), Checkpoint.file(parts, 4));
    for (String log : List.of("validation.csv", "log.csv")) {
      assertEquals(steps(whole.resolve(log)), steps(parts.resolve(log)), log);
    }
    assertEquals(
        Files.readString(whole.resolve("validation.csv")),
        Files.readString(parts.resolve("validation.csv")));
  }

  private static List<String> steps(Path log) throws IOException {
    return Files.readAllLines(log).stream().map(line -> line.split(",")[0]).toList();
  }
}
