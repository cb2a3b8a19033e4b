package slimvox.backend.cuda.driver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The user's cache folder, {@code $XDG_CACHE_HOME/slimvox} or {@code ~/.cache/slimvox}, or a new
 * folder of this process where that cannot be written.
 */
public final class CacheFolder {
  private final Path base;

  private CacheFolder(Path base) {
    this.base = base;
  }

  /** A cache in this folder. */
  static CacheFolder in(Path folder) {
    return new CacheFolder(folder);
  }

  /** The user's. */
  public static CacheFolder ofUser() {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base =
        cache == null || cache.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(cache);
    return new CacheFolder(base.resolve("slimvox"));
  }

  /**
   * A folder in the cache that only the user can read and write; made if it is missing.
   *
   * @throws IOException if not even a temporary one can be made
   */
  public Path folder(String name) throws IOException {
    Path folder = base.resolve(name);
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
