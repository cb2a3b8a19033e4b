package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Backend;
import slimvox.backend.cuda.kernels.OwnMemory;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;

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

  /** The same where batch normalization is done before a depthwise convolution, not on reading. */
  public static Backend normalizingBefore() {
    return new Backend(HostDevice.normalizingBefore());
  }

  /** Checks that a card's ledger holds these categories and what the device has for itself. */
  public static void checkOnly(MemoryLedger ledger, Category... others) {
    List<Category> all = new ArrayList<>(List.of(others));
    all.add(Category.WORKSPACE);
    ledger.checkOnly(all.toArray(Category[]::new));
    assertEquals(OwnMemory.BYTES, ledger.report().now().get(Category.WORKSPACE));
  }
}
