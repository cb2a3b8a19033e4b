package slimvox.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.cuda.FakeCard;
import slimvox.backend.cuda.FakeLibraries;
import slimvox.backend.cuda.HostKernels;
import slimvox.backend.cuda.kernels.OwnMemory;

/**
 * Steps as CUDA graphs on the stand-in for the driver, with our kernels on the processor: the same
 * bits as one call after the other, in one launch.
 */
class StepGraphTest {
  private static final int GRAPH_BYTES = 1 << 20; // what the stand-in takes

  @TempDir private static Path libraries;
  @TempDir private Path folder;
  private Path calls;

  @BeforeAll
  static void build() throws Exception {
    FakeLibraries.all(libraries);
    HostKernels.load();
  }

  @BeforeEach
  void files() {
    calls = folder.resolve("calls");
  }

  /** Runs {@link StepGraphProgram}; the lines that it wrote. */
  private List<String> run(Map<String, String> environment, String arguments) throws Exception {
    Files.deleteIfExists(calls);
    ProcessBuilder builder =
        FakeCard.program(
            StepGraphProgram.class, libraries, folder.resolve("cache"), arguments.split(" "));
    builder.environment().put("FAKE_KERNELS", HostKernels.library().toString());
    builder.environment().put("FAKE_CALLS", calls.toString());
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output.lines().toList();
  }

  /** What a run says of its results and its state, one call after the other and as one. */
  private static void sameBits(List<String> lines) {
    assertEquals(6, lines.size(), lines.toString());
    assertEquals(lines.subList(0, 2), lines.subList(3, 5));
  }

  /** The calls of each step, by its number; those of steps as one after the others. */
  private List<List<String>> steps() throws Exception {
    List<List<String>> steps = new ArrayList<>();
    List<String> now = new ArrayList<>(); // before the first step
    for (String line : Files.readAllLines(calls)) {
      if (line.startsWith("step ")) steps.add(now = new ArrayList<>());
      else if (line.equals("read")) now = new ArrayList<>();
      else now.add(line);
    }
    return steps;
  }

  private static final Set<String> BESIDE = Set.of("copy", "fill", "graph destroyed");

  private static Set<String> launches(List<String> step) {
    return step.stream()
        .filter(c -> !BESIDE.contains(c))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @ParameterizedTest
  @CsvSource({
    "'ResNet18,width=4,reversible=full,units=a,rebuild=true,streams=fixed', sgd, 32,"
        + " AFTER_BACKWARD",
    "'ResNet18,width=4,reversible=full', sgd, 8, AFTER_BACKWARD",
    "'ResNet18,width=4,binary.scheme=bwn', adamw, 8, AFTER_BACKWARD",
    "'DF-ResNet56,width=4,reversible=full', adamw, 32, IN_BACKWARD"
  })
  void aStepIsOneLaunchWithTheSameBits(String model, String optimizer, String bits, String update)
      throws Exception {
    List<String> lines = run(Map.of(), String.join(" ", model, optimizer, bits, update, "3"));
    sameBits(lines);
    assertEquals("graph null [device's own] " + OwnMemory.BYTES, lines.get(2));
    // Other processes may have taken what the driver counts: the ledger has none of it.
    assertEquals(
        "graph %d [device's own] %d".formatted(GRAPH_BYTES, OwnMemory.BYTES), lines.get(5));
    List<List<String>> both = steps();
    List<List<String>> plainSteps = both.subList(0, both.size() / 2);
    List<List<String>> steps = both.subList(both.size() / 2, both.size());
    // The third is known from the one before, whatever was uploaded in the first; then shapes
    // change.
    for (int i : new int[] {2, 3, 7, 8}) {
      Set<String> launches = launches(steps.get(i));
      assertEquals(1, launches.size(), "step " + i + ": " + launches);
      String graph = launches.iterator().next();
      int all = plainSteps.get(i).size();
      int inGraph = Integer.parseInt(graph.replaceFirst("graph of ", ""));
      assertTrue(inGraph <= all && inGraph > all - 20, graph + ", step " + i + " has " + all);
      assertTrue(steps.get(i).size() < 25, steps.get(i).toString());
    }
    for (int i : new int[] {0, 4, 5, 6}) assertTrue(launches(steps.get(i)).size() > 5, "step " + i);
  }

  @Test
  void convolutionsOfCudnnAreCaptured() throws Exception {
    Path cudnn = FakeLibraries.cudnn(Files.createDirectory(folder.resolve("cudnn")));
    Map<String, String> with = new HashMap<>();
    with.put("SLIMVOX_CUDA_PATH", cudnn.getParent() + ":" + libraries);
    sameBits(run(with, "ResNet18,width=4 sgd 32 AFTER_BACKWARD 4"));
    assertTrue(steps().get(3).contains("convolution"));
    assertEquals(1, launches(steps().getLast()).size());
  }

  @Test
  void aStepThatIsWaitedForHasNoGraphAndTheSameBits() throws Exception {
    sameBits(run(Map.of(), "ResNet18,width=4 sgd 32 AFTER_BACKWARD 1"));
    assertFalse(Files.readString(calls).contains("graph of"));
  }

  @Test
  void theLedgerHasTheGraphWhereTheDriverTellsProcessesApartAlsoOverItsBudget() throws Exception {
    FakeLibraries.management(folder);
    Map<String, String> with = Map.of("SLIMVOX_CUDA_PATH", folder + ":" + libraries);
    String held =
        "graph %d [device's own, a step's CUDA graph (run.graph)] %d"
            .formatted(GRAPH_BYTES, OwnMemory.BYTES + GRAPH_BYTES);
    String arguments = "ResNet18,width=4 sgd 32 AFTER_BACKWARD 4";
    List<String> lines = run(with, arguments);
    sameBits(lines);
    assertEquals(held, lines.getLast());
    lines = run(with, arguments + " tight");
    assertEquals(held, lines.getLast());
    String refusal = lines.get(lines.size() - 2);
    assertTrue(refusal.startsWith("out of the memory budget of "), refusal);
    String why = ": a step's CUDA graph (run.graph) takes %d bytes, with all else ";
    assertTrue(refusal.contains(why.formatted(GRAPH_BYTES)), refusal);
    String remedy = "; set run.graph=false or give a larger run.memoryBudget";
    assertTrue(refusal.endsWith(remedy), refusal);
  }

  @Test
  void whatCannotBeCapturedIsSaidInOneLine() throws Exception {
    assertEquals(
        "a step cannot be captured as a CUDA graph (cuStreamEndCapture:"
            + " CUDA_ERROR_STREAM_CAPTURE_INVALIDATED (no text)); go on without, by"
            + " run.graph=false",
        run(Map.of("FAKE_CAPTURE", "901"), "ResNet18,width=4 sgd 32 AFTER_BACKWARD 4").getLast());
  }
}
