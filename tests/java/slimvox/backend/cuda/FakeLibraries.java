package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Builds tests/data/backend/cuda's stand-ins for NVIDIA's libraries with the C compiler. */
public final class FakeLibraries {
  private static final Path SOURCES = Path.of("tests/data/backend/cuda");

  private FakeLibraries() {}

  /** A driver, changed by macros: {@code VERSION=11080}. */
  public static Path driver(Path folder, String... macros) throws Exception {
    return compile("driver", folder.resolve("libcuda.so.1"), macros);
  }

  /** cuDNN, changed by macros: {@code NUMBER=8907}. */
  public static Path cudnn(Path folder, String... macros) throws Exception {
    return compile("cudnn", folder.resolve("libcudnn.so.9"), macros);
  }

  /** The driver's management library. */
  public static Path management(Path folder) throws Exception {
    return compile("nvml", folder.resolve("libnvidia-ml.so.1"));
  }

  /** Driver, NVRTC and cuBLAS. */
  public static void all(Path folder) throws Exception {
    driver(folder);
    compile("nvrtc", folder.resolve("libnvrtc.so.12"));
    compile("cublas", folder.resolve("libcublas.so.12"));
  }

  private static Path compile(String name, Path library, String... macros) throws Exception {
    List<String> command = new ArrayList<>(List.of("cc", "-O2", "-shared", "-fPIC"));
    command.add("-Wl,-soname," + library.getFileName());
    Path versions = SOURCES.resolve("fake-" + name + ".map");
    if (Files.exists(versions)) command.add("-Wl,--version-script," + versions);
    for (String macro : macros) command.add("-D" + macro);
    command.addAll(
        List.of(SOURCES.resolve("fake-" + name + ".c").toString(), "-o", library.toString()));
    Process process;
    try {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      assumeTrue(false, "no C compiler (cc) on this machine to build the fake libraries with");
      throw e;
    }
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    assertEquals("", output);
    return library;
  }

  /** An empty file with this name, for searches that do not load. */
  public static Path file(Path path) throws IOException {
    Files.createDirectories(path.getParent());
    return Files.exists(path) ? path : Files.createFile(path);
  }
}
