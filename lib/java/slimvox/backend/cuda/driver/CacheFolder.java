package slimvox.backend.cuda.driver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** The user's cache folder, {@code $XDG_CACHE_HOME/slimvox} or {@code ~/.cache/slimvox}. */
public final class CacheFolder {
  private CacheFolder() {}

  /**
   * A folder in the cache that only the user can read and write; made if it is missing. Where it
   * cannot be written, a new folder of this process.
   *
   * @throws IOException if not even that can be made
   */
  public static Path of(String name) throws IOException {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base =
        cache == null || cache.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(cache);
    Path folder = base.resolve("slimvox", name);
    try {
      Files.createDirectories(folder);
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
      if (Files.isWritable(folder)) return folder;
    } catch (IOException | UnsupportedOperationException e) {
      // a home that is read-only or another user's; the next runs will do the work again
    }
    return Files.createTempDirectory("slimvox-");
  }
}
