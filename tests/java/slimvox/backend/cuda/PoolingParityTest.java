package slimvox.backend.cuda;

import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.Tensor;

/** Statistics pooling and attentive pooling against the CPU. */
class PoolingParityTest extends ParityFixture {
  @Test
  void meanAndDeviationOverFrames() {
    int[][] shapes = {{1, 1, 1, 1}, {2, 3, 2, 5}, {3, 10, 25, 32}, {1, 5, 300, 33}, {2, 2, 7, 257}};
    for (int[] d : shapes) {
      float[] x = normal((long) d[0] * d[1] * d[2] * d[3], 5, 1);
      float[] up = normal(2L * d[0] * d[1] * d[3]);
      compare(
          "pooling of %d frames".formatted(d[2]),
          2e-6,
          s -> {
            Tensor in = s.tensor(x, d);
            Tensor out = s.empty(d[0], 2 * d[1] * d[3]);
            Tensor dx = s.empty(d);
            s.ops.pooling.statisticsPooling(in, 1e-7f, out);
            s.ops.pooling.statisticsPoolingBackward(
                in, out, s.tensor(up, d[0], 2 * d[1] * d[3]), dx);
            return List.of(out, dx);
          });
    }
  }

  @Test
  void attentionOverFrames() {
    int[][] shapes = {{1, 1, 1}, {2, 3, 5}, {3, 25, 64}, {1, 300, 33}, {2, 7, 257}};
    for (int[] d : shapes) {
      long size = (long) d[0] * d[1] * d[2];
      float[] x = normal(size, 2, 1);
      float[] scores = normal(size);
      float[] up = normal(2L * d[0] * d[2]);
      float[] dalpha = normal(size);
      for (float floor : new float[] {1e-7f, 0.8f}) { // the second is taken by some columns
        compare(
            "attention over %d frames".formatted(d[1]),
            5e-6,
            s -> {
              Tensor in = s.tensor(x, d);
              Tensor alpha = s.empty(d);
              Tensor out = s.empty(d[0], 2 * d[2]);
              Tensor dx = s.empty(d);
              Tensor da = s.empty(d);
              Tensor ds = s.tensor(dalpha, d);
              s.ops.pooling.softmaxOverFrames(s.tensor(scores, d), alpha);
              s.ops.pooling.weightedStatistics(in, alpha, floor, out);
              s.ops.pooling.weightedStatisticsBackward(
                  in, alpha, out, floor, s.tensor(up, d[0], 2 * d[2]), dx, da);
              s.ops.pooling.softmaxOverFramesBackward(alpha, ds, ds);
              return List.of(alpha, out, dx, da, ds);
            });
      }
    }
  }
}
