package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.data.FeatureSource;
import slimvox.recipe.Recipe;
import slimvox.storage.Safetensors;

/** Whole runs on a tiny corpus: four speakers, each with tones of its own in noise. */
public final class TinyRuns {
  static final Listener SILENT = new Listener() {};

  private TinyRuns() {}

  /** Writes the corpus and its trials. */
  public static void corpus(Path folder) throws IOException {
    SplittableRandom random = new SplittableRandom(3);
    StringBuilder trials = new StringBuilder();
    for (int speaker = 0; speaker < 4; speaker++) {
      for (int i = 0; i < 6; i++) {
        float[] samples = new float[8000 + 400 * i];
        for (int t = 0; t < samples.length; t++) {
          double tone = Math.sin(2 * Math.PI * (300 + 700 * speaker) * t / 16000);
          // On and off: mean normalization takes away what does not change.
          double loudness = t / 1600 % 2 == 0 ? 0.3 : 0;
          samples[t] = (float) (loudness * tone + 0.01 * random.nextGaussian());
        }
        Path file = folder.resolve("corpus/s" + speaker + "/u" + i + ".wav");
        Files.createDirectories(file.getParent());
        WavWriter.writePcm16(file, new Waveform(samples, 16000));
      }
    }
    for (int a = 0; a < 4; a++) {
      for (int b = a; b < 4; b++) {
        trials.append("%d s%d-u0 s%d-u5%n".formatted(a == b ? 1 : 0, a, b));
      }
    }
    Files.writeString(folder.resolve("trials.txt"), trials.toString().replace("\r", ""));
  }

  /** A recipe for the corpus of a folder. */
  public static Recipe recipe(Path folder, String... settings) {
    return Recipe.defaults()
        .with(
            "model.name=ResNet18",
            "model.width=4",
            "model.bins=40",
            "model.embeddingSize=16",
            "data.trainCorpus=" + folder.resolve("corpus"),
            "data.trials=" + folder.resolve("trials.txt"),
            "data.frames=40",
            "data.speeds=[0.9,1.0]",
            "data.joinUtterances=2",
            "optimizer.name=adamw",
            "optimizer.learningRate.initial=0.003",
            "run.length=12 steps",
            "run.batch=4",
            "run.threads=1",
            "run.validateEvery=6 steps",
            "run.checkpointEvery=4 steps",
            "run.keepCheckpoints=2")
        .with(settings);
  }

  static Trainer start(Recipe recipe, Path out) throws InterruptedException {
    return Trainer.start(recipe, out, FeatureSource.Progress.NONE);
  }

  static Trainer resume(Recipe recipe, Path out) throws InterruptedException {
    return Trainer.resume(recipe, out, FeatureSource.Progress.NONE);
  }

  /** Does something after each step. */
  static Listener onStep(Consumer<Listener.Step> work) {
    return new Listener() {
      @Override
      public void stepped(Step step) {
        work.accept(step);
      }
    };
  }

  /** Interrupts the run after a step. */
  static Listener interruptAt(long step) {
    return onStep(
        s -> {
          if (s.step() == step) Thread.currentThread().interrupt();
        });
  }

  static void sameBits(Path one, Path other) {
    Safetensors a = Safetensors.read(one);
    Safetensors b = Safetensors.read(other);
    assertEquals(a.names(), b.names());
    for (String name : a.names()) {
      assertEquals(-1, a.segment(name).mismatch(b.segment(name)), name);
    }
  }
}
