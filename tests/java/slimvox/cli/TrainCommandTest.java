package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.WavWriter;
import slimvox.audio.Waveform;
import slimvox.nn.BinaryScheme;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** A tiny corpus from training to EER, all through the command line. */
class TrainCommandTest extends CommandLineTest {
  @TempDir static Path folder;
  private static Path corpus;
  private static Path trials;
  private static Path recipe;

  @BeforeAll
  static void write() throws IOException {
    corpus = corpus(folder.resolve("corpus"), 3, 4);
    trials = trials(folder.resolve("trials.txt"), 3);
    recipe = recipe(folder.resolve("tiny.yaml"), corpus, "\"" + trials + "\"");
  }

  @Test
  void trainEmbedScoreEvaluate() throws IOException {
    Path out = folder.resolve("whole");
    Run train = run("train", recipe, "--set", "run.length=30 steps", "--out", out, "--json");
    JsonNode json = train.succeeds().json();
    assertEquals(6, json.get("trials").asInt());
    assertEquals(30, json.get("steps").asInt());
    assertFalse(json.get("interrupted").asBoolean());
    assertEquals("cpu", json.get("backend").asText());
    assertEquals(42, json.get("seed").asInt());
    assertEquals(0.05, json.get("p_target").asDouble());
    assertTrue(json.get("seconds").asDouble() > json.get("data_wait_seconds").asDouble());
    assertTrue(json.get("peak_bytes").asLong() > 0);
    assertEquals(
        Recipe.read(recipe, "run.length=30 steps").hash(), json.get("recipe_hash").asText());
    Path checkpoint = Path.of(json.get("checkpoint").asText());
    assertEquals(out.resolve("checkpoint-0000030.safetensors"), checkpoint);
    assertTrue(train.out().contains("model:"), "the recipe is printed at the start");
    assertTrue(train.out().contains("training 30/30"), train.out());
    assertTrue(train.out().contains("step 30: EER"), train.out());

    Path embeddings = folder.resolve("embeddings.safetensors");
    JsonNode embed =
        run("embed", checkpoint, corpus, embeddings, "--threads=1", "--json").succeeds().json();
    assertEquals(12, embed.get("embeddings").asInt());
    assertEquals(16, embed.get("dimension").asInt());
    assertEquals(40, embed.get("bins").asInt());

    // Features in a file give the same embeddings: the mean is subtracted from both.
    Path features = folder.resolve("features.safetensors");
    Path again = folder.resolve("again.safetensors");
    run("features", corpus, features, "--bins=40", "--threads=1").succeeds();
    run("embed", checkpoint, "--features", features, again, "--threads=1").succeeds();
    Safetensors a = Safetensors.read(embeddings);
    Safetensors b = Safetensors.read(again);
    for (String id : a.names()) assertArrayEquals(a.floats(id), b.floats(id), 1e-4f, id);

    Path scores = folder.resolve("scores.txt");
    assertEquals(
        6,
        run("score", embeddings, trials, scores, "--json").succeeds().json().get("trials").asInt());
    assertEquals(6, Files.readAllLines(scores).size());
    JsonNode evaluated = run("evaluate", scores, trials, "--json").succeeds().json();
    assertEquals(json.get("eer_percent").asDouble(), evaluated.get("eer_percent").asDouble(), 1e-6);
    assertEquals(3, evaluated.get("targets").asInt());
    assertEquals(3, evaluated.get("nontargets").asInt());

    run("embed", out.resolve("checkpoint-0001400.safetensors"), corpus, folder.resolve("no"))
        .failsWith("0001400.safetensors: no such file; its folder has checkpoint-0000030.safeten");

    // Each file tells where it comes from; one that was not made here says what it does not tell.
    for (Object file : List.of(checkpoint, embeddings, scores)) {
      JsonNode told = run("show", file, "--json").succeeds().json();
      assertEquals(json.get("recipe_hash"), told.get("recipe_hash"), file.toString());
      assertEquals(json.get("corpus_sha256"), told.get("corpus_sha256"), file.toString());
      assertEquals("42", told.get("seed").asText(), file.toString());
      assertTrue(told.get("code").asText().startsWith("slimvox "), file.toString());
    }
    assertTrue(run("show", checkpoint).succeeds().out().contains(": checkpoint\n"));
    assertEquals(
        run("memory", recipe, "--classes=3", "--json").succeeds().json(),
        run("memory", checkpoint, "--json").succeeds().json());
    SafetensorsWriter older = Safetensors.writer(); // had the recipe only
    older.metadata("recipe", Recipe.read(recipe, "run.length=30 steps").toYaml());
    older.metadata("corpus_sha256", "abc");
    older.write(folder.resolve("older"));
    JsonNode shown = run("show", folder.resolve("older"), "--json").succeeds().json();
    assertEquals(json.get("recipe_hash"), shown.get("recipe_hash"));
    assertEquals("42", shown.get("seed").asText());
    assertTrue(shown.get("code").isNull());
    Run foreign = run("show", features).succeeds();
    assertTrue(foreign.out().contains(": tensors of another program\n"), foreign.out());
    assertTrue(foreign.out().contains("recipe_hash            not in this file"), foreign.out());
    Path copied = Files.copy(scores, folder.resolve("copied.txt"));
    assertTrue(run("show", copied).succeeds().out().contains("seed                   not in this"));
    Files.copy(Path.of(scores + ".json"), Path.of(copied + ".json"));
    Files.writeString(copied, "0.1 a b\n");
    run("show", copied).failsWith("is of other scores than", copied.toString());
    run("show", folder.resolve("nothing")).failsWith("nothing: no such file");
    run("show", recipe).failsWith(recipe + ": is neither tensors nor scores; give a checkpoint");
    String heard = "embedded_corpus_sha256";
    JsonNode told = run("show", scores, "--json").succeeds().json();
    assertEquals(Safetensors.open(embeddings).metadata().get(heard), told.get(heard).asText());
    // As a shell makes it for: score ... scores.txt --json > other.txt.json
    Path other = folder.resolve("other.txt");
    Path taken = Files.createFile(Path.of(other + ".json"));
    run("score", embeddings, trials, other).failsWith(taken + ": is not what 'slimvox score'");
    assertFalse(Files.exists(other));
    assertEquals(0, Files.size(taken));

    // A longer run tells what it was before.
    String hash = json.get("recipe_hash").asText();
    run("train", "--resume", "--out", out, "--set", "run.length=32 steps").succeeds();
    Path later = out.resolve("checkpoint-0000032.safetensors");
    JsonNode origin = run("show", later, "--json").succeeds().json();
    assertEquals(hash + "@30", origin.get("earlier").asText());
    assertFalse(origin.get("recipe_hash").asText().equals(hash));

    // Two recordings, as a trial of them; the first line of the scores is of this pair.
    String[] first = Files.readAllLines(scores).getFirst().split(" ");
    Path[] pair = new Path[2];
    for (int i = 0; i < 2; i++) {
      pair[i] = corpus.resolve(first[i + 1].replaceFirst("-", "/") + ".wav");
    }
    JsonNode compared = run("compare", checkpoint, pair[0], pair[1], "--json").succeeds().json();
    assertEquals(Double.parseDouble(first[0]), compared.get("similarity").asDouble(), 1e-5);
    run("compare", checkpoint, pair[0], trials)
        .failsWith(trials.toString(), "not a WAV or FLAC file");

    // Mean subtraction and AS-norm with the speakers' means as cohort.
    Path cohort = folder.resolve("cohort.safetensors");
    JsonNode means =
        run("embed", checkpoint, corpus, cohort, "--speaker-means", "--threads=1", "--json")
            .succeeds()
            .json();
    assertEquals(3, means.get("embeddings").asInt());
    JsonNode normalised =
        run(
                "score",
                embeddings,
                trials,
                folder.resolve("asnorm.txt"),
                "--mean-of",
                embeddings,
                "--asnorm",
                cohort,
                "--top=3",
                "--format=wespeaker",
                "--json")
            .succeeds()
            .json();
    assertEquals(
        "AS-norm (nearest 3 of 3) of cosine after mean subtraction",
        normalised.get("scoring").asText());
    run("evaluate", folder.resolve("asnorm.txt"), trials).succeeds();

    Path calibrated = folder.resolve("calibrated.txt");
    List<Object> score = new ArrayList<>(List.of("score", embeddings, trials, calibrated));
    score.addAll(List.of("--asnorm", cohort, "--top=3", "--calibrate", trials));
    run(score.toArray()).isRefusedAsUsage("score", "--calibrate needs --asnorm COHORT and");
    score.addAll(List.of("--corpus", corpus));
    assertTrue(run(score.toArray()).succeeds().out().contains("minCllr"));
    score.add("--json");
    JsonNode cost = run(score.toArray()).succeeds().json();
    double cllr = cost.get("cllr").asDouble(); // as of the trials it was calibrated with
    assertEquals(cllr, cost.get("calibration_cllr").asDouble());
    assertTrue(cllr < 1 && cllr >= cost.get("min_cllr").asDouble(), cost.toString());
    run("evaluate", calibrated, trials).succeeds();
    String same = "calibrated on the trials that are scored";
    assertTrue(run(score.subList(0, score.size() - 1).toArray()).out().contains(same));

    // Trained on one list, applied to another, of recordings of which one is of another rate.
    Path others = folder.resolve("others.txt");
    Files.writeString(others, Files.readString(trials).replace("-u3", "-u2"));
    Path narrow = corpus(folder.resolve("narrow"), 3, 4);
    WavWriter.writePcm16(narrow.resolve("s0/u0.wav"), new Waveform(new float[4000], 8000));
    score.set(score.indexOf(corpus), narrow);
    score.set(score.lastIndexOf(trials), others);
    run(score.toArray()).failsWith("8000 Hz where 16000 Hz", "(--resample)");
    score.add("--resample");
    Run applied = run(score.toArray()).succeeds();
    String few = "calibrated on 3 target and 3 nontarget trials, few for 14 weights";
    assertTrue(applied.out().contains(few), applied.out());
    assertFalse(applied.out().contains(same), applied.out());
    JsonNode two = applied.json();
    String list = two.get("calibration_list_sha256").asText();
    assertEquals(others.toString(), two.get("calibration_list").asText());
    assertFalse(two.get("cllr").equals(two.get("calibration_cllr")), two.toString());
    JsonNode kept = run("show", calibrated, "--json").succeeds().json();
    assertEquals(list, kept.get("calibration_list_sha256").asText());
    assertFalse(list.equals(kept.get("trial_list_sha256").asText()));
    run("score", embeddings, trials, calibrated, "--resample")
        .isRefusedAsUsage("score", "--resample and --longest have no effect without --calibrate");
  }

  @Test
  void checkSaysWhatThereIsAndWhatTheRunTakes() throws IOException {
    Path none = folder.resolve("checked");
    run("train", recipe, "--check", "--out", none).isRefusedAsUsage("train", "--check trains");
    long files;
    try (var all = Files.walk(folder)) {
      files = all.count();
    }
    JsonNode json =
        run("train", recipe, "--check", "--set", "run.length=3600 steps", "--json")
            .succeeds()
            .json();
    assertEquals(12, json.get("utterances").asInt());
    assertEquals(3, json.get("speakers").asInt());
    assertEquals(3, json.get("classes").asInt());
    assertEquals(3600, json.get("steps").asInt());
    double each = json.get("step_seconds").asDouble();
    assertTrue(each > 0);
    assertEquals(each, json.get("run_hours").asDouble(), 1e-9);
    assertTrue(json.get("hours").asDouble() > 0);
    assertTrue(json.get("step_bytes").asLong() > 0);
    Recipe checked = Recipe.read(recipe);
    long batch = 4L * checked.run().batch() * checked.data().frames() * checked.model().bins();
    assertEquals(3 * batch, json.get("batch_bytes").asLong());
    assertEquals(3 * batch, json.get("loader_bytes").asLong(), "features are kept");
    JsonNode streamed =
        run("train", recipe, "--check", "--set", "data.source=streaming", "--json")
            .succeeds()
            .json();
    long sound = 4L * 160 * checked.data().frames();
    assertTrue(streamed.get("loader_bytes").asLong() > 3 * batch + sound, streamed.toString());
    try (var all = Files.walk(folder)) {
      assertEquals(files, all.count(), "nothing is left on disk");
    }
  }

  @Test
  void checkNamesEverythingThatIsMissing() {
    Run run =
        run("train", "wespeaker-resnet34-lm", "--check", "--set", "data.trainCorpus=" + folder);
    run.failsWith(
        "is not there: data-scripts/", "makes it, and says what to download (and 3 more)");
    run("train", "quick-start", "--check", "--set", "data.trainCorpus=" + folder.resolve("mine"))
        .failsWith(folder.resolve("mine") + " is not there: correct data.trainCorpus");
    run("train", recipe, "--check", "--set", "transfer.teacher=" + folder.resolve("teacher"))
        .failsWith(folder.resolve("teacher") + " is not there: train that network first");
    for (String part : List.of("vox1-o.txt is not", "noise.scp is not", "rirs.scp is not")) {
      assertTrue(run.out().contains(part), run.out());
    }
    assertTrue(run.out().contains("average.safetensors is not there: train that"), run.out());
  }

  @Test
  void anInterruptedRunSavesSaysHowToGoOnAndDoesSo() throws Exception {
    Path whole = folder.resolve("uninterrupted");
    run("train", recipe, "--out", whole).succeeds();
    Path out = folder.resolve("interrupted");
    CompletableFuture<Run> running = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> running.complete(run("train", recipe, "--out", out, "--json")), "training");
    thread.start();
    // As Ctrl-C does, some time in the middle; the run may be through before.
    while (!Files.exists(out.resolve("log.csv")) && thread.isAlive()) Thread.sleep(5);
    thread.interrupt();
    Run run = running.get(60, TimeUnit.SECONDS);
    if (run.code() != 0) {
      assertEquals(130, run.code(), run::toString);
      assertEquals("", run.err());
      assertTrue(run.json().get("interrupted").asBoolean());
      assertTrue(run.json().get("steps").asInt() < 6);
      assertTrue(Files.exists(Path.of(run.json().get("checkpoint").asText())));
      assertTrue(run.out().contains("slimvox train --resume --out " + out), run.out());
    }
    JsonNode resumed = run("train", "--resume", "--out", out, "--json").succeeds().json();
    assertEquals(6, resumed.get("steps").asInt());
    Safetensors a = Safetensors.read(whole.resolve("checkpoint-0000006.safetensors"));
    Safetensors b = Safetensors.read(Path.of(resumed.get("checkpoint").asText()));
    for (String name : a.names()) assertEquals(-1, a.segment(name).mismatch(b.segment(name)), name);
    // Resuming a run that has ended measures it again and leaves it as it is.
    JsonNode ended = run("train", "--resume", "--out", out, "--json").succeeds().json();
    assertEquals(resumed.get("eer_percent"), ended.get("eer_percent"));
    assertEquals(resumed.get("checkpoint"), ended.get("checkpoint"));
  }

  @Test
  void ctrlCStopsAProcessWithExitCode130() throws Exception {
    Assumptions.assumeTrue(
        System.getProperty("os.name").equals("Linux"), "signals are sent with Linux' kill");
    // A build in the background of a script has Ctrl-C ignored, and hands that down.
    List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
    Path out = folder.resolve("signalled");
    Path printed = folder.resolve("signalled.txt");
    command.addAll(slimvoxProcess());
    command.addAll(List.of("train", recipe.toString(), "--out", out.toString(), "--json"));
    command.addAll(List.of("--set", "run.length=1000000 steps", "run.validateEvery=0 steps"));
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(printed.toFile())
            .start();
    try {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (!Files.exists(out.resolve("log.csv")) && System.nanoTime() < deadline) {
        Thread.sleep(50);
      }
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "still running");
    } finally {
      process.destroyForcibly();
    }
    String text = Files.readString(printed);
    assertEquals(130, process.exitValue(), text);
    JsonNode json = new Run(130, text, "").json();
    assertTrue(json.get("interrupted").asBoolean(), text);
    assertTrue(Files.exists(Path.of(json.get("checkpoint").asText())), text);
  }

  @Test
  void theCorpusThatShipsIsFoundFromAnyFolderAndATrialListIsNamedAsItWasGiven() throws Exception {
    List<String> command = new ArrayList<>(slimvoxProcess());
    command.addAll(List.of("train", "quick-start", "--out", folder.resolve("far").toString()));
    command.addAll(List.of("--set", "data.trials=nolist"));
    Process process =
        new ProcessBuilder(command)
            .directory(Path.of("notebooks/solutions").toFile())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes());
    assertEquals(2, process.waitFor(), said);
    assertTrue(said.contains("data.trials: nolist is no file, and "), said);
    assertTrue(said.contains("data-scripts/speech-commands/trials/nolist.txt: no such"), said);
    run("train", "quick-start", "--set", "data.trainCorpus=no-corpus")
        .failsWith("no-corpus: no such folder in " + Path.of("").toAbsolutePath());
  }

  @Test
  void aRunThatNeverValidatesDoesNotDoSoAtTheEnd() throws IOException {
    Path out = folder.resolve("never");
    Run run =
        run("train", recipe, "--out", out, "--set", "run.validateEvery=0 steps", "--json")
            .succeeds();
    assertTrue(run.json().get("eer_percent").isNull());
    assertFalse(run.out().contains("EER"), run.out());
    assertEquals(1, Files.readAllLines(out.resolve("validation.csv")).size());
    // Without its recipe, which each checkpoint holds, too.
    Files.delete(out.resolve("recipe.yaml"));
    assertEquals(
        6, run("train", "--resume", "--out", out, "--json").succeeds().json().get("steps").asInt());
  }

  @Test
  void settingsMayStandBeforeTheRecipe() {
    run("train", "--set", "run.batch=4", "run.batch=5", recipe, "--set=model.wdith=4")
        .failsWith("wdith");
    run("train", recipe, recipe).isRefusedAsUsage("train", "two recipes");
    run("train", recipe, "--set", "run.batch", "4")
        .isRefusedAsUsage("train", "--set run.batch: write it as KEY=VALUE");
    run("train", "--resume").isRefusedAsUsage("train", "--resume needs the run: --out DIR");
    run("train", "--resume", folder)
        .isRefusedAsUsage("train", "--resume needs the run: --out " + folder);
    run("train", "--set", "run.length=5", "steps", recipe)
        .isRefusedAsUsage("train", "put quotes around it: --set \"run.length=5 steps\"");
    run("memory", "--model=ResNet18", "--optimizer=lion")
        .isRefusedAsUsage("memory", "--optimizer lion is not possible; give sgd, adam, adamw");
    run("train").isRefusedAsUsage("train", "a recipe is needed", "quick-start");
    run("train", "quick-strat").failsWith("quick-strat", "quick-start");
    run("train", "nowhere.yaml").failsWith("nowhere.yaml");
  }

  @Test
  void quietPrintsTheResultOnly() {
    Path out = folder.resolve("quiet");
    Run run = run("train", recipe, "--out", out, "--quiet", "--json").succeeds();
    assertEquals(1, run.out().lines().count(), run.out());
    Run text = run("train", "--resume", "--out", out, "-q").succeeds();
    String ended = "finished already at step 6; for more steps: slimvox train --resume --out ";
    assertTrue(text.out().startsWith(ended), text.out());
    assertTrue(text.out().contains("--set \"run.length=12 steps\"\nlast quarter"), text.out());
    assertFalse(text.out().contains("optimizer state"), text.out());
  }

  @Test
  void aRunDoesNotOverwriteAnother() throws IOException {
    Path out = folder.resolve("twice");
    run("train", recipe, "--out", out).succeeds();
    byte[] before = Files.readAllBytes(out.resolve("checkpoint-0000006.safetensors"));
    run("train", recipe, "--out", out).failsWith("holds a run already", "--resume");
    run("train", recipe, "--out", out, "--resume", "--set=model.width=8")
        .failsWith("of a run with", "model.width=8 cannot be had in it");
    run("train", "--resume", "--out", folder.resolve("none")).failsWith("holds no run to resume");
    assertArrayEquals(before, Files.readAllBytes(out.resolve("checkpoint-0000006.safetensors")));
  }

  @Test
  void aBinaryRunStartsFromAFloatOne() {
    Path real = folder.resolve("real");
    run("train", recipe, "--out", real).succeeds();
    Path checkpoint = real.resolve("checkpoint-0000006.safetensors");
    Path out = folder.resolve("from-real");
    run("train", recipe, "--set", "model.binary.scheme=bwn", "--init", checkpoint, "--out", out)
        .succeeds();
    Recipe own = CheckpointFile.recipe(out.resolve("checkpoint-0000006.safetensors"));
    assertEquals(checkpoint.toString(), own.transfer().from());
    assertEquals(BinaryScheme.BWN, own.model().binary().scheme());
    run("train", "--resume", "--out", out, "--init", checkpoint)
        .isRefusedAsUsage(
            "train", "--init starts a run and --resume goes on with one; give one of them");
    run("train", recipe, "--init", folder.resolve("nothing"), "--out", folder.resolve("no"))
        .failsWith("nothing: no such file");
    assertFalse(Files.exists(folder.resolve("no")), "nothing is left behind");
  }

  @Test
  void aRunOverItsBudgetIsRefused() {
    Path out = folder.resolve("budget");
    run("train", recipe, "--set", "run.memoryBudget=100kB", "--out", out)
        .failsWith(
            "out of the memory budget of 97.66 KiB: ResNet18", "even with batch 1", "choose");
    assertFalse(Files.exists(out));
    run("train", recipe, "--budget=1.3MB", "--set", "run.batch=64", "--out", out)
        .failsWith("out of the memory budget of 1.24 MiB", "the largest batch that fits is ");
    assertFalse(Files.exists(out));
  }
}
