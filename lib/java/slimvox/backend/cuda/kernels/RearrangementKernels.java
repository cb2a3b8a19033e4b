package slimvox.backend.cuda.kernels;

import slimvox.backend.Rearrangement;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/rearrange.cu. */
public final class RearrangementKernels implements Rearrangement.Kernels {
  private static final int ROWS_PER_THREAD = 4;

  private final Launcher launcher;

  /** Launches through {@code launcher}. */
  public RearrangementKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  @Override
  public void sliceChannels(Tensor x, int first, Tensor part) {
    int taken = part.shape().get(-1);
    copyColumns(
        x.address() + 4L * first,
        x.shape().get(-1),
        part.address(),
        taken,
        x.shape().rows(),
        taken);
  }

  @Override
  public void writeChannels(Tensor part, int first, Tensor y) {
    int put = part.shape().get(-1);
    copyColumns(
        part.address(), put, y.address() + 4L * first, y.shape().get(-1), y.shape().rows(), put);
  }

  private void copyColumns(long x, int xColumns, long y, int yColumns, long rows, int columns) {
    RowGrid g = RowGrid.of(rows, columns, ROWS_PER_THREAD);
    launcher.launch(
        "copy_columns", g.grid(), x, xColumns, y, yColumns, rows, columns, g.rowsPerBlock());
  }

  @Override
  public void spaceToDepth(Tensor x, Tensor y) {
    depth("space_to_depth", y.shape(), x, y);
  }

  @Override
  public void depthToSpace(Tensor y, Tensor x) {
    depth("depth_to_space", y.shape(), y, x);
  }

  private void depth(String kernel, Shape deep, Tensor from, Tensor to) {
    int rows = Math.toIntExact(2 * deep.rows());
    int run = deep.get(3) / 2;
    RowGrid g = RowGrid.of(rows, run, ROWS_PER_THREAD);
    launcher.launch(kernel, g.grid(), from, to, rows, deep.get(2), run, g.rowsPerBlock());
  }

  @Override
  public void framesFirst(Tensor x, Tensor y) {
    Shape s = x.shape();
    int frames = Math.toIntExact((long) s.get(0) * s.get(2));
    RowGrid g = RowGrid.of(frames, s.get(1) * s.get(3), ROWS_PER_THREAD);
    launcher.launch(
        "frames_first", g.grid(), x, y, frames, s.get(1), s.get(2), s.get(3), g.rowsPerBlock());
  }

  @Override
  public void framesFirstBackward(Tensor dy, Tensor dx, boolean accumulate) {
    Shape s = dx.shape();
    int frames = Math.toIntExact((long) s.get(0) * s.get(2));
    RowGrid g = RowGrid.of(frames, s.get(1) * s.get(3), ROWS_PER_THREAD);
    launcher.launch(
        "frames_first_backward",
        g.grid(),
        dy,
        dx,
        frames,
        s.get(1),
        s.get(2),
        s.get(3),
        accumulate,
        g.rowsPerBlock());
  }
}
