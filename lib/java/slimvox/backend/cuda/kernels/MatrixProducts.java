package slimvox.backend.cuda.kernels;

import slimvox.backend.Matrices.Product;

/**
 * Products of row-major float32 matrices without gaps between rows.
 *
 * <p>They serve linear layers, 1x1 convolutions of stride 1 and the classifier. {@link
 * TiledProducts} is our own; cuBLAS does it where it is found.
 */
public interface MatrixProducts {
  /** Scratch bytes of {@link #multiply}; depends on nothing but the argument. */
  long workspace(Product p);

  /**
   * c = op(a) op(b) (+ c), see {@link Product}.
   *
   * @param workspace address of as many bytes as {@link #workspace} says; 0 if none
   */
  void multiply(Product p, long a, long b, long c, boolean accumulate, long workspace);

  /** Whether {@link #subtract} is there. */
  default boolean subtracts() {
    return false;
  }

  /** c -= op(a) op(b), to the bits of adding a product with a negated factor. */
  default void subtract(Product p, long a, long b, long c, long workspace) {
    throw new UnsupportedOperationException();
  }
}
