package slimvox.backend;

import java.lang.foreign.MemorySegment;
import slimvox.backend.packed.Packed;

/**
 * The primitive operations as layers call them, in families: a {@link Device}'s kernels, with every
 * argument checked once for all devices, and with workspaces taken from and returned to the ledger.
 *
 * <p>What each operation computes is said in its family's {@code Kernels}; what it writes is its
 * last tensor arguments. Tensors are float32 where nothing else is said. A wrong shape or type is a
 * programming error: {@link IllegalArgumentException}.
 */
public final class Operations {
  public final Elementwise elementwise;
  public final Matrices matrices;
  public final Convolutions convolutions;
  public final Normalization normalization;
  public final Rearrangement rearrangement;
  public final Pooling pooling;
  public final Margin margin;
  public final Binary binary;
  public final Optimizers optimizers;
  public final Packed packed;
  private final Device.Memory memory;
  private final Check check;

  Operations(Backend backend) {
    Device device = backend.device();
    Device.Families kernels = device.kernels();
    memory = device.memory();
    check = new Check(backend);
    elementwise = new Elementwise(kernels.elementwise(), backend);
    matrices = new Matrices(kernels.matrices(), check);
    convolutions = new Convolutions(kernels.convolutions(), check);
    normalization = new Normalization(kernels.normalization(), check);
    rearrangement = new Rearrangement(kernels.rearrangement());
    pooling = new Pooling(kernels.pooling(), check);
    margin = new Margin(kernels.margin());
    binary = new Binary(kernels.binary(), check);
    optimizers = new Optimizers(kernels.optimizers(), check);
    packed = new Packed(backend, kernels.packed());
  }

  /**
   * While detecting, results of layers (matrix products, convolutions, normalizations, pooling) are
   * looked at, and the first that is not finite throws {@link NotFiniteException}. Slow; meant for
   * finding the layer after a loss was not finite.
   */
  public void detectAnomaly(boolean detect) {
    check.detectAnomaly(detect);
  }

  /** Copies floats from the host to a tensor of as many. */
  public void upload(float[] values, Tensor x) {
    Check.length(x, DataType.FLOAT32, values.length);
    memory.upload(MemorySegment.ofArray(values), x.address());
  }

  /** Copies ints from the host to an int32 tensor of as many. */
  public void upload(int[] values, Tensor x) {
    Check.length(x, DataType.INT32, values.length);
    memory.upload(MemorySegment.ofArray(values), x.address());
  }

  /** Copies bytes from the host to a uint8 tensor of as many. */
  public void upload(byte[] values, Tensor x) {
    Check.length(x, DataType.UINT8, values.length);
    memory.upload(MemorySegment.ofArray(values), x.address());
  }

  /** The elements of a float32 tensor. */
  public float[] floats(Tensor x) {
    float[] values = new float[Check.hostLength(x, DataType.FLOAT32)];
    memory.download(x.address(), MemorySegment.ofArray(values));
    return values;
  }

  /** The elements of an int32 tensor. */
  public int[] ints(Tensor x) {
    int[] values = new int[Check.hostLength(x, DataType.INT32)];
    memory.download(x.address(), MemorySegment.ofArray(values));
    return values;
  }

  /** The elements of a uint8 tensor. */
  public byte[] bytes(Tensor x) {
    byte[] values = new byte[Check.hostLength(x, DataType.UINT8)];
    memory.download(x.address(), MemorySegment.ofArray(values));
    return values;
  }
}
