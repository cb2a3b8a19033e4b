package slimvox.backend.dry;

import slimvox.backend.Binary;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.DataType;
import slimvox.backend.Device;
import slimvox.backend.Matrices;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Normalization;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Optimizers;
import slimvox.backend.Tensor;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;

/**
 * No arithmetic and no memory: only shapes and the ledger.
 *
 * <p>The same code that trains runs on it in milliseconds at any size, and leaves the same ledger.
 * Workspaces are the other device's own affair, so a dry device asks one for their sizes, or counts
 * none. Families without workspaces are those of {@link Device}, which compute nothing; a new
 * operation without one needs nothing here.
 */
public final class DryDevice implements Device {
  private final Device sizes;
  private long multiplyAdds;

  /** Counts no workspaces. */
  public DryDevice() {
    this(null);
  }

  /** Counts the workspaces that {@code sizes} would use; nothing is run on it. */
  public DryDevice(Device sizes) {
    this.sizes = sizes;
  }

  /** Multiply-adds of the convolutions (forward) and matrix products asked for so far. */
  public long multiplyAdds() {
    return multiplyAdds;
  }

  @Override
  public String name() {
    return "dry";
  }

  @Override
  public String description() {
    return sizes == null ? "shapes and ledger only" : "shapes and ledger of " + sizes.name();
  }

  /** Allocates nothing; whether batches are staged is the other device's affair. */
  @Override
  public Memory memory() {
    return new Memory() {
      @Override
      public boolean stages() {
        return sizes != null && sizes.memory().stages();
      }
    };
  }

  @Override
  public long ownBytes() {
    return sizes == null ? 0 : sizes.ownBytes();
  }

  @Override
  public boolean takes(DataType type) {
    return sizes == null || sizes.takes(type);
  }

  // Questions about workspaces and layouts go to the other device's kernels.

  @Override
  public Matrices.Kernels matrices() {
    Matrices.Kernels asked = sizes == null ? Device.super.matrices() : sizes.matrices();
    return new Matrices.Kernels() {
      @Override
      public long matmulWorkspace(Product p) {
        return asked.matmulWorkspace(p);
      }

      @Override
      public long columnSumsWorkspace(long rows, int columns) {
        return asked.columnSumsWorkspace(rows, columns);
      }

      @Override
      public void matmul(
          Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
        multiplyAdds += (long) p.m() * p.n() * p.k();
      }
    };
  }

  @Override
  public Convolutions.Kernels convolutions() {
    Convolutions.Kernels asked = sizes == null ? Device.super.convolutions() : sizes.convolutions();
    return new Convolutions.Kernels() {
      @Override
      public long forwardWorkspace(Convolution g) {
        return asked.forwardWorkspace(g);
      }

      @Override
      public long forwardAddWorkspace(Convolution g, DataType sum) {
        return asked.forwardAddWorkspace(g, sum);
      }

      @Override
      public boolean subtracts(Convolution g) {
        return asked.subtracts(g);
      }

      @Override
      public boolean normalizes(Convolution g) {
        return asked.normalizes(g);
      }

      @Override
      public void forward(
          Convolution g, Tensor x, Channels c, Tensor weight, Tensor y, Tensor workspace) {
        multiplyAdds += g.multiplyAdds();
      }

      @Override
      public long prepackedBytes(Convolution g) {
        return asked.prepackedBytes(g);
      }

      @Override
      public long prepackWorkspace(Convolution g) {
        return asked.prepackWorkspace(g);
      }

      @Override
      public long forwardPrepackedWorkspace(Convolution g) {
        return asked.forwardPrepackedWorkspace(g);
      }

      @Override
      public long backwardDataWorkspace(Convolution g) {
        return asked.backwardDataWorkspace(g);
      }

      @Override
      public long backwardWeightWorkspace(Convolution g) {
        return asked.backwardWeightWorkspace(g);
      }

      @Override
      public boolean sameLayout(Convolution a, Convolution b) {
        return asked.sameLayout(a, b);
      }

      @Override
      public void forward(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
        multiplyAdds += g.multiplyAdds();
      }

      @Override
      public void forwardAdd(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
        multiplyAdds += g.multiplyAdds();
      }

      @Override
      public void forwardSubtract(
          Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
        multiplyAdds += g.multiplyAdds();
      }

      @Override
      public void forwardPrepacked(
          Convolution g, Tensor x, Tensor prepacked, Tensor y, Tensor workspace) {
        multiplyAdds += g.multiplyAdds();
      }
    };
  }

  @Override
  public Normalization.Kernels normalization() {
    Normalization.Kernels asked =
        sizes == null ? Device.super.normalization() : sizes.normalization();
    return new Normalization.Kernels() {
      @Override
      public long batchStatisticsWorkspace(long rows, int channels) {
        return asked.batchStatisticsWorkspace(rows, channels);
      }

      @Override
      public long batchNormalizeBackwardWorkspace(long rows, int channels) {
        return asked.batchNormalizeBackwardWorkspace(rows, channels);
      }
    };
  }

  @Override
  public Binary.Kernels binary() {
    Binary.Kernels asked = sizes == null ? Device.super.binary() : sizes.binary();
    return new Binary.Kernels() {
      @Override
      public long preluBackwardWorkspace(long rows, int channels) {
        return asked.preluBackwardWorkspace(rows, channels);
      }
    };
  }

  @Override
  public Optimizers.Kernels optimizers() {
    Optimizers.Kernels asked = sizes == null ? Device.super.optimizers() : sizes.optimizers();
    return new Optimizers.Kernels() {
      @Override
      public long sgdQuantizedWorkspace(long size, int block) {
        return asked.sgdQuantizedWorkspace(size, block);
      }

      @Override
      public long adamQuantizedWorkspace(long size, int block) {
        return asked.adamQuantizedWorkspace(size, block);
      }
    };
  }

  @Override
  public Packed.Kernels packed() {
    Packed.Kernels asked = sizes == null ? Device.super.packed() : sizes.packed();
    return new Packed.Kernels() {
      @Override
      public boolean ownMemory() {
        return asked.ownMemory();
      }

      @Override
      public long convolveWorkspace(LayerShape layer) {
        return asked.convolveWorkspace(layer);
      }
    };
  }

  /** Leaves the device that gave the sizes open. */
  @Override
  public void close() {}
}
