package slimvox.backend.cuda;

import java.lang.foreign.MemorySegment;
import slimvox.backend.Convolution;
import slimvox.backend.cuda.driver.Hardware;
import slimvox.backend.cuda.kernels.Convolutions;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.Grid;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.libraries.CublasProducts;
import slimvox.backend.cuda.libraries.CudnnConvolutions;

/**
 * What a card's operations need of workspace, where there is none: nothing can be computed.
 *
 * <p>Products are cuBLAS's and convolutions our own, as with the packages that are recommended.
 * cuDNN chooses its algorithms on the card; of it only the most that it may need is foretold.
 */
final class NoCard implements DeviceMemory, Launcher, MatrixProducts {
  /**
   * A device that answers how large workspaces are.
   *
   * @param cudnn the most bytes that cuDNN may need for a convolution; 0 without it
   */
  static CudaDevice device(long cudnn) {
    NoCard none = new NoCard();
    Convolutions own = new TiledConvolutions(none, none, false);
    return new CudaDevice(
        "no card, only what it would need",
        none,
        none,
        none,
        cudnn == 0 ? own : new MostOfCudnn(own, cudnn),
        new Hardware() {});
  }

  /** Each pass with the largest workspace that cuDNN is allowed. */
  private record MostOfCudnn(Convolutions own, long limit) implements Convolutions {
    @Override
    public long forwardWorkspace(Convolution g) {
      return CudnnConvolutions.most(g, own.forwardWorkspace(g), limit);
    }

    @Override
    public long backwardDataWorkspace(Convolution g) {
      return CudnnConvolutions.most(g, own.backwardDataWorkspace(g), limit);
    }

    @Override
    public long backwardWeightWorkspace(Convolution g) {
      return CudnnConvolutions.most(g, own.backwardWeightWorkspace(g), limit);
    }

    @Override
    public void forward(Convolution g, long x, long weight, long y, boolean add, long workspace) {
      throw refusal();
    }

    @Override
    public void backwardData(Convolution g, long dy, long weight, long dx, long workspace) {
      throw refusal();
    }

    @Override
    public void backwardWeight(
        Convolution g, long x, long dy, long dweight, boolean accumulate, long workspace) {
      throw refusal();
    }
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
