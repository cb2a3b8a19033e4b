package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.sameBits;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.recipe.Recipe;
import slimvox.storage.Provenance;
import slimvox.storage.Safetensors;

/** Runs that go on with another length, learning rate or margin. */
class LongerRunsTest {
  @TempDir static Path folder;

  @BeforeAll
  static void corpus() throws IOException {
    TinyRuns.corpus(folder);
  }

  private static Path run(String name, String... settings) throws InterruptedException {
    Path out = folder.resolve(name);
    try (Trainer trainer = Trainer.start(TinyRuns.recipe(folder, settings), out.toString())) {
      trainer.run(SILENT);
    }
    return out;
  }

  private static final class Told implements Listener {
    final List<String> notes = new ArrayList<>();
    final List<Step> steps = new ArrayList<>();

    @Override
    public void noted(String note) {
      notes.add(note);
    }

    @Override
    public void stepped(Step step) {
      steps.add(step);
    }
  }

  @Test
  void aRunIsMadeLongerInItsFolderAndFromASavedFile() throws Exception {
    Path out = folder.resolve("longer");
    String saved = folder.resolve("saved.safetensors").toString();
    Recipe recipe = TinyRuns.recipe(folder, "run.length=4 steps");
    try (Trainer trainer = Trainer.start(recipe, out.toString())) {
      trainer.run(SILENT);
      trainer.save(saved);
    }
    String[] longer = {"run.length=6 steps", "optimizer.learningRate.initial=0.002"};
    Told told = new Told();
    try (Trainer trainer = Trainer.resume(out.toString(), longer);
        Trainer copy = Trainer.resume(saved, longer)) {
      assertEquals(6, trainer.run(told).step());
      // 0.002 (0.00005 / 0.002)^(4 / 6); the margin has its final value from step 3, now 4, on.
      assertEquals(
          List.of(
              "goes on with optimizer.learningRate.initial=0.002 run.length=6 steps instead of"
                  + " optimizer.learningRate.initial=0.003 run.length=4 steps; learning rate after"
                  + " step 4: 0.000171 instead of 5.00e-05"),
          told.notes);
      copy.run(SILENT);
      copy.save(saved);
      told.notes.clear();
      trainer.run(told);
      assertEquals(
          List.of(
              "finished already at step 6; for more steps resume it with a longer run.length, as in"
                  + " \"run.length=12 steps\""),
          told.notes);
    }
    assertEquals("6 steps", Recipe.read(out.resolve("recipe.yaml")).run().length().toString());
    sameBits(Checkpoint.file(out, 6), Path.of(saved));
  }

  /** As with the recipe quick-start, at half of twice its length. */
  @Test
  void theJumpOfBothSchedulesIsSaid() throws Exception {
    Path out =
        run(
            "jump",
            "run.length=4 steps",
            "optimizer.learningRate.schedule=cosine",
            "optimizer.learningRate.initial=0.004",
            "optimizer.learningRate.final=0.00004",
            "loss.margin.start=60 %",
            "loss.margin.end=85 %");
    Told told = new Told();
    try (Trainer trainer = Trainer.resume(out.toString(), "run.length=8 steps")) {
      trainer.run(told);
    }
    assertEquals(
        List.of(
            "goes on with run.length=8 steps instead of run.length=4 steps; learning rate after"
                + " step 4: 0.00202 instead of 4.00e-05; margin after step 4: 0.00 instead of"
                + " 0.200"),
        told.notes);
    assertEquals(0.00202, told.steps.getFirst().learningRate(), 1e-12);
    assertEquals(0, told.steps.getFirst().margin());
  }

  @Test
  void aRunWithoutCheckpointKeepsWhatItWasResumedWith() throws Exception {
    Path out = folder.resolve("no-checkpoint");
    TinyRuns.start(TinyRuns.recipe(folder, "run.length=4 steps"), out).close();
    Trainer.resume(out.toString(), "run.length=6 steps").close();
    assertEquals("6 steps", Recipe.read(out.resolve("recipe.yaml")).run().length().toString());
    Told told = new Told();
    try (Trainer trainer = Trainer.resume(out.toString(), "loss.margin.initial=0.1")) {
      assertEquals(6, trainer.run(told).step());
    }
    assertEquals(
        "goes on with loss.margin.initial=0.1 instead of loss.margin.initial=0.0; margin after"
            + " step 0: 0.100 instead of 0.00",
        told.notes.getFirst());
  }

  @Test
  void aCheckpointTellsTheRecipesBefore() throws Exception {
    Path out = run("recipes", "run.length=2 steps");
    Path whole = run("one-recipe", "run.length=6 steps");
    String[] hashes = new String[2];
    for (int i = 0; i < 2; i++) {
      hashes[i] = Recipe.read(out.resolve("recipe.yaml")).hash();
      String length = "run.length=%d steps".formatted(4 + 2 * i);
      // The second time, nothing but what it has: the list grows by other recipes only.
      Trainer.resume(out.toString(), length).close();
      try (Trainer trainer = Trainer.resume(out.toString())) {
        trainer.run(SILENT);
      }
    }
    assertEquals(hashes[0] + "@2 " + hashes[1] + "@4", earlier(Checkpoint.file(out, 6)));
    assertEquals(null, earlier(Checkpoint.file(whole, 6)));
    Path mean = folder.resolve("mean.safetensors");
    Checkpoint.average(out, 2, mean);
    assertEquals(earlier(Checkpoint.file(out, 6)), earlier(mean));
  }

  private static String earlier(Path file) {
    return Provenance.of(Safetensors.open(file).metadata()).get(Provenance.EARLIER);
  }
}
