package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
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

  /** Short recordings fill a long crop again and again: the crop is most of what is allocated. */
  @Test
  void theBatchIsNoPartOfWhatAnExampleAllocates() throws Exception {
    Path corpus = folder.resolve("corpus");
    for (String speaker : List.of("a", "b")) {
      Path sound = Files.createDirectories(corpus.resolve(speaker)).resolve("u.wav");
      float[] samples = new float[400]; // a frame
      for (int t = 0; t < samples.length; t++) samples[t] = (float) Math.sin(t);
      WavWriter.writePcm16(sound, new Waveform(samples, 16000));
    }
    Path file = CommandLineTest.recipe(folder.resolve("tiny.yaml"), corpus, "null");
    Recipe recipe =
        Recipe.read(
            file,
            "run.length=100 steps",
            "run.batch=2",
            "model.width=1",
            "data.frames=40000",
            "data.source=streaming");
    try (Trainer trainer = RunCheck.trainer(recipe)) {
      long bytes = RunCheck.pace(trainer, recipe).exampleBytes();
      long place = 4L * recipe.data().frames() * trainer.data().batches().bins();
      assertTrue(bytes > 0 && bytes < place, bytes + " beside " + place);
    }
  }
}
