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
    List<String> options = new ArrayList<>();
    for (String macro : macros) options.add("-D" + macro);
    options.add(SOURCES.resolve("fake-driver.c").toString());
    return compile(folder.resolve("libcuda.so.1"), options);
  }

  /** cuDNN, changed by macros: {@code NUMBER=8907}. */
  public static Path cudnn(Path folder, String... macros) throws Exception {
    List<String> options = new ArrayList<>(List.of("-O2", "-Wl,-soname,libcudnn.so.9"));
    for (String macro : macros) options.add("-D" + macro);
    options.add(SOURCES.resolve("fake-cudnn.c").toString());
    return compile(folder.resolve("libcudnn.so.9"), options);
  }

  /** Driver, NVRTC and cuBLAS. */
  public static void all(Path folder) throws Exception {
    compile(
        folder.resolve("libcuda.so.1"),
        List.of("-Wl,-soname,libcuda.so.1", SOURCES.resolve("fake-driver.c").toString()));
    compile(
        folder.resolve("libnvrtc.so.12"),
        List.of("-Wl,-soname,libnvrtc.so.12", SOURCES.resolve("fake-nvrtc.c").toString()));
    compile(
        folder.resolve("libcublas.so.12"),
        List.of(
            "-Wl,-soname,libcublas.so.12",
            "-Wl,--version-script," + SOURCES.resolve("fake-cublas.map"),
            SOURCES.resolve("fake-cublas.c").toString()));
  }

  private static Path compile(Path library, List<String> options) throws Exception {
    List<String> command = new ArrayList<>(List.of("cc", "-O1", "-shared", "-fPIC"));
    command.addAll(options);
    command.addAll(List.of("-o", library.toString()));
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
