package slimvox.backend.cuda.kernels;

import slimvox.backend.Binary;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;

/** The launches of lib/cuda/binary.cu. */
public final class BinaryKernels implements Binary.Kernels {
  private static final int THREADS = 256; // of a filter, as in the source
  private static final int ROWS_PER_THREAD = 8;

  private final Launcher launcher;
  private final OwnMemory own;

  /** Launches through {@code launcher}. */
  public BinaryKernels(Launcher launcher, OwnMemory own) {
    this.launcher = launcher;
    this.own = own;
  }

  private static int filterSize(Tensor weight) {
    return Math.toIntExact(weight.size() / weight.shape().get(0));
  }

  @Override
  public void binarizeFilters(Tensor weight, boolean scaled, Tensor alpha, Tensor binary) {
    launcher.launch(
        "binarize_filters",
        Grid.of(weight.shape().get(0), THREADS),
        weight,
        scaled,
        alpha,
        binary,
        filterSize(weight));
  }

  @Override
  public void binarizeFiltersBackward(
      Tensor weight,
      Tensor alpha,
      BinaryGradient gradient,
      Tensor dbinary,
      Tensor dweight,
      boolean accumulate) {
    int size = filterSize(weight);
    launcher.launch(
        "binarize_filters_backward",
        Grid.of(weight.shape().get(0), THREADS),
        weight,
        alpha,
        gradient == BinaryGradient.STE,
        gradient == BinaryGradient.XNOR ? 1f / size : 0f,
        gradient == BinaryGradient.EXACT,
        dbinary,
        dweight,
        accumulate,
        size);
  }

  @Override
  public void signActivation(Tensor x, Tensor shift, Tensor y) {
    Shape s = x.shape();
    int rows = Math.toIntExact(y.shape().rows());
    RowGrid g = RowGrid.of(rows, s.get(3), ROWS_PER_THREAD);
    launcher.launch(
        "sign_activation",
        g.grid(),
        x,
        shift,
        y,
        rows,
        s.get(1),
        s.get(2),
        (y.shape().get(1) - s.get(1)) / 2,
        s.get(3),
        g.rowsPerBlock());
  }

  @Override
  public void signActivationBackward(Tensor x, Tensor shift, Tensor dy, Tensor dx) {
    Shape s = x.shape();
    int rows = Math.toIntExact(s.rows());
    RowGrid g = RowGrid.of(rows, s.get(3), ROWS_PER_THREAD);
    launcher.launch(
        "sign_activation_backward",
        g.grid(),
        x,
        shift,
        dy,
        dx,
        rows,
        s.get(1),
        s.get(2),
        (dy.shape().get(1) - s.get(1)) / 2,
        s.get(3),
        g.rowsPerBlock());
  }

  @Override
  public void scaleRows(Tensor scale, Tensor y) {
    long rows = y.shape().rows();
    int columns = y.shape().get(-1);
    RowGrid g = RowGrid.of(rows, columns, ROWS_PER_THREAD);
    launcher.launch("scale_rows", g.grid(), scale, y, rows, columns, g.rowsPerBlock());
  }

  @Override
  public void prelu(Tensor x, Tensor shift, Tensor slope, Tensor y) {
    long rows = x.shape().rows();
    int columns = x.shape().get(-1);
    RowGrid g = RowGrid.of(rows, columns, ROWS_PER_THREAD);
    launcher.launch("prelu", g.grid(), x, shift, slope, y, rows, columns, g.rowsPerBlock());
  }

  @Override
  public long preluBackwardWorkspace(long rows, int channels) {
    return ColumnSums.workspace(rows, channels);
  }

  @Override
  public void preluBackward(
      Tensor x,
      Tensor shift,
      Tensor slope,
      Tensor dy,
      Tensor dx,
      Tensor dslope,
      boolean accumulate,
      Tensor workspace) {
    long rows = x.shape().rows();
    int columns = x.shape().get(-1);
    launcher.launch(
        "prelu_backward",
        ColumnSums.grid(rows, columns),
        x,
        shift,
        slope,
        dy,
        dx,
        workspace,
        rows,
        columns,
        ColumnSums.rowsPerChunk(rows),
        own.counters(columns),
        dslope,
        accumulate);
  }
}
