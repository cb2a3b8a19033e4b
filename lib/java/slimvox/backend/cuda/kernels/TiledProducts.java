package slimvox.backend.cuda.kernels;

import slimvox.backend.Matrices.Product;

/**
 * Matrix products by our own kernels, lib/cuda/matrix.cu: for tests, and where cuBLAS is not found.
 *
 * <p>A product with too few tiles for a card is cut along k, so that about 256 blocks run; their
 * sums lie in the workspace and are added in order. How it is cut depends on the sizes only.
 */
public final class TiledProducts implements MatrixProducts {
  static final int ROWS = 128; // of a tile
  static final int BLOCKS = 256; // enough for two a multiprocessor of the largest card
  private static final int SHORTEST_SPLIT = 256;

  private final Launcher launcher;

  /** Launches through {@code launcher}. */
  public TiledProducts(Launcher launcher) {
    this.launcher = launcher;
  }

  /** Columns of the smallest tile that covers as many; one of the largest otherwise. */
  static int tileColumns(int n) {
    return n <= 32 ? 32 : n <= 64 ? 64 : 128;
  }

  /** Threads of a block that works on a tile of so many columns. */
  static int threads(int tileColumns) {
    return tileColumns == 32 ? 128 : 256;
  }

  private static int splits(Product p) {
    int tileColumns = tileColumns(p.n());
    long tiles = (long) Grid.blocks(p.m(), ROWS) * Grid.blocks(p.n(), tileColumns);
    long wanted = Math.max(1, BLOCKS / tiles);
    int depth = depth(p.k(), (int) Math.min(wanted, Grid.blocks(p.k(), SHORTEST_SPLIT)));
    return Grid.blocks(p.k(), depth);
  }

  /** Length of each split, a multiple of 8. */
  private static int depth(int k, int splits) {
    return 8 * Grid.blocks(k, 8L * splits);
  }

  @Override
  public long workspace(Product p) {
    int splits = splits(p);
    return splits == 1 ? 0 : 4L * splits * p.m() * p.n();
  }

  @Override
  public void multiply(Product p, long a, long b, long c, boolean accumulate, long workspace) {
    int splits = splits(p);
    int tileColumns = tileColumns(p.n());
    Grid grid =
        new Grid(
            Grid.blocks(p.m(), ROWS),
            Grid.blocks(p.n(), tileColumns),
            splits,
            threads(tileColumns),
            1,
            1);
    launcher.launch(
        "product_" + tileColumns,
        grid,
        a,
        b,
        splits == 1 ? c : workspace,
        p.m(),
        p.n(),
        p.k(),
        p.transposeA(),
        p.transposeB(),
        depth(p.k(), splits),
        splits == 1 && accumulate);
    if (splits == 1) return;
    int count = Math.multiplyExact(p.m(), p.n()); // as a filter of one tap of one channel
    launcher.launch(
        "sum_weight_splits",
        RowGrid.ofSums(splits, count),
        workspace,
        c,
        count,
        1,
        1,
        splits,
        accumulate);
  }
}
