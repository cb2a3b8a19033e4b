package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.cuda.Cuda;
import slimvox.backend.cuda.FakeCard;
import slimvox.backend.cuda.FakeLibraries;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;

/** Whole runs on a card that fails, played by stand-ins: what is said, and what is left. */
class CardFaultsTest {
  @TempDir private Path folder;
  private FakeCard card;

  @BeforeEach
  void build() throws Exception {
    card = new FakeCard(folder.resolve("card"));
  }

  private static List<String> checkpoints(Path out) {
    return Checkpoint.list(out).stream().map(f -> f.getFileName().toString()).toList();
  }

  @Test
  void aRunThatFailedGoesOnFromItsCheckpointAndWithASmallerBatchWhereTheCardIsFull()
      throws Exception {
    Path file =
        smallRecipe(
            "run.backend=cuda",
            "run.batch=8",
            "run.length=4 steps",
            "run.checkpointEvery=2 steps",
            "run.validateEvery=0 steps");
    Path out = folder.resolve("run");

    // Each step has two of these, so this is in the third; it is found when losses are read.
    FakeCard.Run failed =
        card.slimvox(
            Map.of("FAKE_FAULT", "largest_in_row:5"), "train", file.toString(), "--out=" + out);
    assertEquals(2, failed.code(), failed.output());
    assertTrue(
        failed.output().contains("slimvox: the card failed: CUDA_ERROR_ILLEGAL_ADDRESS"),
        failed.output());
    assertTrue(
        failed.output().contains("; the run cannot go on, resume it from its last checkpoint"),
        failed.output());
    assertEquals(List.of("checkpoint-0000002.safetensors"), checkpoints(out));

    // Memory that is not enough at a launch is a full card, no broken one.
    FakeCard.Run launch =
        card.slimvox(Map.of("FAKE_OOM", "largest_in_row:2"), "train", "--resume", "--out=" + out);
    assertEquals(2, launch.code(), launch.output());
    String said = launch.output().lines().toList().getLast();
    String start = "slimvox: out of device memory at launching kernel largest_in_row: of the ";
    assertTrue(said.startsWith(start), said);
    assertTrue(said.contains("by a smaller run.memoryBudget; the ledger holds parameter "), said);
    assertTrue(said.endsWith("; what was saved can be resumed"), said);
    assertEquals(List.of("checkpoint-0000002.safetensors"), checkpoints(out));

    Map<String, String> full =
        Map.of("FAKE_BYTES", Long.toString(between(Recipe.read(file), 2, 8)));
    FakeCard.Run refused = card.slimvox(full, "train", "--resume", "--out=" + out);
    assertEquals(2, refused.code(), refused.output());
    String line = refused.output().lines().toList().getLast();
    assertTrue(line.startsWith("slimvox: out of device memory: "), line);
    assertTrue(line.contains("; the ledger holds parameter "), line);
    assertTrue(line.contains(", optimizer_state "), line);
    assertTrue(line.contains("; use a smaller batch or fewer frames, or a reversible model"), line);
    assertTrue(line.endsWith("; what was saved can be resumed"), line);
    assertEquals(List.of("checkpoint-0000002.safetensors"), checkpoints(out));

    FakeCard.Run smaller =
        card.slimvox(full, "train", "--resume", "--out=" + out, "--set", "run.batch=2");
    assertEquals(0, smaller.code(), smaller.output());
    assertEquals("checkpoint-0000004.safetensors", checkpoints(out).getLast());
    List<String> log = Files.readAllLines(out.resolve("log.csv"));
    assertEquals(5, log.size(), log.toString());
    assertTrue(log.getLast().startsWith("4,"), log.toString());
  }

  private Path smallRecipe(String... settings) throws IOException {
    TinyRuns.corpus(folder);
    Recipe recipe = TinyRuns.recipe(folder, "model.bins=16", "data.frames=16").with(settings);
    return Files.writeString(folder.resolve("small.yaml"), recipe.toYaml());
  }

  @Test
  void aRunWhoseStepsAreGraphsHasTheSameBitsAlsoWhenItIsResumed() throws Exception {
    Path file =
        smallRecipe(
            "run.backend=cuda",
            "run.batch=2",
            "optimizer.state.bits=8",
            "run.lossEvery=3",
            "run.length=8 steps",
            "run.checkpointEvery=4 steps",
            "run.validateEvery=0 steps");
    Path plain = train(Map.of(), "train", file.toString(), "--out=" + folder.resolve("plain"));
    FakeLibraries.management(folder.resolve("card/libraries")); // tells this process from others
    Map<String, String> calls = Map.of("FAKE_CALLS", folder.resolve("calls").toString());
    String out = "--out=" + folder.resolve("graph");
    Path graph = train(calls, "train", file.toString(), "--set", "run.graph=true", out);
    TinyRuns.sameBits(plain, graph);
    assertTrue(graphs() >= 5, "graphs " + graphs());
    Files.delete(graph);
    Files.delete(folder.resolve("calls"));
    TinyRuns.sameBits(plain, train(calls, "train", "--resume", out));
    assertTrue(graphs() >= 2, "graphs " + graphs());

    // A card that is too full for the graph is full at that, and the ledger says of what.
    Files.delete(graph);
    Files.delete(folder.resolve("calls"));
    Map<String, String> full = new HashMap<>(calls);
    full.put("FAKE_NO_GRAPH", "yes");
    FakeCard.Run refused = card.slimvox(full, "train", "--resume", out);
    assertEquals(2, refused.code(), refused.output());
    String line = refused.output().lines().toList().getLast();
    String start = "slimvox: out of device memory at cuGraphInstantiate: of the ";
    assertTrue(line.startsWith(start) && line.contains("; the ledger holds parameter "), line);
    assertEquals(
        "graph destroyed",
        Files.readAllLines(folder.resolve("calls")).stream()
            .filter(c -> c.startsWith("graph "))
            .collect(Collectors.joining(",")));
  }

  private long graphs() throws Exception {
    return Files.readAllLines(folder.resolve("calls")).stream()
        .filter(c -> c.startsWith("graph of "))
        .count();
  }

  /** The last checkpoint of a run that ends well. */
  private Path train(Map<String, String> environment, String... arguments) throws Exception {
    FakeCard.Run run = card.slimvox(environment, arguments);
    assertEquals(0, run.code(), run.output());
    // What the stand-in takes for a graph.
    String more = "1.00 MiB are the driver's for a step's CUDA graph";
    boolean graph = environment.containsKey("FAKE_CALLS");
    assertEquals(graph, run.output().contains(more), run.output());
    return Checkpoint.list(Path.of(arguments[arguments.length - 1].replace("--out=", "")))
        .getLast();
  }

  /** Bytes of a card on which one batch fits and the other does not. */
  private static long between(Recipe recipe, int fits, int doesNot) {
    MemoryAnalysis analysis = MemoryAnalysis.of(recipe, 8, Cuda.workspaces(), 0);
    long less = analysis.price(recipe.model(), fits).neededBytes();
    long more = analysis.price(recipe.model(), doesNot).neededBytes();
    return (less + more) / 2;
  }

  @Test
  void whatSpeaksAgainstACardIsOneLine() throws Exception {
    String[] step = {"bench", "step", "--backend=cuda", "--model=ResNet18"};
    card.driver("MAJOR=6", "MINOR=1");
    assertEquals(
        new FakeCard.Run(
            2,
            "slimvox: backend cuda: the card is too old: Fake card 0 has compute capability 6.1,"
                + " SlimVox needs 7.5 (RTX 20 series); or use backend cpu\n"),
        card.slimvox(Map.of(), step));
    card.driver("VERSION=11080");
    assertEquals(
        new FakeCard.Run(
            2,
            "slimvox: backend cuda: the NVIDIA driver is too old: it supports CUDA 11.8, SlimVox"
                + " needs 12.0; install driver 525.60 or newer; or use backend cpu\n"),
        card.slimvox(Map.of(), step));
  }

  @ParameterizedTest
  @CsvSource({
    "FAKE_BUSY, yes, the card cannot be opened: CUDA_ERROR_DEVICE_UNAVAILABLE",
    "FAKE_ERROR, __global__, error:",
    "FAKE_NEWER, yes, NVRTC 12.6 does not compile for cards of compute capability 8.6"
  })
  void aCardThatIsBusyOrWhoseKernelsDoNotCompileLeavesTheWorkToTheCpu(
      String variable, String value, String reason) throws Exception {
    Path file =
        smallRecipe(
            "run.backend=best",
            "run.batch=2",
            "run.length=1 steps",
            "run.validateEvery=0 steps",
            "run.memoryBudget=1GB");
    Map<String, String> broken = Map.of(variable, value);
    FakeCard.Run run =
        card.slimvox(broken, "train", file.toString(), "--out=" + folder.resolve("run"));
    assertEquals(0, run.code(), run.output());
    assertTrue(run.output().contains("; CUDA is not used: "), run.output());
    assertTrue(run.output().contains(reason), run.output());

    run =
        card.slimvox(
            broken,
            "train",
            file.toString(),
            "--out=" + folder.resolve("other"),
            "--set",
            "run.backend=cuda");
    assertEquals(2, run.code(), run.output());
    String line = run.output().lines().toList().getLast();
    assertTrue(line.startsWith("slimvox: backend cuda: "), line);
    assertTrue(line.contains(reason) && line.endsWith("; or use backend cpu"), line);
  }

  @Test
  void aRunWithABudgetOpensTheCardOnce() throws Exception {
    Path file =
        smallRecipe(
            "run.backend=cuda",
            "run.batch=2",
            "run.length=1 steps",
            "run.validateEvery=0 steps",
            "run.memoryBudget=900MB");
    Path opened = folder.resolve("opened");
    FakeCard.Run run =
        card.slimvox(
            Map.of("FAKE_OPENED", opened.toString()),
            "train",
            file.toString(),
            "--out=" + folder.resolve("run"));
    assertEquals(0, run.code(), run.output());
    assertEquals(List.of("opened"), Files.readAllLines(opened));
  }
}
