package slimvox.backend.cuda.kernels;

import slimvox.backend.Matrices;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Tensor;

/** {@link MatrixProducts}, and the launches of lib/cuda/elementwise.cu for a matrix and a row. */
public final class MatrixKernels implements Matrices.Kernels {
  private static final int ROWS_PER_THREAD = 8;

  private final Launcher launcher;
  private final MatrixProducts products;
  private final OwnMemory own;

  /** Launches through {@code launcher}. */
  public MatrixKernels(Launcher launcher, MatrixProducts products, OwnMemory own) {
    this.launcher = launcher;
    this.products = products;
    this.own = own;
  }

  @Override
  public long matmulWorkspace(Product p) {
    return products.workspace(p);
  }

  @Override
  public void matmul(
      Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {
    long scratch = workspace == null ? 0 : workspace.address();
    products.multiply(p, a.address(), b.address(), c.address(), accumulate, scratch);
  }

  @Override
  public void addToRows(Tensor b, Tensor y) {
    long rows = y.shape().rows();
    int columns = y.shape().get(-1);
    RowGrid g = RowGrid.of(rows, columns, ROWS_PER_THREAD);
    launcher.launch("add_to_rows", g.grid(), b, y, rows, columns, g.rowsPerBlock());
  }

  @Override
  public long columnSumsWorkspace(long rows, int columns) {
    return ColumnSums.workspace(rows, columns);
  }

  /** Adds up the rows of y; the workspace is {@link ColumnSums}'s. */
  @Override
  public void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {
    long rows = y.shape().rows();
    int columns = y.shape().get(-1);
    launcher.launch(
        "column_sums",
        ColumnSums.grid(rows, columns),
        y,
        workspace,
        rows,
        columns,
        ColumnSums.rowsPerChunk(rows),
        own.counters(columns),
        b,
        accumulate);
  }
}
