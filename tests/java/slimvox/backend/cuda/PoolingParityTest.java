package slimvox.backend.cuda;

import org.junit.jupiter.api.Test;
import slimvox.backend.Tensor;

/** Statistics pooling and attentive pooling against the CPU. */
class PoolingParityTest extends ParityFixture {
  @Test
  void meanAndDeviationOverFrames() {
    int[][] shapes = {{1, 1, 1, 1}, {2, 3, 2, 5}, {3, 10, 25, 32}, {1, 5, 300, 33}, {2, 2, 7, 257}};
    for (int[] d : shapes) {
      int columns = 2 * d[1] * d[3];
      for (Side s : sides(2e-6)) {
        Tensor x = s.around(5, 1, d);
        Tensor out = s.empty(d[0], columns);
        s.ops.pooling.statisticsPooling(x, 1e-7f, out);
        s.ops.pooling.statisticsPoolingBackward(x, out, s.normal(d[0], columns), s.empty(d));
      }
    }
  }

  @Test
  void attentionOverFrames() {
    int[][] shapes = {{1, 1, 1}, {2, 3, 5}, {3, 25, 64}, {1, 300, 33}, {2, 7, 257}};
    for (int[] d : shapes) {
      for (float floor : new float[] {1e-7f, 0.8f}) { // the second is taken by some columns
        for (Side s : sides(5e-6)) {
          Tensor x = s.around(2, 1, d);
          Tensor alpha = s.empty(d);
          Tensor out = s.empty(d[0], 2 * d[2]);
          Tensor up = s.normal(d[0], 2 * d[2]);
          Tensor ds = s.normal(d);
          s.ops.pooling.softmaxOverFrames(s.normal(d), alpha);
          s.ops.pooling.weightedStatistics(x, alpha, floor, out);
          s.ops.pooling.weightedStatisticsBackward(
              x, alpha, out, floor, up, s.empty(d), s.empty(d));
          s.ops.pooling.softmaxOverFramesBackward(alpha, ds, ds);
        }
      }
    }
  }
}
