package slimvox.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * What a card's operations need of workspace, where there is none: nothing can be computed.
 *
 * <p>Products are cuBLAS's and convolutions our own, as with the packages that are recommended;
 * cuDNN chooses its algorithms on the card and is not foretold.
 */
final class NoCard implements DeviceMemory, Launcher, MatrixProducts {
  /** A device that answers how large workspaces are. */
  static CudaDevice device() {
    NoCard none = new NoCard();
    return new CudaDevice(
        "no card, only what it would need",
        none,
        none,
        none,
        new TiledConvolutions(none, none, false),
        Map::of,
        () -> {});
  }

  private static UnsupportedOperationException refusal() {
    return new UnsupportedOperationException("there is no card to compute on");
  }

  @Override
  public long workspace(boolean transposeA, boolean transposeB, int m, int n, int k) {
    return CublasProducts.BYTES;
  }

  @Override
  public void multiply(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      long a,
      long b,
      long c,
      boolean accumulate,
      long workspace) {
    throw refusal();
  }

  @Override
  public void launch(String kernel, Grid grid, int sharedBytes, Object... arguments) {
    throw refusal();
  }

  @Override
  public long allocate(long bytes) {
    throw refusal();
  }

  @Override
  public void free(long address) {
    throw refusal();
  }

  @Override
  public void upload(MemorySegment host, long address) {
    throw refusal();
  }

  @Override
  public void download(long address, MemorySegment host) {
    throw refusal();
  }

  @Override
  public void copy(long from, long to, long bytes) {
    throw refusal();
  }

  @Override
  public void zero(long address, long bytes) {
    throw refusal();
  }
}
