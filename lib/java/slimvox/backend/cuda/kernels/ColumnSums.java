package slimvox.backend.cuda.kernels;

import slimvox.backend.Tensor;

/**
 * Sums over rows in two stages: blocks sum stretches of rows (chunks), a second launch adds those
 * in order, in float64. How rows are cut depends on their number only: the same bits on every card.
 */
public final class ColumnSums {
  private static final int ROWS_PER_CHUNK = 512;
  private static final int MOST_CHUNKS = 1024;

  private ColumnSums() {}

  static int rowsPerChunk(long rows) {
    return Math.max(ROWS_PER_CHUNK, Grid.blocks(rows, MOST_CHUNKS));
  }

  static int chunks(long rows) {
    return Grid.blocks(rows, rowsPerChunk(rows));
  }

  /** A block for each chunk and up to 32 columns. */
  static Grid grid(long rows, int columns) {
    return RowGrid.ofBlocks(rows, columns, rowsPerChunk(rows)).grid();
  }

  /** Blocks of 32 columns x 8 threads that add up chunks. */
  static Grid overColumns(int columns) {
    return new Grid(Grid.blocks(columns, 32), 1, 1, 32, 8, 1);
  }

  /** Bytes of one float32 for each chunk and column. */
  public static long workspace(long rows, int columns) {
    return 4L * chunks(rows) * columns;
  }

  /** sum (+)= the chunks that lie in the workspace. */
  static void finish(
      Launcher launcher, long rows, int columns, Tensor workspace, Tensor sum, boolean accumulate) {
    launcher.launch(
        "add_column_sums", overColumns(columns), workspace, chunks(rows), columns, sum, accumulate);
  }
}
