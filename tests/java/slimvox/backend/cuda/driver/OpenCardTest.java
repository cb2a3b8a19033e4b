package slimvox.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
import slimvox.backend.cuda.Nvrtc;
import slimvox.backend.cuda.libraries.CudnnLibrary;
import slimvox.cli.SlimVox;

/**
 * The way to driver, NVRTC, cuBLAS and cuDNN, on the stand-ins of tests/data/backend/cuda.
 *
 * <p>Each test runs {@link OpenCardProgram} in a process of its own: once loaded, a library stays.
 */
class OpenCardTest {
  @TempDir private static Path libraries;
  @TempDir private Path folder;
  private Path launches;
  private Path compiles;
  private Path cache;

  @BeforeAll
  static void build() throws Exception {
    FakeLibraries.all(libraries);
  }

  @BeforeEach
  void files() {
    launches = folder.resolve("launches");
    compiles = folder.resolve("compiles");
    cache = folder.resolve("cache");
  }

  private List<String> run(Map<String, String> environment, String... arguments) throws Exception {
    return run(OpenCardProgram.class, environment, arguments);
  }

  private List<String> run(Class<?> program, Map<String, String> environment, String... arguments)
      throws Exception {
    ProcessBuilder builder = FakeCard.program(program, libraries, cache, arguments);
    builder.environment().put("FAKE_LAUNCHES", launches.toString());
    builder.environment().put("FAKE_COMPILES", compiles.toString());
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output.lines().toList();
  }

  private JsonNode slimvox(Map<String, String> environment, String command) throws Exception {
    String network = " --model=ResNet18 --width=8 --bins=24 --frames=40 --batch=2 --classes=20";
    List<String> output =
        run(SlimVox.class, environment, (command + network + " --json").split(" "));
    return new ObjectMapper().readTree(output.getLast());
  }

  @Test
  void kernelsGetTheirArgumentsAndMemoryItsBytes() throws Exception {
    List<String> output = run(Map.of(), "launch");
    assertEquals(
        List.of(
            "Fake card 0, compute capability 8.6, 1.0 GiB; driver for CUDA 12.6, NVRTC 12.6,"
                + " cuBLAS 12.6.4",
            "kernel gave [0.0, 1.5, 3.0, 4.5, 6.0]",
            "20000000 bytes came back, equal: true",
            "filled: true",
            "zeroed: true, copied: true",
            "blocks 20000040, total 1073741824"),
        output);
    assertEquals(
        List.of("four_arguments <<<2x3x4, 32x2x1, 0>>> n=5 i=-7 f=1.5"),
        Files.readAllLines(launches));
  }

  /** Everything but the card: the command line, the device, JCuda, our kernels on the processor. */
  private JsonNode step(Map<String, String> environment) throws Exception {
    Map<String, String> all = new HashMap<>(environment);
    all.put("FAKE_KERNELS", HostKernels.library().toString());
    all.put("FAKE_BYTES", "2000000000");
    JsonNode json = slimvox(all, "bench step --backend=cuda --steps=1 --compare-dry --kernels");
    assertEquals("cuda", json.get("backend").asText());
    JsonNode driver = json.get("driver_memory");
    assertEquals(json.get("ledger_and_arena_bytes").asLong(), driver.get("blocks").asLong());
    assertEquals(
        driver.get("driver").asLong(),
        driver.get("blocks").asLong() + driver.get("context").asLong());
    assertEquals(0, json.get("driver_unexplained_percent").asDouble());
    assertTrue(json.get("dry_events").asInt() > 100, json.toString());
    // The stand-in says of each kernel that it took a millisecond.
    int launches = 0;
    for (JsonNode kernel : json.get("kernels")) {
      launches += kernel.get("launches").asInt();
      assertEquals(kernel.get("launches").asDouble(), kernel.get("ms").asDouble());
    }
    assertTrue(launches > 200, json.toString());
    assertEquals(launches, json.get("kernel_ms").asDouble());
    Set<String> families = new HashSet<>();
    json.get("kernel_shares_percent").fieldNames().forEachRemaining(families::add);
    assertTrue(
        families.containsAll(
            List.of("convolution", "batch norm", "matrix products", "loss", "optimizer")),
        json.toString());
    return json;
  }

  /** What is said of the same step without a card. */
  private JsonNode foretold(String workspace) throws Exception {
    return slimvox(Map.of(), "memory --workspace=" + workspace);
  }

  @Test
  void aTrainingStepRunsFromTheCommandLineToTheKernelsInTheBytesForetoldWithoutACard()
      throws Exception {
    JsonNode step = step(Map.of());
    JsonNode foretold = foretold("cuda");
    assertEquals(foretold.get("category_peaks"), step.get("category_peaks"));
    assertEquals(foretold.get("arena_bytes"), step.get("arena_bytes"));
  }

  @Test
  void aTrainingStepWithCudnnHasTheSameLedgerAsItsDryRun() throws Exception {
    Path cudnn = FakeLibraries.cudnn(Files.createDirectory(folder.resolve("cudnn")));
    Path calls = folder.resolve("calls");
    Map<String, String> with = new HashMap<>();
    with.put("SLIMVOX_CUDA_PATH", cudnn.getParent() + ":" + libraries);
    with.put("FAKE_CUDNN", calls.toString());
    long arena = step(with).get("arena_bytes").asLong();
    long most = foretold("cudnn").get("arena_bytes").asLong();
    assertTrue(arena <= most, arena + " of " + most);
    // ResNet18 has 20 convolutions, three of them of 1 x 1 with stride 2; the first has no dx.
    Map<String, Long> passes =
        Files.readAllLines(calls).stream()
            .collect(Collectors.groupingBy(l -> l, Collectors.counting()));
    assertEquals(
        Set.of("forward algorithm 2", "backward data algorithm 1", "backward filter algorithm 1"),
        passes.keySet());
    assertEquals(passes.get("forward algorithm 2"), passes.get("backward filter algorithm 1"));
    Files.delete(calls);
    with.put("SLIMVOX_CUDNN", "off");
    step(with);
    assertFalse(Files.exists(calls));
  }

  @Test
  void cudnnIsDescribedAndSoIsWhyItIsNotUsed() throws Exception {
    String end = "card 0: Fake card 0, compute capability 8.6, 1.0 GiB";
    Path cudnn = FakeLibraries.cudnn(Files.createDirectory(folder.resolve("cudnn")));
    Map<String, String> with = new HashMap<>();
    with.put("SLIMVOX_CUDA_PATH", cudnn.getParent() + ":" + libraries);
    List<String> output = run(with, "describe");
    assertTrue(output.getFirst().endsWith("cuBLAS 12.6.4, cuDNN 9.10.2"), output.toString());
    String line = cudnn + " (SLIMVOX_CUDA_PATH), ";
    assertTrue(output.containsAll(List.of(line + "version 9.10.2", end)), output.toString());

    with.put("SLIMVOX_CUDNN", "off");
    output = run(with, "describe");
    assertTrue(output.getFirst().endsWith("cuBLAS 12.6.4"), output.toString());
    assertTrue(output.contains(line + "not used: SLIMVOX_CUDNN is off"), output.toString());

    with.put("SLIMVOX_CUDNN", "1000B"); // its fastest without any workspace
    assertTrue(run(with, "describe").getFirst().endsWith(", cuDNN 9.10.2"));

    with.put("SLIMVOX_CUDNN", "yes");
    assertEquals(
        List.of(
            "InputException: SLIMVOX_CUDNN is 'yes'; set it to off, on, the library's file or the"
                + " most bytes of a workspace, as in 64MiB"),
        run(with, "describe"));

    with.put("SLIMVOX_CUDNN", cudnn.toString());
    with.put("SLIMVOX_CUDA_PATH", libraries.toString());
    output = run(with, "describe");
    assertTrue(output.contains(cudnn + " (SLIMVOX_CUDNN), version 9.10.2"), output.toString());
    with.put("SLIMVOX_CUDNN", "/nowhere/libcudnn.so.9");
    assertEquals(
        List.of("InputException: SLIMVOX_CUDNN is '/nowhere/libcudnn.so.9'; there is no such file"),
        run(with, "describe"));
    with.put("SLIMVOX_CUDA_PATH", cudnn.getParent() + ":" + libraries);

    with.remove("SLIMVOX_CUDNN");
    FakeLibraries.cudnn(cudnn.getParent(), "CREATE=1001");
    output = run(with, "describe");
    assertTrue(
        output
            .getFirst()
            .endsWith(
                ", cuDNN 9.10.2 not used (cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED (no card))"),
        output.toString());

    FakeLibraries.cudnn(cudnn.getParent(), "NUMBER=8907");
    output = run(with, "describe");
    assertTrue(output.getFirst().endsWith("cuBLAS 12.6.4"), output.toString());
    String wrong = "not used: it is cuDNN 8.9.7, SlimVox uses 9: " + CudnnLibrary.INSTALL;
    assertTrue(output.contains(line + wrong), output.toString());
  }

  @Test
  void whatWasStagedIsTakenOnceAndOnlyIfNothingElseCameBetween() throws Exception {
    assertEquals(
        List.of(
            "taken: true, equal: true",
            "twice: false",
            "others: false",
            "after others: false",
            "before the next: true"),
        run(Map.of(), "stage"));
  }

  @Test
  void eachCallOfAStepThatRunsAsOneReadsItsNumbersAsTheyWereSetBeforeIt() throws Exception {
    String read = "[1, 5, 1, 6, 1, 5, 2, 5, 2, 5, 1, 6]";
    assertEquals(List.of(read, read, read), run(Map.of(), "numbers"));
  }

  @Test
  void theRealCompilerTakesAllKernelsThroughJCuda() throws Exception {
    Path nvrtc = Path.of("lib/target/nvrtc/nvidia/cuda_nvrtc/lib").toAbsolutePath();
    assumeTrue(Files.isDirectory(nvrtc), "no NVRTC: run tests/nvrtc (119 MB)");
    assertEquals(
        List.of(
            "12.6 [--gpu-architecture=sm_86, --std=c++17, --fmad=false] all: true cubin",
            "12.6 [--gpu-architecture=sm_89, --std=c++17, --fmad=false] all: true cubin",
            "12.6 [--gpu-architecture=compute_90, --std=c++17, --fmad=false] all: true PTX",
            "DeviceException: a kernel does not compile with NVRTC 12.6 --gpu-architecture=sm_75:"
                + " lib/cuda/bad.cu(2): error: identifier \"x\" is undefined"),
        run(Map.of("SLIMVOX_CUDA_PATH", nvrtc + ":" + libraries), "compile"));
  }

  /** NVRTC 13 asks the driver's library, which has to have what it calls. */
  @Test
  void everyCompilerWorksBesideTheStandInForTheDriver() throws Exception {
    List<String> expected =
        Nvrtc.targets().filter(t -> t.capability() == 90).map(t -> t + ": 0").sorted().toList();
    String driver = libraries.resolve("libcuda.so.1").toString();
    assertEquals(expected, run(Nvrtc.class, Map.of(), driver));
  }

  @Test
  void cublasMultipliesRowMajorMatrices() throws Exception {
    assertEquals(List.of("12 products, largest error 0.0"), run(Map.of(), "multiply"));
  }

  @Test
  void kernelsAreCompiledOnceAndAgainWhenTheCacheIsDamaged() throws Exception {
    run(Map.of(), "open");
    run(Map.of(), "open");
    assertEquals(1, Files.readAllLines(compiles).size());
    Path cubin;
    try (var files = Files.list(cache.resolve("slimvox/cuda"))) {
      cubin = files.findFirst().orElseThrow();
    }
    assertTrue(cubin.getFileName().toString().startsWith("test-sm_86-"), cubin.toString());
    byte[] content = Files.readAllBytes(cubin);
    content[content.length - 3] ^= 1;
    Files.write(cubin, content);
    run(Map.of(), "open");
    assertEquals(2, Files.readAllLines(compiles).size());
    Files.write(cubin, new byte[10]);
    run(Map.of(), "open");
    assertEquals(3, Files.readAllLines(compiles).size());
    Files.write(cache.resolve("slimvox/jcuda-12.6.0/libJNvrtc-12.6.0-linux-x86_64.so"), content);
    run(Map.of(), "open"); // JCuda's own files are put right, too
  }

  @Test
  void aKernelThatDoesNotCompileIsNamedWithFileAndLine() throws Exception {
    assertEquals(
        List.of(
            "DeviceException: a kernel does not compile with NVRTC 12.6"
                + " --gpu-architecture=sm_86: lib/cuda/test.cu(3): error: #error here"),
        run(Map.of(), "broken"));
  }

  @Test
  void whatDoesNotFitIsRefusedWithTheCardsMemory() throws Exception {
    assertEquals(
        List.of(
            "OutOfDeviceMemoryException: out of device memory: 40.0 MiB more are needed, of the"
                + " 64.0 MiB of Fake card 0 32.0 MiB are free (32.0 MiB are this run's)",
            "free again: 64.0 MiB"),
        run(Map.of("FAKE_BYTES", "67108864"), "exhaust"));
  }

  @ParameterizedTest
  @CsvSource({
    "product, cublasSgemm of 2 x 2 x 2",
    "plan, choosing an algorithm of cuDNN's",
    "convolution, 'a convolution of [2, 9, 8, 8] by [16, 8, 1, 1], strides 2 and 2, groups 1'"
  })
  void theCardsErrorIsNotBlamedOnTheLibraryThatMeetsIt(String library, String where)
      throws Exception {
    String message =
        "DeviceException: the card failed: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was"
            + " encountered) at %s, in or after the kernels from four_arguments to other (with"
            + " -Dslimvox.cuda.synchronous=true in SLIMVOX_JVM_OPTS the kernel itself is named);"
            + " the run cannot go on, resume it from its last checkpoint";
    message = message.formatted(where);
    Path cudnn = FakeLibraries.cudnn(Files.createDirectory(folder.resolve("cudnn")));
    Map<String, String> with = new HashMap<>(Map.of("FAKE_FAULT", "other"));
    with.put("SLIMVOX_CUDA_PATH", cudnn.getParent() + ":" + libraries);
    assertEquals(List.of(message, message), run(with, library));
  }

  @Test
  void librariesLoadTheirCodeBeforeTheCardsMemoryIsTaken() throws Exception {
    Map<String, String> with = Map.of("FAKE_CODE", Long.toString(30 << 20));
    assertEquals("blocks 20 context 30 libraries 30 driver 50 card 50", counts(with));
    // A card that has not even room for that is full, not broken.
    Map<String, String> small = new HashMap<>(with);
    small.put("FAKE_BYTES", Long.toString(32 << 20));
    assertEquals(
        List.of(
            "OutOfDeviceMemoryException: out of device memory at cublasSgemm of 64 x 64 x 64: of"
                + " the 32.0 MiB of Fake card 0 28.0 MiB are free; code is loaded when it is first"
                + " used, leave more to it by a smaller run.memoryBudget"),
        run(small, "memory"));
  }

  /** What the driver counts, in MiB; the same when asked again. */
  private String counts(Map<String, String> environment) throws Exception {
    List<String> lines = run(environment, "memory");
    assertEquals(List.of(lines.getFirst(), lines.getFirst()), lines);
    return lines.getFirst().replace(" total 1024", "");
  }

  @Test
  void aDifferenceIsOfTwoCountsOfTheSameKind() throws Exception {
    FakeLibraries.management(folder);
    Map<String, String> with = new HashMap<>();
    with.put("SLIMVOX_CUDA_PATH", folder + ":" + libraries);
    // NVML's count of this process has the context, the free bytes of the stand-in do not.
    String byProcess = "blocks 20 context 100 libraries 0 driver 120 card 7168";
    String byCard = "blocks 20 context 0 libraries 0 driver 20 card ";
    assertEquals(byProcess, counts(with));
    for (int first = 2; first <= 3; first++) { // listed only after the opening began
      with.put("FAKE_LISTED", Integer.toString(first));
      assertEquals(byCard + "7168", counts(with));
    }
    with.put("FAKE_MIG", "yes"); // the management library's counts are of the whole card
    assertEquals(byCard + "20", counts(with));
  }

  @Test
  void aStickyErrorNamesTheKernelsAndStopsEverything() throws Exception {
    String message =
        "DeviceException: the card failed: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was"
            + " encountered) at copying from the card, in or after the kernels from four_arguments"
            + " to other (with -Dslimvox.cuda.synchronous=true in SLIMVOX_JVM_OPTS the kernel"
            + " itself is named); the run cannot go on, resume it from its last checkpoint";
    assertEquals(List.of(message, message, "closed"), run(Map.of("FAKE_FAULT", "other"), "fault"));
  }
}
