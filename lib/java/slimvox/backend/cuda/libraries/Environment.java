package slimvox.backend.cuda.libraries;

import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * What decides where libraries are looked for; tests make their own.
 *
 * @param variables the environment variables
 * @param root the root of the file system
 * @param project the folder of this project or null; its {@code .venv} is looked into
 * @param loader whether the system's loader finds a library of this name, which it then loads
 */
public record Environment(
    Map<String, String> variables, Path root, Path project, Predicate<String> loader) {
  /** That of this process. */
  public static Environment real() {
    Map<String, String> variables = new HashMap<>(System.getenv());
    // A property wins over the variable of the same meaning: a notebook's kernel has no other way.
    Map.of(
            "slimvox.cuda.path", "SLIMVOX_CUDA_PATH",
            "slimvox.cudnn", "SLIMVOX_CUDNN",
            "slimvox.python", "SLIMVOX_VENV") // which Python notebooks/lab says a kernel belongs to
        .forEach(
            (property, variable) -> {
              String value = System.getProperty(property);
              if (value != null) variables.put(variable, value);
            });
    return new Environment(variables, Path.of("/"), projectFolder(), Environment::loads);
  }

  /** The folder above {@code lib/target}, where the jar or the classes are; null if elsewhere. */
  private static Path projectFolder() {
    try {
      Path code =
          Path.of(Environment.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      Path target = code.getParent();
      boolean built = target != null && target.endsWith(Path.of("lib", "target"));
      return built ? target.getParent().getParent() : null;
    } catch (URISyntaxException | RuntimeException e) {
      return null; // the libraries may be elsewhere all the same
    }
  }

  @SuppressWarnings("restricted") // loading native code is what it is for
  private static boolean loads(String name) {
    try {
      SymbolLookup.libraryLookup(name, Arena.global());
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /** The value of a variable without spaces around it; empty if it is not set. */
  String get(String variable) {
    return variables.getOrDefault(variable, "").strip();
  }

  /** The paths that a variable lists; none if it is not set. */
  List<Path> paths(String variable) {
    return Arrays.stream(get(variable).split(File.pathSeparator))
        .filter(part -> !part.isBlank())
        .map(Path::of)
        .toList();
  }

  /** A path of the file system that tests may lay elsewhere: {@code /usr/lib} under the root. */
  Path absolute(String path) {
    return root.resolve(path.substring(1));
  }
}
