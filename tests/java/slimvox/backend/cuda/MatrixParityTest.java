package slimvox.backend.cuda;

import java.util.List;
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
    float[] a = normal((long) m * k);
    float[] b = normal((long) k * n);
    float[] c = normal((long) m * n);
    for (int form = 0; form < 4; form++) {
      boolean ta = form % 2 == 1;
      boolean tb = form / 2 == 1;
      compare(
          "%d x %d x %d, %s %s".formatted(m, n, k, ta, tb),
          ofSums(k),
          s -> {
            Tensor left = ta ? s.tensor(a, k, m) : s.tensor(a, m, k);
            Tensor right = tb ? s.tensor(b, n, k) : s.tensor(b, k, n);
            Tensor product = s.empty(m, n);
            Tensor sum = s.tensor(c, m, n);
            s.ops.matrices.matmul(ta, tb, left, right, product, false);
            s.ops.matrices.matmul(ta, tb, left, right, sum, true);
            return List.of(product, sum);
          });
    }
  }
}
