package slimvox.backend.cuda;

import slimvox.memory.MemoryBudget;
import slimvox.storage.InputException;

/**
 * Whether cuDNN is to be used, by what was found and by {@code SLIMVOX_CUDNN}: {@code off}, {@code
 * on}, or the most bytes of workspace that one of its algorithms may need ({@code 64MiB}; 16 MiB
 * where nothing is said, no more than our own kernels' largest).
 *
 * @param library null if it is not used
 * @param workspace that limit in bytes
 */
record CudnnFound(CudnnLibrary library, long workspace) {
  /** Our own kernels do all convolutions. */
  static final CudnnFound NONE = new CudnnFound(null, 0);

  private static final long WORKSPACE = 16L << 20;

  /**
   * Loads the library if it is there and wanted; the line about it then says its version, or why it
   * is not used.
   *
   * @throws InputException if {@code SLIMVOX_CUDNN} is none of the above
   */
  static CudnnFound of(CudaLibraries libraries, Surroundings around) {
    String setting = around.environment().getOrDefault("SLIMVOX_CUDNN", "").strip();
    long workspace = workspace(setting);
    if (!libraries.has(Library.CUDNN)) return NONE;
    if (setting.equals("off")) {
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

  private static long workspace(String setting) {
    if (setting.isEmpty() || setting.equals("on") || setting.equals("off")) return WORKSPACE;
    try {
      return MemoryBudget.parse(setting).bytes();
    } catch (IllegalArgumentException e) {
      throw new InputException(
          "SLIMVOX_CUDNN is '"
              + setting
              + "'; set it to off, on or the most bytes of a workspace, as in 64MiB",
          e);
    }
  }
}
