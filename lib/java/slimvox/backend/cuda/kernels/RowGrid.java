package slimvox.backend.cuda.kernels;

/**
 * A launch over a matrix of rows: threads along x take columns, along y rows, 256 in all.
 *
 * <p>Neighbouring threads touch neighbouring addresses: a warp is 32 columns of one row, or several
 * whole rows where a row is shorter. So many threads take columns as there are, up to 32, rounded
 * up to a power of two.
 *
 * @param grid blocks along x over rows, along y over columns
 * @param rowsPerBlock rows of each block, an argument of the kernel
 */
public record RowGrid(Grid grid, int rowsPerBlock) {
  static final int THREADS = 256;
  private static final int WARP = 32;

  /** Every thread takes so many rows, so that it reads what belongs to its column once. */
  public static RowGrid of(long rows, int columns, int rowsPerThread) {
    return ofBlocks(rows, columns, THREADS / threadsX(columns) * rowsPerThread);
  }

  /** Every block takes so many rows. */
  static RowGrid ofBlocks(long rows, int columns, int rowsPerBlock) {
    int x = threadsX(columns);
    Grid grid =
        new Grid(Grid.blocks(rows, rowsPerBlock), Grid.blocks(columns, x), 1, x, THREADS / x, 1);
    return new RowGrid(grid, rowsPerBlock);
  }

  /** Every thread along y takes one of the rows. */
  static Grid ofThreads(long rows, int columns) {
    int x = threadsX(columns);
    return ofBlocks(rows, columns, THREADS / x).grid();
  }

  /** Blocks along x over columns; their threads along y add up rows. */
  static Grid ofSums(int rows, long columns) {
    int y = Math.min(THREADS / WARP, Integer.highestOneBit(rows));
    return new Grid(Grid.blocks(columns, THREADS / y), 1, 1, THREADS / y, y, 1);
  }

  /** The same with blocks along z. */
  RowGrid deep(int z) {
    Grid g = new Grid(grid.x(), grid.y(), z, grid.blockX(), grid.blockY(), grid.blockZ());
    return new RowGrid(g, rowsPerBlock);
  }

  private static int threadsX(int columns) {
    return columns >= WARP ? WARP : Integer.highestOneBit(2 * columns - 1);
  }
}
