package slimvox.storage;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Finds what ships beside the library, from whatever folder a program runs in. */
public final class ProjectFolder {
  private static final Path ROOT = root();

  private ProjectFolder() {}

  /** Where this code is: a jar in the folder {@code lib/target}, or a folder of classes. */
  public static Path code() {
    try {
      var source = ProjectFolder.class.getProtectionDomain().getCodeSource();
      return Path.of(source.getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException("cannot find SlimVox's own jar: " + e.getMessage(), e);
    }
  }

  /** The folder above the jar, or above the working directory, that holds the corpus; or null. */
  private static Path root() {
    return Stream.of(code(), Path.of("").toAbsolutePath())
        .flatMap(start -> Stream.iterate(start, folder -> folder != null, Path::getParent))
        .filter(folder -> Files.isDirectory(folder.resolve("data-scripts/speech-commands")))
        .findFirst()
        .orElse(null);
  }

  /**
   * A relative path of which there is nothing in the working directory is looked for in the
   * project's folder, too; elsewhere it stays as it is.
   */
  public static Path find(String path) {
    Path given = Path.of(path);
    boolean elsewhere = ROOT != null && !given.isAbsolute() && !Files.exists(given);
    return elsewhere && Files.exists(ROOT.resolve(given)) ? ROOT.resolve(given) : given;
  }

  /** Where a path was looked for, for messages: empty for an absolute one. */
  public static String where(Path path) {
    if (path.isAbsolute()) return "";
    Path here = Path.of("").toAbsolutePath();
    return " in " + here + (ROOT == null || ROOT.equals(here) ? "" : " or in " + ROOT);
  }
}
