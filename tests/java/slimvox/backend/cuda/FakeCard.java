package slimvox.backend.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import slimvox.cli.SlimVox;

/**
 * The command line on stand-ins for driver, NVRTC and cuBLAS, with our kernels on the processor.
 *
 * <p>Each command runs in a process of its own: once loaded, a library stays.
 */
public final class FakeCard {
  private final Path libraries;
  private final Path cache;

  /**
   * Builds the stand-ins; skips the test where there is no compiler.
   *
   * @param folder for them and for what is cached
   */
  public FakeCard(Path folder) throws Exception {
    libraries = Files.createDirectories(folder.resolve("libraries"));
    cache = folder.resolve("cache");
    FakeLibraries.all(libraries);
    HostKernels.load();
  }

  /** Builds another driver, see {@code fake-driver.c}: {@code VERSION=11080}. */
  public void driver(String... macros) throws Exception {
    FakeLibraries.driver(libraries, macros);
  }

  /**
   * What a command left.
   *
   * @param code its exit code
   * @param output standard output and errors, without the JVM's own warning
   */
  public record Run(int code, String output) {}

  /** Runs {@code slimvox} with these arguments and variables of the environment. */
  public Run slimvox(Map<String, String> environment, String... arguments) throws Exception {
    ProcessBuilder builder = program(SlimVox.class, libraries, cache, arguments);
    builder.environment().put("FAKE_KERNELS", HostKernels.library().toString());
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    output = output.replace("WARNING: Using incubator modules: jdk.incubator.vector\n", "");
    return new Run(process.waitFor(), output);
  }

  public static ProcessBuilder program(
      Class<?> program, Path libraries, Path cache, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx512m", "-Xlog:disable"));
    // Short programs: half their time would go into compiling what runs but a few times.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    if (program == SlimVox.class) command.add("--add-modules=jdk.incubator.vector");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(program.getName());
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("SLIMVOX_CUDA_PATH", libraries.toString());
    builder.environment().put("XDG_CACHE_HOME", cache.toString());
    return builder;
  }
}
