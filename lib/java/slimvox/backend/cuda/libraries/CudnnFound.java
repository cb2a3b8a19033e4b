package slimvox.backend.cuda.libraries;

import java.nio.file.Files;
import java.nio.file.Path;
import slimvox.memory.MemoryBudget;
import slimvox.storage.InputException;

/**
 * Whether cuDNN is to be used, by what was found and by {@code SLIMVOX_CUDNN}: {@code off}, {@code
 * on}, the most bytes of workspace that one of its algorithms may need ({@code 64MiB}; 16 MiB where
 * nothing is said, no more than our own kernels' largest), or the library's file.
 *
 * @param library null if it is not used
 * @param workspace that limit in bytes
 */
public record CudnnFound(CudnnLibrary library, long workspace) {
  /** Our own kernels do all convolutions. */
  public static final CudnnFound NONE = new CudnnFound(null, 0);

  private static final String VARIABLE = "SLIMVOX_CUDNN";
  private static final long WORKSPACE = 16L << 20;

  /**
   * Loads the library if it is there and wanted; the line about it then says its version, or why it
   * is not used.
   *
   * @throws InputException if {@code SLIMVOX_CUDNN} is none of the above
   */
  public static CudnnFound of(CudaLibraries libraries, Environment environment) {
    long workspace = limit(environment);
    if (!libraries.has(Library.CUDNN)) return NONE;
    if (environment.get(VARIABLE).equals("off")) {
      libraries.note(Library.CUDNN, "not used: SLIMVOX_CUDNN is off");
      return NONE;
    }
    try {
      CudnnLibrary library = new CudnnLibrary(libraries.open(Library.CUDNN));
      libraries.note(Library.CUDNN, "version " + library.version());
      return new CudnnFound(library, workspace);
    } catch (UnsupportedOperationException e) {
      libraries.note(Library.CUDNN, "not used: " + e.getMessage());
      return NONE;
    }
  }

  /**
   * The file that {@code SLIMVOX_CUDNN} names; null if it says something else.
   *
   * @throws InputException if there is no such file
   */
  static Path file(Environment environment) {
    String setting = environment.get(VARIABLE);
    if (!setting.contains("/")) return null;
    Path file = Path.of(setting);
    if (Files.isRegularFile(file)) return file;
    throw new InputException("SLIMVOX_CUDNN is '" + setting + "'; there is no such file");
  }

  /** The most bytes that one of its algorithms may need. */
  public static long limit(Environment environment) {
    String setting = environment.get(VARIABLE);
    if (setting.matches("|on|off|.*/.*")) return WORKSPACE;
    try {
      return MemoryBudget.parse(setting).bytes();
    } catch (IllegalArgumentException e) {
      throw new InputException(
          ("SLIMVOX_CUDNN is '%s'; set it to off, on, the library's file or the most bytes of a"
                  + " workspace, as in 64MiB")
              .formatted(setting),
          e);
    }
  }
}
