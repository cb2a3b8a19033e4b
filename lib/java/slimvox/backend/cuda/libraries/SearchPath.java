package slimvox.backend.cuda.libraries;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The folders that may hold NVIDIA's libraries, the most telling first, each with the words that
 * say where it comes from.
 *
 * <p>Order: {@code SLIMVOX_CUDA_PATH}; the Python of the notebook's kernel; the project's {@code
 * .venv}; an active virtual environment; an active conda environment; each Python on {@code PATH};
 * {@code CUDA_HOME}, {@code CUDA_PATH}; {@code /usr/local/cuda*}, newest first; the distribution's
 * folders. A Python prefix holds them in {@code lib/python3.x/site-packages/nvidia/NAME/lib}, where
 * NVIDIA's wheels put them, or, in conda, in {@code lib}.
 */
final class SearchPath {
  /**
   * The variable that names folders of libraries, toolkits or Pythons, and what they are called.
   */
  static final String NAMED = "SLIMVOX_CUDA_PATH";

  private static final List<String> DISTRIBUTION =
      List.of(
          "/usr/lib/x86_64-linux-gnu",
          "/usr/lib64",
          "/usr/lib/wsl/lib",
          "/usr/local/nvidia/lib64",
          "/usr/local/nvidia/lib");

  private final Map<Path, String> folders = new LinkedHashMap<>();

  private SearchPath() {}

  /** Folders that exist, with where they come from, in the order of the search. */
  static Map<Path, String> of(Environment environment) {
    SearchPath path = new SearchPath();
    for (Path folder : environment.paths(NAMED)) {
      path.add(NAMED, folder);
      path.toolkit(NAMED, folder);
      path.python(NAMED, folder);
    }
    environment.paths("SLIMVOX_VENV").forEach(p -> path.python("the notebooks' Python", p));
    if (environment.project() != null) {
      path.python("this project's .venv", environment.project().resolve(".venv"));
    }
    environment.paths("VIRTUAL_ENV").forEach(p -> path.python("VIRTUAL_ENV", p));
    environment.paths("CONDA_PREFIX").forEach(path::conda);
    environment.paths("PATH").forEach(path::pythonIn);
    for (Path home : environment.paths("HOME")) {
      path.python("the user's Python packages", home.resolve(".local"));
    }
    for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
      environment.paths(variable).forEach(home -> path.toolkit(variable, home));
    }
    children(environment.absolute("/usr/local"), "cuda*").stream()
        .sorted(Comparator.comparing(SearchPath::version).reversed())
        .forEach(home -> path.toolkit(home.toString(), home));
    for (String folder : DISTRIBUTION) path.add("the system", environment.absolute(folder));
    return path.folders;
  }

  private void add(String source, Path folder) {
    if (Files.isDirectory(folder)) folders.putIfAbsent(folder, source);
  }

  private void toolkit(String source, Path home) {
    add(source, home.resolve("lib64"));
    add(source, home.resolve("targets/x86_64-linux/lib"));
    add(source, home.resolve("lib"));
  }

  private void python(String source, Path prefix) {
    for (Path python : children(prefix.resolve("lib"), "python3*")) {
      for (String packages : List.of("site-packages", "dist-packages")) {
        for (Path part : children(python.resolve(packages).resolve("nvidia"), "*")) {
          add(source, part.resolve("lib"));
        }
      }
    }
  }

  private void conda(Path prefix) {
    String source = "the conda environment";
    python(source, prefix);
    add(source, prefix.resolve("lib"));
    add(source, prefix.resolve("targets/x86_64-linux/lib"));
  }

  /** The Python of a folder of programs, where there is one. */
  private void pythonIn(Path bin) {
    if (!Files.isExecutable(bin.resolve("python3")) || bin.getParent() == null) return;
    python("the Python in " + bin, bin.getParent());
    if (Files.isDirectory(bin.resolveSibling("conda-meta"))) conda(bin.getParent());
  }

  /** 12.006 of {@code cuda-12.6}; a link without version comes first, it is the chosen one. */
  private static double version(Path home) {
    String[] parts = home.getFileName().toString().replaceFirst("^cuda-?", "").split("\\.");
    try {
      return Double.parseDouble(parts[0])
          + (parts.length > 1 ? Double.parseDouble(parts[1]) / 1000 : 0);
    } catch (NumberFormatException e) {
      return Double.MAX_VALUE;
    }
  }

  /** Entries of a folder in order of name; none if there is no such folder. */
  static List<Path> children(Path folder, String glob) {
    List<Path> found = new ArrayList<>();
    if (!Files.isDirectory(folder)) return found;
    try (var entries = Files.newDirectoryStream(folder, glob)) {
      entries.forEach(found::add);
    } catch (IOException | DirectoryIteratorException e) {
      return found; // not ours to read
    }
    found.sort(Comparator.naturalOrder());
    return found;
  }
}
