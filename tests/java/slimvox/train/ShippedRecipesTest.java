package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import slimvox.backend.Tensor;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;
import slimvox.storage.Safetensors;

/** The recipes that ship, at small width on a tiny corpus, with noise and a room. */
class ShippedRecipesTest {
  @TempDir Path folder;

  @BeforeEach
  void corpus() throws Exception {
    TinyRuns.corpus(folder);
    Path sound = folder.resolve("corpus/s0/u0.wav");
    Files.writeString(folder.resolve("noise.scp"), "music/a %s%n".formatted(sound));
    Files.writeString(folder.resolve("rirs.scp"), "room %s%n".formatted(sound));
  }

  private Recipe small(String name, String... more) {
    List<String> settings =
        new ArrayList<>(
            List.of(
                "model.width=4",
                "model.bins=32",
                "model.embeddingSize=16",
                "data.trainCorpus=" + folder.resolve("corpus"),
                "data.trainSpeakers=[]",
                "data.trials=" + folder.resolve("trials.txt"),
                "data.frames=40",
                "data.joinUtterances=1",
                "data.loaderThreads=1",
                "optimizer.learningRate.initial=0.001", // without the warm-up, from which it rises
                "optimizer.learningRate.final=0.0001",
                "optimizer.learningRate.warmup=0 steps",
                "run.length=2 steps",
                "run.batch=4",
                "run.threads=1",
                "run.validateEvery=2 steps",
                "run.checkpointEvery=1 steps"));
    if (more.length == 0) settings.add("transfer.from=null");
    if (!name.equals("quick-start")) {
      settings.add("data.surroundings.noises=" + folder.resolve("noise.scp"));
      settings.add("data.surroundings.rooms=" + folder.resolve("rirs.scp"));
    }
    settings.addAll(List.of(more));
    return Recipe.shipped(name, settings.toArray(String[]::new));
  }

  private Path run(String out, Recipe recipe) throws Exception {
    Path place = folder.resolve(out);
    try (Trainer trainer = TinyRuns.start(recipe, place)) {
      trainer.run(TinyRuns.SILENT);
    }
    return place;
  }

  @ParameterizedTest
  @FieldSource("slimvox.recipe.Recipe#SHIPPED")
  void eachTrains(String name) throws Exception {
    Safetensors trained = Safetensors.read(Checkpoint.file(run("run", small(name)), 2));
    for (float value : trained.floats("seg_1.weight")) assertTrue(Float.isFinite(value));
    boolean small = Recipe.shipped(name).optimizer().state().bits() == 8;
    assertEquals(name.endsWith("-8bit"), small);
  }

  /** Train, average, fine-tune: the classifier starts with the rows of the speakers as they are. */
  @Test
  void fineTuningTakesTheMeanAndTheClassifierOver() throws Exception {
    Path first = run("first", small("wespeaker-resnet34"));
    Path mean = first.resolve("average.safetensors");
    assertRefused(
        first
            + ": holds 2 of 3 checkpoints that are to be averaged; give --last 2, or train with"
            + " run.keepCheckpoints=3",
        () -> Checkpoint.average(first, 3, mean));
    Checkpoint.average(first, 2, mean);
    Safetensors averaged = CheckpointFile.open(mean);
    Safetensors one = Safetensors.read(Checkpoint.file(first, 1));
    Safetensors two = Safetensors.read(Checkpoint.file(first, 2));
    float[] expected = one.floats("projection.weight");
    float[] other = two.floats("projection.weight");
    assertTrue(!Arrays.equals(expected, other));
    for (int i = 0; i < expected.length; i++) {
      expected[i] = (float) (((double) expected[i] + other[i]) / 2);
    }
    assertArrayEquals(expected, averaged.floats("projection.weight"));
    assertTrue(averaged.names().stream().noneMatch(n -> n.startsWith("optimizer.")));

    Recipe tuning = small("wespeaker-resnet34-lm", "transfer.from=" + mean);
    try (Trainer trainer = TinyRuns.start(tuning, folder.resolve("lm"))) {
      Tensor classifier =
          trainer.training().step().state().parameters().get("projection.weight").value();
      float[] rows = classifier.backend().ops().floats(classifier);
      assertEquals(4 * 16, rows.length);
      assertArrayEquals(Arrays.copyOf(expected, rows.length), rows);
      assertNotEquals(0, rows[0]);
      trainer.run(TinyRuns.SILENT);
    }
  }
}
