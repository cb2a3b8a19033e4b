package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.interruptAt;
import static slimvox.train.TinyRuns.onStep;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.backend.Tensor;
import slimvox.data.Utterance;
import slimvox.memory.Category;
import slimvox.nn.Parameter;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/** Binary networks that start from, or learn from, trained ones; whole runs on a tiny corpus. */
class TransferTest {
  @TempDir static Path folder;
  private static Path real;

  @BeforeAll
  static void corpusAndFloatNetwork() throws Exception {
    for (String name : List.of("corpus", "other")) {
      SplittableRandom random = new SplittableRandom(3);
      for (int speaker = 0; speaker < 3; speaker++) {
        for (int i = 0; i < 4; i++) {
          float[] samples = new float[8000];
          for (int t = 0; t < samples.length; t++) {
            double tone = Math.sin(2 * Math.PI * (300 + 700 * speaker) * t / 16000);
            samples[t] = (float) (t / 1600 % 2 * 0.3 * tone + 0.01 * random.nextGaussian());
          }
          Path file = folder.resolve(name + "/" + name + speaker + "/u" + i + ".wav");
          Files.createDirectories(file.getParent());
          WavWriter.writePcm16(file, new Waveform(samples, 16000));
        }
      }
    }
    real = run("float", recipe());
  }

  private static Recipe recipe(String... settings) {
    return Recipe.defaults()
        .with(
            "model.name=ResNet18",
            "model.width=4",
            "model.bins=24",
            "model.embeddingSize=8",
            "model.pooling=gsp",
            "data.trainCorpus=" + folder.resolve("corpus"),
            "data.frames=40",
            "optimizer.name=adamw",
            "optimizer.learningRate.initial=0.003",
            "run.length=4 steps",
            "run.batch=4",
            "run.threads=1",
            "run.checkpointEvery=2 steps")
        .with(settings);
  }

  private static Path run(String name, Recipe recipe) throws InterruptedException {
    Path out = folder.resolve(name);
    try (Trainer trainer = start(recipe, out)) {
      trainer.run(SILENT);
      trainer.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
    return Checkpoint.latest(out).orElseThrow();
  }

  private static float[] value(Trainer trainer, String name) {
    Parameter p = trainer.training().step().state().parameters().get(name);
    return p.value().backend().ops().floats(p.value());
  }

  @Test
  void aBinaryNetworkStartsWithTheWeightsOfAFloatOne() throws Exception {
    Safetensors file = Safetensors.read(real);
    for (String scheme : List.of("bwn", "paper", "w1a1")) {
      Recipe recipe = recipe("transfer.from=" + real, "model.binary.scheme=" + scheme);
      try (Trainer trainer = Trainer.of(recipe)) {
        for (String name : trainer.training().step().state().parameters().keySet()) {
          if (file.has(name)) assertArrayEquals(file.floats(name), value(trainer, name), name);
        }
        assertArrayEquals(
            file.floats("projection.weight"), value(trainer, "projection.weight"), "same speakers");
        assertArrayEquals(
            file.floats("bn1.running_mean"),
            trainer
                .network()
                .backend()
                .ops()
                .floats(trainer.network().state().buffers().get("bn1.running_mean")));
        assertEquals(0, trainer.step(), "the run itself is new");
      }
    }
  }

  /** Its names begin with {@code module.}, and its classifier is of other speakers. */
  @Test
  void aRunStartsWithAFileOfPyTorch() throws Exception {
    Path weights = Path.of("tests/data/models/pt/resnet34.pt");
    Recipe recipe =
        recipe(
            "model.name=ResNet34",
            "model.width=2",
            "model.bins=32",
            "model.embeddingSize=6",
            "model.pooling=tstp",
            "transfer.from=" + weights);
    Safetensors file = Safetensors.read(weights);
    try (Trainer trainer = Trainer.of(recipe)) {
      for (String name : List.of("conv1.weight", "layer4.2.bn2.bias", "seg_1.weight")) {
        assertArrayEquals(file.floats("module." + name), value(trainer, name), name);
      }
      assertEquals(
          7, trainer.network().state().counters().get("bn1.num_batches_tracked").get().getAsLong());
    }
    String message =
        assertThrows(InputException.class, () -> Trainer.of(recipe.with("model.width=4")).close())
            .getMessage();
    assertTrue(
        message.startsWith(weights + ": tensor module.conv1.weight is [2, 1, 3, 3]"), message);
  }

  /** Blocks become functions in their order, F and G in turn; normalizations stay behind theirs. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "partial | c | post | 24 of 24, layer2 30 of 30, layer3 30 of 30, layer4 30 of 30",
        "partial | c | pre | 14 of 24, layer2 25 of 30, layer3 25 of 30, layer4 25 of 30",
        "full | c | post | 24 of 24, layer2 0 of 24, layer3 0 of 24, layer4 0 of 24",
      })
  void aReversibleNetworkStartsWithWhatFitsOfAnOrdinaryOne(
      String type, String units, String order, String layers) throws Exception {
    Recipe recipe =
        recipe(
            "transfer.from=" + real,
            "model.reversible=" + type,
            "model.units=" + units,
            "model.order=" + order);
    Safetensors file = Safetensors.read(real);
    List<String> notes = new ArrayList<>();
    Listener listener =
        new Listener() {
          @Override
          public void noted(String note) {
            notes.add(note);
          }
        };
    try (Trainer trainer = Trainer.of(recipe)) {
      for (String name : List.of("conv1.weight", "seg_1.weight", "projection.weight")) {
        assertArrayEquals(file.floats(name), value(trainer, name), name);
      }
      if (units.equals("c")) {
        int bn = order.equals("pre") ? 2 : 1;
        for (String function : List.of("f", "g")) {
          String own = "layer1.0." + function;
          String block = function.equals("f") ? "layer1.0" : "layer1.1";
          assertArrayEquals(
              file.floats(block + ".conv2.weight"), value(trainer, own + ".conv2.weight"));
          assertArrayEquals(
              file.floats(block + ".bn1.bias"), value(trainer, own + ".bn" + bn + ".bias"));
        }
      }
      trainer.run(listener);
    }
    String start = real + " is of an ordinary network; of ";
    assertTrue(notes.getFirst().startsWith(start), notes.getFirst());
    assertTrue(
        notes.getFirst().contains("tensors by part: conv1 1 of 1, bn1 5 of 5, layer1 " + layers),
        notes.getFirst());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "model.preActivation=true | bn1 5 of 5, layer1 24 of 24, layer2 30 of 30, layer3 30 of 30",
        "model.name=DF-ResNet56 | stages.0 39 of 54, stages.1 39 of 54, stages.2 117 of 162",
      })
  void soDoOneOfBlocksBehindActivationsAndOneOfDepth(String form, String parts) throws Exception {
    Path ordinary = run(form, recipe(form, "run.length=1 steps", "data.speeds=[1.0, 0.9]"));
    Recipe recipe =
        recipe(
            form.replace("model.preActivation=true", "model.order=pre"),
            "transfer.from=" + ordinary,
            "model.reversible=partial",
            "run.length=1 steps");
    List<String> notes = new ArrayList<>();
    try (Trainer trainer = Trainer.of(recipe)) {
      float[] rows = Safetensors.read(ordinary).floats("projection.weight");
      float[] own = value(trainer, "projection.weight");
      assertEquals(2 * own.length, rows.length, "of two speeds");
      assertArrayEquals(Arrays.copyOf(rows, own.length), own);
      trainer.run(
          new Listener() {
            @Override
            public void noted(String note) {
              notes.add(note);
            }
          });
    }
    assertTrue(notes.getFirst().contains(parts), notes.getFirst());
    assertTrue(notes.getFirst().endsWith(", projection its first rows"), notes.getFirst());
  }

  @Test
  void withOtherSpeakersTheClassifierIsNew() throws Exception {
    String other = "data.trainCorpus=" + folder.resolve("other");
    try (Trainer fresh = Trainer.of(recipe(other));
        Trainer trainer = Trainer.of(recipe(other, "transfer.from=" + real))) {
      assertArrayEquals(value(fresh, "projection.weight"), value(trainer, "projection.weight"));
      assertFalse(Arrays.equals(value(fresh, "seg_1.weight"), value(trainer, "seg_1.weight")));
    }
    try (Trainer trainer = Trainer.of(recipe("transfer.from=" + real, "data.speeds=[0.9, 1.0]"))) {
      assertEquals(6 * 8, value(trainer, "projection.weight").length);
    }
  }

  @Test
  void onlyWhatSaysTheWordIsTrainedOn() throws Exception {
    Path kaldi = Files.createDirectories(folder.resolve("kaldi"));
    List<String> recordings = new ArrayList<>();
    List<String> speakers = new ArrayList<>();
    List<String> words = new ArrayList<>();
    for (int speaker = 0; speaker < 3; speaker++) {
      for (int u = 0; u < 4; u++) {
        String id = "s%d-u%d".formatted(speaker, u);
        recordings.add(id + " " + folder.resolve("corpus/corpus%d/u%d.wav".formatted(speaker, u)));
        speakers.add(id + " s" + speaker);
        words.add(id + (u % 2 == 0 ? " open" : " stop"));
      }
    }
    Files.write(kaldi.resolve("wav.scp"), recordings);
    Files.write(kaldi.resolve("utt2spk"), speakers);
    Files.write(kaldi.resolve("utt2word"), words);
    Recipe all = recipe("data.trainCorpus=" + kaldi);
    try (Trainer trainer = Trainer.of(all);
        Trainer onWord = Trainer.of(all.with("data.trainWords=[open]"))) {
      assertEquals(12, trainer.data().train().utterances().size());
      List<Utterance> said = onWord.data().train().utterances();
      assertEquals(6, said.size());
      for (Utterance u : said) assertEquals("open", u.word().orElseThrow());
    }
  }

  @Test
  void twoStepsGoFromBinaryActivationsToBinaryWeights() throws Exception {
    Path first = run("step1", recipe("transfer.from=" + real, "model.binary.scheme=w32a1"));
    Path second = run("step2", recipe("transfer.from=" + first, "model.binary.scheme=w1a1"));
    assertEquals(Safetensors.read(first).names(), Safetensors.read(second).names());
    Recipe again = CheckpointFile.recipe(second);
    assertEquals(first.toString(), again.transfer().from());
  }

  @Test
  void networksThatDoNotFitAreRefusedByName() {
    Path missing = folder.resolve("none.safetensors");
    assertTrue(refusal("transfer.from=" + missing).startsWith(missing + ": no such file"));
    assertEquals(
        real
            + ": tensor conv1.weight is [4, 1, 3, 3], the model wants [8, 1, 3, 3]; model, width,"
            + " bins or number of speakers differ",
        refusal("transfer.from=" + real, "model.width=8"));
    assertEquals(
        real
            + ": no tensor layer1.2.conv1.weight, so this is a file of another model; nearest"
            + " names: layer1.0.conv1.weight, layer1.1.conv1.weight, layer1.0.conv2.weight",
        refusal("transfer.from=" + real, "model.name=ResNet34"));
    assertEquals(
        real
            + ": the teacher makes embeddings of 8 values from 24 bins, this network 16 from 24;"
            + " they must agree",
        refusal("transfer.teacher=" + real, "model.embeddingSize=16"));
    assertEquals(
        real
            + ": the teacher has data.frameShiftMs=10 and data.meanNormalization=true; set the"
            + " same",
        refusal("transfer.teacher=" + real, "data.frameShiftMs=20"));
    assertTrue(refusal("transfer.teacher=" + missing).startsWith(missing + ": no such file"));
  }

  /** Of another width nothing would be taken over but what has one value a bin or speaker. */
  @Test
  void aReversibleNetworkNeedsTheStem() {
    assertEquals(
        real
            + ": tensor conv1.weight is [4, 1, 3, 3], the model wants [8, 1, 3, 3]; model, width,"
            + " bins or number of speakers differ",
        refusal("transfer.from=" + real, "model.reversible=full", "model.width=8"));
    assertTrue(
        refusal("transfer.from=" + real, "model.reversible=full", "model.name=DF-ResNet56")
            .contains("no tensor downsample_layers.0.0.weight, so this is a file of another"));
    String stem = "no block has the shapes of a function of this network; give a file of the same";
    for (String other : List.of("model.name=ResNet50", "model.units=a")) {
      String refusal = refusal("transfer.from=" + real, "model.reversible=partial", other);
      assertTrue(refusal.startsWith(real + ": " + stem), refusal);
    }
  }

  private static String refusal(String... settings) {
    return assertThrows(InputException.class, () -> Trainer.of(recipe(settings)).close())
        .getMessage();
  }

  @Test
  void aTeacherAddsItsLossAndStaysAsItWas() throws Exception {
    List<Double> losses = new ArrayList<>();
    Listener listener = onStep(step -> losses.add(step.result().loss()));
    Recipe alone = recipe("run.length=1 steps", "model.binary.scheme=bwn");
    try (Trainer trainer = Trainer.of(alone)) {
      trainer.run(listener);
    }
    try (Trainer trainer = Trainer.of(alone.with("transfer.teacher=" + real))) {
      trainer.run(listener);
    }
    Recipe taught = alone.with("transfer.teacher=" + real, "transfer.weight=3");
    try (Trainer trainer = Trainer.of(taught)) {
      trainer.run(listener);
      Safetensors file = Safetensors.read(real);
      trainer
          .training()
          .step()
          .teacher()
          .state()
          .parameters()
          .forEach(
              (name, p) ->
                  assertArrayEquals(
                      file.floats(name), p.value().backend().ops().floats(p.value()), name));
    }
    double added = losses.get(1) - losses.get(0);
    assertTrue(added > 0 && added < 2, "1 - cosine is " + added);
    assertEquals(3 * added, losses.get(2) - losses.get(0), 1e-5, "transfer.weight is 3");
  }

  @Test
  void aTaughtRunThatWasStoppedEndsInTheSameBits() throws Exception {
    Path teacher = Files.copy(real, folder.resolve("teacher.safetensors"));
    Recipe recipe =
        recipe("model.binary.scheme=w1a1", "transfer.from=" + real, "transfer.teacher=" + teacher);
    Path whole = run("taught", recipe);
    Path parts = folder.resolve("taught-in-parts");
    try (Trainer trainer = start(recipe, parts)) {
      trainer.run(interruptAt(2));
      assertTrue(Thread.interrupted());
    }
    try (Trainer trainer = resume(recipe, parts)) {
      assertEquals(2, trainer.step());
      trainer.run(SILENT);
    }
    Safetensors a = Safetensors.read(whole);
    Safetensors b = Safetensors.read(Checkpoint.latest(parts).orElseThrow());
    assertEquals(a.names(), b.names());
    for (String name : a.names()) {
      assertEquals(-1, a.segment(name).mismatch(b.segment(name)), name);
    }
    Files.copy(whole, teacher, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    InputException changed =
        assertThrows(InputException.class, () -> resume(recipe, parts).close());
    assertEquals(
        "%s: the teacher %s has changed since; restore it, or start a new run"
            .formatted(Checkpoint.latest(parts).orElseThrow(), teacher),
        changed.getMessage());
  }

  @Test
  void calibratingMovesTheRunningStatisticsToThoseOfTheBinaryWeights() throws Exception {
    Recipe recipe = recipe("model.binary.scheme=paper", "transfer.from=" + real);
    try (Trainer trainer = Trainer.of(recipe)) {
      float[] weights = value(trainer, "layer4.1.conv2.weight");
      double before = distance(trainer);
      trainer.calibrate(60);
      double after = distance(trainer);
      assertTrue(after < before / 2, before + " became " + after);
      assertArrayEquals(weights, value(trainer, "layer4.1.conv2.weight"), "nothing is learned");
      trainer.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
  }

  /** How far the running means of the last normalization are from one batch's own. */
  private static double distance(Trainer trainer) throws IOException {
    Tensor mean = trainer.network().state().buffers().get("layer4.1.bn2.running_mean");
    float[] running = mean.backend().ops().floats(mean);
    trainer
        .embedder()
        .calibrate(trainer.data().batches().batch(0, 0).features(), trainer.recipe().run().batch());
    float[] moved = mean.backend().ops().floats(mean);
    double sum = 0;
    for (int i = 0; i < running.length; i++) sum += Math.abs(moved[i] - running[i]);
    return sum / 0.1;
  }
}
