package slimvox.storage;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Finds what ships beside the library, from whatever folder a program runs in. */
public final class ProjectFolder {
  private static final Path ROOT = root();

  private ProjectFolder() {}

  /** The folder above the jar, or above the working directory, that holds the corpus; or null. */
  private static Path root() {
    Stream<Path> starts = Stream.of(Path.of("").toAbsolutePath());
    try {
      var source = ProjectFolder.class.getProtectionDomain().getCodeSource();
      if (source != null) {
        starts = Stream.concat(Stream.of(Path.of(source.getLocation().toURI())), starts);
      }
    } catch (URISyntaxException e) {
      // as if it was not known where the jar is
    }
    return starts
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
