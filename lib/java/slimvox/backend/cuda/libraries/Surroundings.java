package slimvox.backend.cuda.libraries;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * What decides where libraries are looked for; tests make their own.
 *
 * @param environment the environment variables
 * @param root the root of the file system
 * @param project the folder of this project or null; its {@code .venv} is looked into
 * @param loader whether the system's loader finds a library of this name, which it then loads
 */
public record Surroundings(
    Map<String, String> environment, Path root, Path project, Predicate<String> loader) {
  /** Where {@code notebooks/lab} tells the kernel which Python it belongs to. */
  private static final String PYTHON = "slimvox.python";

  /** Those of this process. */
  public static Surroundings real() {
    Map<String, String> environment = new HashMap<>(System.getenv());
    // A property wins over the variable of the same meaning: a notebook's kernel has no other way.
    String path = System.getProperty("slimvox.cuda.path");
    if (path != null) environment.put("SLIMVOX_CUDA_PATH", path);
    String cudnn = System.getProperty("slimvox.cudnn");
    if (cudnn != null) environment.put("SLIMVOX_CUDNN", cudnn);
    String python = System.getProperty(PYTHON);
    if (python != null) environment.put("SLIMVOX_VENV", python);
    return new Surroundings(environment, Path.of("/"), projectFolder(), Surroundings::loads);
  }

  /** The folder above {@code lib/target}, where the jar or the classes are; null if elsewhere. */
  private static Path projectFolder() {
    try {
      Path code =
          Path.of(Surroundings.class.getProtectionDomain().getCodeSource().getLocation().toURI());
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

  /** The value of an environment variable as a path, or null. */
  Path path(String variable) {
    String value = environment.get(variable);
    return value == null || value.isBlank() ? null : Path.of(value);
  }

  /** A path of the file system that tests may lay elsewhere: {@code /usr/lib} under the root. */
  Path absolute(String path) {
    return root.resolve(path.substring(1));
  }

  /** Whether this is a folder. */
  static boolean isFolder(Path path) {
    return path != null && Files.isDirectory(path);
  }
}
