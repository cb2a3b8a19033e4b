package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.storage.Safetensors;
import slimvox.train.Checkpoint;

/**
 * Ten kills at random instants, spread over four kinds of run: each ends in the bits and the log of
 * a run that was never stopped.
 *
 * <p>{@code -Dslimvox.kills.seed=N} repeats the instants of an earlier run, as far as a machine
 * does.
 */
class KilledRunsIT extends CommandLineTest {
  private static final List<String> LENGTH =
      List.of("run.length=90 steps", "run.checkpointEvery=4 steps", "run.validateEvery=13 steps");

  private static final List<List<String>> RECIPES =
      List.of(
          List.of("optimizer.name=sgd", "optimizer.learningRate.initial=0.05"),
          List.of(
              "optimizer.name=adam",
              "optimizer.learningRate.initial=0.003",
              "optimizer.state.bits=8",
              "optimizer.state.exemptBelow=256"),
          List.of(
              "model.reversible=full",
              "model.slice=16",
              "model.rebuild=true",
              "optimizer.update=in-backward"),
          List.of("model.binary.scheme=bwn", "data.specAugment.probability=0.5"));

  /** How often each recipe's run is killed. */
  private static final int[] KILLS = {3, 3, 2, 2};

  private final long seed = Long.getLong("slimvox.kills.seed", System.nanoTime());
  private final SplittableRandom random = new SplittableRandom(seed);

  @TempDir Path folder;

  @Test
  void runsThatAreKilledAtRandomEndInTheSameBits() throws Exception {
    Path corpus = corpus(folder.resolve("corpus"), 3, 4);
    Path trials = trials(folder.resolve("trials.txt"), 3);
    Path recipe = recipe(folder.resolve("tiny.yaml"), corpus, "\"" + trials + "\"");
    for (int i = 0; i < RECIPES.size(); i++) {
      List<String> train = new ArrayList<>(List.of("train", recipe.toString(), "--set"));
      train.addAll(LENGTH);
      train.addAll(RECIPES.get(i));
      Path whole = folder.resolve("whole-" + i);
      run(with(train, "--out", whole)).succeeds();
      Path out = folder.resolve("killed-" + i);
      for (int kills = 0; kills < KILLS[i]; ) {
        if (kill(train, out)) kills++;
      }
      run(goingOn(train, out).toArray()).succeeds();
      sameRun(whole, out);
    }
  }

  private static Object[] with(List<String> train, Object... more) {
    List<Object> all = new ArrayList<>(train);
    all.addAll(Arrays.asList(more));
    return all.toArray();
  }

  /** A run that goes on, or starts where it was killed before it had written its recipe. */
  private static List<String> goingOn(List<String> train, Path out) {
    List<String> all = new ArrayList<>(train);
    all.addAll(List.of("--out", out.toString()));
    if (Files.exists(out.resolve("recipe.yaml"))) all.add("--resume");
    return all;
  }

  /** Goes on with a run in a process of its own and kills that; false if it had ended. */
  private boolean kill(List<String> train, Path out) throws Exception {
    List<String> command = new ArrayList<>(slimvoxProcess());
    command.addAll(goingOn(train, out));
    Path printed = folder.resolve("printed.txt");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(printed.toFile())
            .start();
    try {
      // At once in a third of the cases; else when something has been done, or is just written.
      long before = random.nextInt(3) == 0 ? -1 : newest(out);
      while (before >= 0 && newest(out) <= before && process.isAlive()) Thread.sleep(1);
      process.waitFor(random.nextInt(300), TimeUnit.MILLISECONDS);
      if (process.isAlive()) return true;
      assertEquals(0, process.exitValue(), Files.readString(printed));
    } finally {
      process.destroyForcibly().waitFor();
    }
    for (Path file : Checkpoint.list(out)) Files.delete(file); // from the start, then
    return false;
  }

  /** The step of the latest checkpoint, 0 if there is none. */
  private static long newest(Path out) {
    return Checkpoint.latest(out)
        .map(file -> Long.parseLong(file.getFileName().toString().replaceAll("\\D", "")))
        .orElse(0L);
  }

  private void sameRun(Path whole, Path killed) throws IOException {
    String hint = "slimvox.kills.seed=" + seed;
    Safetensors a = Safetensors.read(Checkpoint.file(whole, 90));
    Safetensors b = Safetensors.read(Checkpoint.file(killed, 90));
    assertEquals(a.names(), b.names(), hint);
    assertTrue(a.names().stream().anyMatch(name -> name.startsWith("optimizer.")), hint);
    for (String name : a.names()) {
      assertEquals(-1, a.segment(name).mismatch(b.segment(name)), () -> name + ", " + hint);
    }
    for (String file : List.of("validation.csv", "recipe.yaml")) {
      assertEquals(
          Files.readString(whole.resolve(file)), Files.readString(killed.resolve(file)), hint);
    }
    assertEquals(withoutTimes(whole), withoutTimes(killed), hint);
    try (var files = Files.list(killed)) {
      assertEquals(
          List.of(),
          files.map(Path::toString).filter(name -> name.endsWith(".slimvox-tmp")).toList(),
          hint);
    }
  }

  /** The log up to utterances_per_second; times, and the peak of a process, are its own. */
  private static List<String> withoutTimes(Path out) throws IOException {
    return Files.readAllLines(out.resolve("log.csv")).stream()
        .map(line -> String.join(",", Arrays.copyOf(line.split(","), 7)))
        .toList();
  }
}
