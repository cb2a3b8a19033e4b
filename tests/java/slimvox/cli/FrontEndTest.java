package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.Features;
import slimvox.data.FeatureSource;
import slimvox.recipe.Recipe;
import slimvox.storage.Safetensors;
import slimvox.train.Checkpoint;
import slimvox.train.Listener;
import slimvox.train.Trainer;

/** Frame shift and mean normalization go with a network, from its recipe to its embeddings. */
class FrontEndTest extends CommandLineTest {
  @TempDir Path folder;

  @Test
  void aNetworkHearsInEvaluationWhatItWasTrainedWith() throws Exception {
    Path corpus = corpus(folder.resolve("corpus"), 3, 4);
    Path trials = trials(folder.resolve("t.trials"), 3);
    Path file = recipe(folder.resolve("r.yaml"), corpus, "\"" + trials + "\"");
    Recipe recipe =
        Recipe.read(
            file,
            "data.frames=20",
            "data.frameShiftMs=20",
            "data.meanNormalization=false",
            "model.binary.scheme=bwn");
    float[] expected;
    try (Trainer trainer =
        Trainer.start(recipe, folder.resolve("run"), FeatureSource.Progress.NONE)) {
      trainer.run(new Listener() {});
      Features heard = trainer.data().wholeUtterance("s1-u2");
      // 8,800 samples are 53 frames of 10 ms.
      assertEquals(26, heard.frames());
      assertTrue(heard.get(0, 0) > 1, "the mean of logarithms of 16-bit samples' energies is kept");
      expected = trainer.embedder().embed(heard);
    }
    Path checkpoint = Checkpoint.latest(folder.resolve("run")).orElseThrow();
    Path out = folder.resolve("e.safetensors");
    JsonNode json = run("embed", checkpoint, corpus, out, "--threads=1", "--json").json();
    assertFalse(json.get("cmn").asBoolean());
    assertArrayEquals(expected, Safetensors.read(out).floats("s1-u2"), 1e-5f);

    Path features = folder.resolve("f.safetensors");
    run("features", corpus, features, "--bins=40", "--frame-shift=20", "--json").succeeds();
    run("embed", checkpoint, "--features", features, out, "--threads=1").succeeds();
    assertArrayEquals(expected, Safetensors.read(out).floats("s1-u2"), 1e-5f);

    Path packed = folder.resolve("net.packed");
    run("pack", checkpoint, packed, "--threads=1").succeeds();
    run("embed", packed, corpus, out, "--threads=1").succeeds();
    assertArrayEquals(expected, Safetensors.read(out).floats("s1-u2"), 1e-3f);

    run("features", corpus, features, "--bins=40", "--json").succeeds();
    run("embed", packed, "--features", features, out, "--threads=1")
        .failsWith(
            features
                + ": its frames are 10 ms apart, the network was trained with 20 ms; make the"
                + " features with --frame-shift 20");
    run("features", corpus, features, "--frame-shift=25")
        .isRefusedAsUsage("features", "--frame-shift 25 is not possible; give a multiple of 10");
  }

  @Test
  void aCacheHoldsFeaturesOfItsOwnForEachFrameShift() throws Exception {
    Path corpus = corpus(folder.resolve("corpus"), 2, 2);
    Path cache = folder.resolve("cache");
    for (String shift : new String[] {"10", "40"}) {
      for (int computed : new int[] {4, 0}) {
        JsonNode json =
            run("features", corpus, cache, "--bins=40", "--frame-shift=" + shift, "--json").json();
        assertEquals(computed, json.get("computed").asInt(), shift);
      }
    }
  }
}
