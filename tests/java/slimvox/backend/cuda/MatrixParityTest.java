package slimvox.backend.cuda;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Tensor;

/** Matrix products by our own kernels against oneDNN. */
class MatrixParityTest extends ParityFixture {
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1",
    "3, 5, 7",
    "128, 32, 8",
    "129, 33, 9",
    "130, 64, 16",
    "17, 65, 31",
    "127, 129, 64",
    "256, 128, 40",
    "5, 300, 1000",
    "33, 20, 5000",
    "300, 257, 515",
    "4, 8, 2052",
    "260, 6, 3",
    "64, 64, 20000"
  })
  void everyTransposition(int m, int n, int k) {
    for (int form = 0; form < 4; form++) {
      boolean ta = form % 2 == 1;
      boolean tb = form / 2 == 1;
      for (Side s : sides(ofSums(k))) {
        Tensor left = ta ? s.normal(k, m) : s.normal(m, k);
        Tensor right = tb ? s.normal(n, k) : s.normal(k, n);
        s.ops.matrices.matmul(ta, tb, left, right, s.empty(m, n), false);
        s.ops.matrices.matmul(ta, tb, left, right, s.normal(m, n), true);
      }
    }
  }
}
