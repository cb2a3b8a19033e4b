package slimvox.backend.cuda;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Tensor;

/** Binary weights, signs and PReLU against the CPU. */
class BinaryParityTest extends ParityFixture {
  private static final int[][] FILTERS = {
    {1, 1, 1, 1}, {3, 5, 3, 3}, {32, 32, 3, 3}, {7, 257, 1, 1}
  };
  private static final int[][] IMAGES = {
    {1, 1, 1, 1}, {2, 3, 5, 7}, {1, 10, 13, 33}, {2, 4, 9, 64}
  };

  /** Normal values with zeros of either sign. */
  private float[] weights(long count) {
    float[] values = normal(count);
    values[0] = -0f;
    if (count > 3) values[3] = 0f;
    return values;
  }

  @ParameterizedTest
  @EnumSource
  void filtersAndTheirGradients(BinaryGradient gradient) {
    for (int[] shape : FILTERS) {
      long size = (long) shape[0] * shape[1] * shape[2] * shape[3];
      float[] w = weights(size);
      float[] d = normal(size);
      for (boolean scaled : new boolean[] {false, true}) {
        compare(
            "filters of " + size,
            2e-6,
            s -> {
              Tensor weight = s.tensor(w, shape);
              Tensor alpha = s.empty(shape[0]);
              Tensor binary = s.empty(shape);
              Tensor up = s.tensor(d, shape);
              Tensor down = s.empty(shape);
              Tensor more = s.tensor(w, shape);
              s.ops.binary.binarizeFilters(weight, scaled, alpha, binary);
              s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, up, down, false);
              s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, up, more, true);
              s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, up, up, false);
              return List.of(alpha, binary, down, more, up);
            });
      }
    }
  }

  @Test
  void signsWithABorderAndTheirGradient() {
    for (int[] d : IMAGES) {
      for (int border : new int[] {0, 1, 2}) {
        int channels = d[3];
        int[] padded = {d[0], d[1] + 2 * border, d[2] + 2 * border, channels};
        float[] x = weights((long) d[0] * d[1] * d[2] * channels);
        if (x.length > 5) x[5] = Float.NaN;
        float[] up = normal((long) padded[0] * padded[1] * padded[2] * channels);
        float[] shift = normal(channels);
        for (boolean shifted : new boolean[] {false, true}) {
          compare(
              "signs, border " + border,
              1e-7,
              s -> {
                Tensor in = s.tensor(x, d);
                Tensor add = shifted ? s.tensor(shift, channels) : null;
                Tensor y = s.empty(padded);
                Tensor dx = s.empty(d);
                s.ops.binary.signActivation(in, add, y);
                s.ops.binary.signActivationBackward(in, add, s.tensor(up, padded), dx);
                return List.of(y, dx);
              });
        }
      }
    }
  }

  @Test
  void rowsAreScaledAndBent() {
    for (int rows : ROWS) {
      for (int channels : CHANNELS) {
        float[] x = normal((long) rows * channels);
        float[] up = normal((long) rows * channels);
        float[] shift = normal(channels);
        float[] slope = normal(channels);
        for (boolean shifted : new boolean[] {false, true}) {
          compare(
              "prelu %d x %d".formatted(rows, channels),
              10 * ofSums(rows), // the terms of dslope cancel out
              s -> {
                Tensor in = s.tensor(x, rows, channels);
                Tensor bend = s.tensor(slope, channels);
                Tensor add = shifted ? s.tensor(shift, channels) : null;
                Tensor y = s.empty(rows, channels);
                Tensor dx = s.empty(rows, channels);
                Tensor dy = s.tensor(up, rows, channels);
                Tensor dslope = s.empty(channels);
                Tensor more = s.tensor(shift, channels);
                s.ops.binary.prelu(in, add, bend, y);
                s.ops.binary.preluBackward(in, add, bend, dy, dx, dslope, false);
                s.ops.binary.preluBackward(in, add, bend, dy, dy, more, true);
                s.ops.binary.scaleRows(bend, in);
                return List.of(y, dx, dy, dslope, more, in);
              });
        }
      }
    }
  }
}
