package slimvox.backend;

/** Matrix products, and operations between a matrix and a row; a matrix is rows x last axis. */
public final class Matrices {
  /**
   * The sizes of a matrix product c = op(a) op(b): op(a) is m x k, op(b) is k x n, c is m x n, all
   * row-major without gaps between rows; op transposes where asked, so that a lies as k x m and b
   * as n x k.
   */
  public record Product(boolean transposeA, boolean transposeB, int m, int n, int k) {}

  /** What a device computes, see {@link Device}. */
  public interface Kernels {
    /** Scratch bytes of {@link #matmul}. */
    default long matmulWorkspace(Product p) {
      return 0;
    }

    /** c = op(a) op(b) (+ c), see {@link Product}. */
    default void matmul(
        Product p, Tensor a, Tensor b, Tensor c, boolean accumulate, Tensor workspace) {}

    /** Adds the vector b to each row of y. */
    default void addToRows(Tensor b, Tensor y) {}

    /** Scratch bytes of {@link #columnSums}. */
    default long columnSumsWorkspace(long rows, int columns) {
      return 0;
    }

    /** b = (b +) sum of the rows of y, summed in float64 or blocked float32. */
    default void columnSums(Tensor y, Tensor b, boolean accumulate, Tensor workspace) {}
  }

  private final Kernels kernels;
  private final Check check;

  Matrices(Kernels kernels, Check check) {
    this.kernels = kernels;
    this.check = check;
  }

  /** c (+)= op(a) op(b); the sizes are taken from c (m x n) and from a (k). */
  public void matmul(
      boolean transposeA, boolean transposeB, Tensor a, Tensor b, Tensor c, boolean accumulate) {
    int m = Shape.axis(c.shape().rows());
    int n = c.shape().get(-1);
    long rowsA = a.shape().rows();
    int columnsA = a.shape().get(-1);
    int k = transposeA ? Shape.axis(rowsA) : columnsA;
    Check.fit((transposeA ? columnsA : rowsA) == m, "matmul", a, c);
    Check.fit((transposeB ? b.shape().get(-1) : b.shape().rows()) == k, "matmul", a, b);
    Check.fit((transposeB ? b.shape().rows() : b.shape().get(-1)) == n, "matmul", b, c);
    Product p = new Product(transposeA, transposeB, m, n, k);
    check.with(c, kernels.matmulWorkspace(p), w -> kernels.matmul(p, a, b, c, accumulate, w));
    check.finite(c);
  }

  /** See {@link Kernels#addToRows}. */
  public void addToRows(Tensor b, Tensor y) {
    Check.channels(y, b);
    kernels.addToRows(b, y);
  }

  /** See {@link Kernels#columnSums}. */
  public void columnSums(Tensor y, Tensor b, boolean accumulate) {
    Check.channels(y, b);
    check.with(
        b,
        kernels.columnSumsWorkspace(y.shape().rows(), y.shape().get(-1)),
        w -> kernels.columnSums(y, b, accumulate, w));
  }
}
