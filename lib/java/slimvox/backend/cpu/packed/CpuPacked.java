package slimvox.backend.cpu.packed;

import slimvox.backend.Tensor;
import slimvox.backend.cpu.Lanes;
import slimvox.backend.cpu.Parallel;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LaidHead;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.Plane;
import slimvox.backend.packed.WeightForm;

/**
 * Packed inference on the processor. Any number of threads and any width of vectors give the same
 * bits.
 */
public final class CpuPacked implements Packed.Kernels {
  private final Parallel parallel;
  private final boolean vectors;

  /** Counts bits in vectors where that pays. */
  public CpuPacked(Parallel parallel) {
    this(parallel, PopcountKernel.vectorsPay());
  }

  CpuPacked(Parallel parallel, boolean vectors) {
    this.parallel = parallel;
    this.vectors = vectors;
  }

  /** Each thread unpacks a tile of one-bit weights that meet real activations. */
  @Override
  public long convolveWorkspace(LayerShape layer) {
    return layer.form() == WeightForm.W1A32
        ? parallel.threads() * ConvolutionKernel.unpackedBytes(layer)
        : 0;
  }

  @Override
  public void convolve(LaidConvolution layer, Plane x, Packed.Target target, Tensor workspace) {
    Epilogue epilogue = new Epilogue(layer, target);
    new ConvolutionKernel(parallel, vectors, layer, x, epilogue, workspace).run();
  }

  @Override
  public void clearBorder(Plane x) {
    clear(x.pixel(-1, -1), x.rowBytes() + x.pixelBytes());
    // The last pixel of a row and the first of the next are neighbours.
    for (int h = 0; h < x.height() - 1; h++) clear(x.pixel(h, x.width()), 2 * x.pixelBytes());
    clear(x.pixel(x.height() - 1, x.width()), x.rowBytes() + x.pixelBytes());
  }

  private static void clear(long from, long bytes) {
    Lanes.ALL.asSlice(from, bytes).fill((byte) 0);
  }

  @Override
  public float[] embed(LaidHead head, Plane x, int groups) {
    return HeadKernel.run(parallel, head, PooledStatistics.of(x, groups));
  }
}
