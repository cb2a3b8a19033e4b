package slimvox.backend.cuda.kernels;

import slimvox.backend.Tensor;
import slimvox.backend.packed.LaidConvolution;
import slimvox.backend.packed.LaidHead;
import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.Plane;

/** Packed inference by the kernels of lib/cuda/packed.cu; the same bits as on the processor. */
public final class PackedKernels implements Packed.Kernels {
  private static final int CHANNELS = LaidConvolution.TILE; // as in the source
  private static final int WARPS = 8;
  private static final int PIXELS = 4; // of a thread

  private final Launcher launcher;

  /** Launches through {@code launcher}. */
  public PackedKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  @Override
  public boolean ownMemory() {
    return true;
  }

  /** Addresses of 0 stand for what is not wanted. */
  @Override
  public void convolve(LaidConvolution layer, Plane x, Packed.Target target, Tensor workspace) {
    LayerShape shape = layer.shape();
    LaidConvolution.Rows rows = layer.rows();
    int height = shape.outLength(x.height());
    int width = shape.outLength(x.width());
    Grid grid =
        new Grid(
            Grid.blocks((long) height * width, WARPS * PIXELS),
            layer.tiles(),
            1,
            CHANNELS,
            WARPS,
            1);
    launcher.launch(
        switch (shape.form()) {
          case W1A1 -> "packed_signs";
          case W1A32 -> "packed_sign_weights";
          default -> "packed_floats";
        },
        grid,
        x.address(),
        layer.tile(0),
        address(layer.deviceSizes()),
        rows.alpha(),
        rows.mean(),
        rows.scale(),
        rows.shift(),
        rows.slope(),
        rows.before(),
        rows.after(),
        layer.activation().ordinal(),
        x.width(),
        x.elements(),
        height,
        width,
        shape.out(),
        shape.kernel(),
        shape.stride(),
        shape.columnsFirst() ? shape.kernel() * shape.kernel() : shape.kernel(), // runs
        (float) shape.filterSize(),
        address(target.floats()),
        address(target.shortcut()),
        address(target.signs()),
        address(target.signShift()));
  }

  private static long address(Plane plane) {
    return plane == null ? 0 : plane.address();
  }

  private static long address(Tensor x) {
    return x == null ? 0 : x.address();
  }

  @Override
  public void clearBorder(Plane x) {
    launcher.launch(
        "clear_border",
        ElementwiseKernels.ones(x.bytes() / 4),
        x.address(),
        x.height(),
        x.width(),
        x.elements());
  }

  @Override
  public float[] embed(LaidHead head, Plane x, int groups) {
    LaidHead.OnDevice rows = head.onDevice();
    launcher.launch(
        "packed_statistics",
        new Grid(Grid.blocks(x.elements(), CHANNELS), groups, 1, CHANNELS, 1, 1),
        x.address(),
        rows.in().address(),
        x.height() / groups,
        x.width(),
        x.elements(),
        Double.doubleToRawLongBits(Packed.FLOOR));
    launcher.launch(
        "packed_head",
        Grid.of(head.tiles(), CHANNELS),
        rows.in().address(),
        head.tile(0),
        rows.scale().address(),
        rows.bias().address(),
        rows.out().address(),
        head.in(),
        head.out(),
        head.form().weightBits());
    return rows.out().backend().ops().floats(rows.out());
  }
}
