package slimvox.backend.cuda;

import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.Matrices.Product;
import slimvox.backend.cuda.kernels.BatchNormKernels;
import slimvox.backend.cuda.kernels.BinaryKernels;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.MatrixKernels;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.OwnMemory;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.libraries.CublasProducts;
import slimvox.backend.cuda.libraries.CudnnConvolutions;

/**
 * What a card's operations need of workspace, where there is none: nothing can be computed.
 *
 * <p>Products are cuBLAS's and convolutions our own, as with the packages that are recommended.
 * cuDNN chooses its algorithms on the card; of it only the most that it may need is foretold.
 *
 * @param cudnn the most bytes that cuDNN may need for a convolution; 0 without it
 */
record NoCard(long cudnn) implements Device {
  private static final Launcher LAUNCHER =
      (kernel, grid, arguments) -> {
        throw refusal();
      };

  private static final MatrixProducts PRODUCTS =
      new MatrixProducts() {
        @Override
        public long workspace(Product p) {
          return CublasProducts.BYTES;
        }

        @Override
        public boolean subtracts() {
          return true;
        }

        @Override
        public void multiply(
            Product p, long a, long b, long c, boolean accumulate, long workspace) {
          throw refusal();
        }
      };

  private static UnsupportedOperationException refusal() {
    return new UnsupportedOperationException("there is no card to compute on");
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return "no card, only what it would need";
  }

  @Override
  public long ownBytes() {
    return OwnMemory.BYTES;
  }

  @Override
  public Families kernels() {
    return new Families(
        Families.NONE.elementwise(),
        new MatrixKernels(LAUNCHER, PRODUCTS, null),
        convolutions(),
        new BatchNormKernels(LAUNCHER, null),
        Families.NONE.rearrangement(),
        Families.NONE.pooling(),
        Families.NONE.margin(),
        new BinaryKernels(LAUNCHER, null),
        Families.NONE.optimizers(),
        new PackedKernels(LAUNCHER));
  }

  /** With cuDNN each pass has the largest workspace that it is allowed. */
  private Convolutions.Kernels convolutions() {
    return new TiledConvolutions(LAUNCHER, PRODUCTS, false) {
      @Override
      public long forwardWorkspace(Convolution g) {
        return most(g, super.forwardWorkspace(g));
      }

      @Override
      public long backwardDataWorkspace(Convolution g) {
        return most(g, super.backwardDataWorkspace(g));
      }

      @Override
      public long backwardWeightWorkspace(Convolution g) {
        return most(g, super.backwardWeightWorkspace(g));
      }
    };
  }

  private long most(Convolution g, long own) {
    return cudnn == 0 ? own : CudnnConvolutions.most(g, own, cudnn);
  }
}
