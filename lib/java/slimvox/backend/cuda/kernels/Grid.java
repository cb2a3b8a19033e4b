package slimvox.backend.cuda.kernels;

/**
 * The geometry of one launch: how many blocks, and how many threads each has.
 *
 * @param x blocks along x, at most 2^31 - 1
 * @param y blocks along y, at most 65535
 * @param z blocks along z, at most 65535
 * @param blockX threads of a block along x
 * @param blockY threads of a block along y
 * @param blockZ threads of a block along z; 1024 threads at most in all
 */
public record Grid(int x, int y, int z, int blockX, int blockY, int blockZ) {
  private static final int MOST_BLOCKS = 65535; // along y and z, every card
  private static final int MOST_THREADS = 1024;

  public Grid {
    if (x < 1 || y < 1 || z < 1 || y > MOST_BLOCKS || z > MOST_BLOCKS) {
      throw new IllegalArgumentException(
          "a grid of %d x %d x %d blocks cannot be launched".formatted(x, y, z));
    }
    if (blockX < 1 || blockY < 1 || blockZ < 1 || blockX * blockY * blockZ > MOST_THREADS) {
      throw new IllegalArgumentException(
          "a block of %d x %d x %d threads cannot be launched".formatted(blockX, blockY, blockZ));
    }
  }

  /** Blocks in a row, threads in a row. */
  public static Grid of(long blocks, int threads) {
    return new Grid(Math.toIntExact(blocks), 1, 1, threads, 1, 1);
  }

  /** The quotient, rounded up: blocks that cover {@code work} items. */
  static int blocks(long work, long perBlock) {
    return Math.toIntExact((work + perBlock - 1) / perBlock);
  }
}
