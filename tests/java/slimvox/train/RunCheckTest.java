package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.cli.CommandLineTest;
import slimvox.recipe.Recipe;

/** What is measured of a run before it starts. */
class RunCheckTest {
  @TempDir Path folder;

  /** Two steps are not measured, or the first group of those that are read together. */
  @ParameterizedTest
  @CsvSource({"1, 12", "3, 15", "10, 20", "500, 20"})
  void stepsThatShareTheirTimeWithTheFirstAreNotMeasured(int together, int steps) throws Exception {
    Path corpus = CommandLineTest.corpus(folder.resolve("corpus"), 2, 2);
    Path file = CommandLineTest.recipe(folder.resolve("tiny.yaml"), corpus, "null");
    Recipe recipe =
        Recipe.read(
            file,
            "run.length=100 steps",
            "run.checkpointEvery=100 steps",
            "run.lossEvery=" + together);
    try (Trainer trainer = RunCheck.trainer(recipe)) {
      assertTrue(RunCheck.pace(trainer, recipe).secondsPerStep() > 0);
      assertEquals(steps, trainer.step());
    }
  }
}
