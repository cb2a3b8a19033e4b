package slimvox.backend.cuda.libraries;

import java.io.File;
import java.io.IOException;
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
  private static final List<String> DISTRIBUTION =
      List.of(
          "/usr/lib/x86_64-linux-gnu",
          "/usr/lib64",
          "/usr/lib/wsl/lib",
          "/usr/local/nvidia/lib64",
          "/usr/local/nvidia/lib");

  private final Surroundings around;
  private final Map<Path, String> folders = new LinkedHashMap<>();

  private SearchPath(Surroundings around) {
    this.around = around;
  }

  /** Folders that exist, with where they come from, in the order of the search. */
  static Map<Path, String> of(Surroundings around) {
    SearchPath path = new SearchPath(around);
    path.explicit();
    path.python(around.path("SLIMVOX_VENV"), "the notebooks' Python");
    if (around.project() != null)
      path.python(around.project().resolve(".venv"), "this project's .venv");
    path.python(around.path("VIRTUAL_ENV"), "VIRTUAL_ENV");
    path.conda(around.path("CONDA_PREFIX"));
    path.pythonsOnPath();
    path.toolkit(around.path("CUDA_HOME"), "CUDA_HOME");
    path.toolkit(around.path("CUDA_PATH"), "CUDA_PATH");
    path.installedToolkits();
    for (String folder : DISTRIBUTION) path.add(around.absolute(folder), "the system");
    return path.folders;
  }

  /** The folders that {@code SLIMVOX_CUDA_PATH} names: folders of libraries, toolkits, Pythons. */
  static List<Path> named(Surroundings around) {
    List<Path> named = new ArrayList<>();
    String value = around.environment().getOrDefault("SLIMVOX_CUDA_PATH", "");
    for (String part : value.split(File.pathSeparator)) {
      if (!part.isBlank()) named.add(Path.of(part));
    }
    return named;
  }

  private void explicit() {
    for (Path folder : named(around)) {
      add(folder, "SLIMVOX_CUDA_PATH");
      toolkit(folder, "SLIMVOX_CUDA_PATH");
      python(folder, "SLIMVOX_CUDA_PATH");
    }
  }

  private void add(Path folder, String source) {
    if (Surroundings.isFolder(folder)) folders.putIfAbsent(folder, source);
  }

  private void toolkit(Path home, String source) {
    if (home == null) return;
    add(home.resolve("lib64"), source);
    add(home.resolve("targets/x86_64-linux/lib"), source);
    add(home.resolve("lib"), source);
  }

  private void python(Path prefix, String source) {
    if (prefix == null) return;
    for (Path python : children(prefix.resolve("lib"), "python3*")) {
      for (String packages : List.of("site-packages", "dist-packages")) {
        for (Path part : children(python.resolve(packages).resolve("nvidia"), "*")) {
          add(part.resolve("lib"), source);
        }
      }
    }
  }

  private void conda(Path prefix) {
    if (prefix == null) return;
    python(prefix, "the conda environment");
    add(prefix.resolve("lib"), "the conda environment");
    add(prefix.resolve("targets/x86_64-linux/lib"), "the conda environment");
  }

  private void pythonsOnPath() {
    String value = around.environment().getOrDefault("PATH", "");
    for (String part : value.split(File.pathSeparator)) {
      if (part.isBlank()) continue;
      Path bin = Path.of(part);
      if (!Files.isExecutable(bin.resolve("python3")) || bin.getParent() == null) continue;
      python(bin.getParent(), "the Python in " + bin);
      if (Files.isDirectory(bin.resolveSibling("conda-meta"))) conda(bin.getParent());
    }
    Path home = around.path("HOME");
    if (home != null) python(home.resolve(".local"), "the user's Python packages");
  }

  private void installedToolkits() {
    List<Path> homes = children(around.absolute("/usr/local"), "cuda*");
    homes.sort(Comparator.comparing(SearchPath::version).reversed());
    for (Path home : homes) toolkit(home, home.toString());
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
    } catch (IOException | java.nio.file.DirectoryIteratorException e) {
      return found; // not ours to read
    }
    found.sort(Comparator.naturalOrder());
    return found;
  }
}
