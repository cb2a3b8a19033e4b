package slimvox.backend.cuda.kernels;

/**
 * Sums over rows in two stages: blocks sum stretches of rows (chunks), the last of them adds those
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

  /** Bytes of one float32 for each chunk and column. */
  public static long workspace(long rows, int columns) {
    return 4L * chunks(rows) * columns;
  }
}
