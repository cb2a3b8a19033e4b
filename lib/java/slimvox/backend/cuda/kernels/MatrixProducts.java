package slimvox.backend.cuda.kernels;

/**
 * Products of row-major float32 matrices without gaps between rows.
 *
 * <p>They serve linear layers, 1x1 convolutions of stride 1 and the classifier. {@link
 * TiledProducts} is our own; cuBLAS does it where it is found.
 */
public interface MatrixProducts {
  /** Scratch bytes of {@link #multiply}; depends on nothing but the arguments. */
  long workspace(boolean transposeA, boolean transposeB, int m, int n, int k);

  /**
   * c (m x n) = op(a) op(b) (+ c), op(a) m x k, op(b) k x n: where {@code transposeA}, a lies as k
   * x m, where {@code transposeB}, b as n x k.
   *
   * @param workspace address of as many bytes as {@link #workspace} says; 0 if none
   */
  void multiply(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      long a,
      long b,
      long c,
      boolean accumulate,
      long workspace);
}
