package slimvox.backend.cuda;

import slimvox.backend.Backend;

/** A card played by the host, for tests of other packages. */
public final class HostBackend {
  private HostBackend() {}

  /**
   * A backend on kernels compiled for the processor; its addresses are the host's. Skips the test
   * where there is no C++ compiler.
   *
   * @param backwards run the threads of a block from the last to the first
   */
  public static Backend open(boolean backwards) {
    return new Backend(HostDevice.open(backwards));
  }
}
