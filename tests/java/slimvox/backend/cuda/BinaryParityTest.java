package slimvox.backend.cuda;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Shape;
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
      for (boolean scaled : new boolean[] {false, true}) {
        for (Side s : sides(2e-6)) {
          Tensor weight = s.tensor(weights(Shape.of(shape).size()), shape);
          Tensor alpha = s.empty(shape[0]);
          Tensor up = s.normal(shape);
          s.ops.binary.binarizeFilters(weight, scaled, alpha, s.empty(shape));
          s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, up, s.empty(shape), false);
          s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, up, s.copy(weight), true);
          s.ops.binary.binarizeFiltersBackward(weight, alpha, gradient, up, up, false);
        }
      }
    }
  }

  @Test
  void signsWithABorderAndTheirGradient() {
    for (int[] d : IMAGES) {
      for (int border : new int[] {0, 1, 2}) {
        int[] padded = {d[0], d[1] + 2 * border, d[2] + 2 * border, d[3]};
        for (boolean shifted : new boolean[] {false, true}) {
          for (Side s : sides(1e-7)) {
            float[] values = weights(Shape.of(d).size());
            if (values.length > 5) values[5] = Float.NaN;
            Tensor x = s.tensor(values, d);
            Tensor shift = shifted ? s.normal(d[3]) : null;
            s.ops.binary.signActivation(x, shift, s.empty(padded));
            s.ops.binary.signActivationBackward(x, shift, s.normal(padded), s.empty(d));
          }
        }
      }
    }
  }

  @Test
  void rowsAreScaledAndBent() {
    for (int[] d : pairs(ROWS, CHANNELS)) {
      for (boolean shifted : new boolean[] {false, true}) {
        for (Side s : sides(10 * ofSums(d[0]))) { // the terms of dslope cancel out
          Tensor x = s.normal(d);
          Tensor slope = s.normal(d[1]);
          Tensor shift = shifted ? s.normal(d[1]) : null;
          Tensor dy = s.normal(d);
          s.ops.binary.prelu(x, shift, slope, s.empty(d));
          s.ops.binary.preluBackward(x, shift, slope, dy, s.empty(d), s.empty(d[1]), false);
          s.ops.binary.preluBackward(x, shift, slope, dy, dy, s.normal(d[1]), true);
          s.ops.binary.scaleRows(slope, x);
        }
      }
    }
  }
}
