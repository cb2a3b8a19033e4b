package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;
import static slimvox.train.TinyRuns.sameBits;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.recipe.Recipe;

/** Runs whose examples are read where they lie. */
class StreamingTest {
  @TempDir Path folder;

  @BeforeEach
  void corpus() throws Exception {
    TinyRuns.corpus(folder);
  }

  private Recipe recipe(String... settings) {
    return TinyRuns.recipe(folder, "data.specAugment.probability=0.6").with(settings);
  }

  private Path run(String name, Recipe recipe) throws Exception {
    Path out = folder.resolve(name);
    try (Trainer trainer = TinyRuns.start(recipe, out)) {
      trainer.run(TinyRuns.SILENT);
    }
    return out;
  }

  @ParameterizedTest
  @ValueSource(strings = {"data.channel.probability=0", "data.channel.probability=0.7"})
  void theBitsAreThoseOfARunInMemoryAlsoResumedWithOtherThreads(String channel) throws Exception {
    Path kept = run("kept", recipe(channel, "data.source=memory"));
    Recipe streaming = recipe(channel, "data.source=streaming", "data.loaderThreads=3");
    Path whole = run("whole", streaming);
    sameBits(Checkpoint.file(kept, 12), Checkpoint.file(whole, 12));
    Path parts = folder.resolve("parts");
    try (Trainer trainer = TinyRuns.start(streaming, parts)) {
      trainer.run(TinyRuns.interruptAt(5));
      assertTrue(Thread.interrupted());
    }
    try (Trainer trainer = TinyRuns.resume(streaming.with("data.loaderThreads=1"), parts)) {
      assertEquals(5, trainer.step());
      trainer.run(TinyRuns.SILENT);
    }
    sameBits(Checkpoint.file(kept, 12), Checkpoint.file(parts, 12));
    for (String file : new String[] {"validation.csv"}) {
      assertEquals(Files.readString(kept.resolve(file)), Files.readString(whole.resolve(file)));
    }
  }

  @Test
  void aRecordingThatIsGoneEndsTheRunByNameAndLeavesWhatWasLearnt() throws Exception {
    Recipe recipe = recipe("data.source=streaming", "data.joinUtterances=1");
    Path out = folder.resolve("out");
    Path gone = folder.resolve("corpus/s2/u3.wav");
    String message;
    try (Trainer trainer = TinyRuns.start(recipe, out)) {
      Files.delete(gone);
      message = refused(() -> trainer.run(TinyRuns.SILENT));
    }
    assertEquals(
        gone + ": no such file; check the path and the corpus's list (utterance s2-u3)", message);
  }

  @Test
  void whereThereIsNoCacheItIsRefused() {
    assertRefused(
        "setting data.source=cache: data.source: cache needs a folder, data.cacheFolder",
        () -> recipe("data.source=cache"));
    assertRefused(
        "setting data.source=cache: data.source: cache is not possible where features are computed"
            + " for each example; memory and streaming are",
        () -> recipe("data.channel.probability=1", "data.cacheFolder=c", "data.source=cache"));
  }
}
