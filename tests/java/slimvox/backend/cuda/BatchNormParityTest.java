package slimvox.backend.cuda;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.Tensor;

/** Batch normalization against the CPU. */
class BatchNormParityTest extends ParityFixture {
  private static final int[] MANY_ROWS = {1, 2, 7, 100, 513, 1030, 5000};

  @ParameterizedTest
  @ValueSource(doubles = {0, 1000})
  void statisticsOfAnyMean(double mean) {
    for (int[] d : pairs(MANY_ROWS, CHANNELS)) {
      int channels = d[1];
      for (Side s : sides(4 * ofSums(d[0]))) { // means are small beside the deviation
        Tensor m = s.empty(channels);
        Tensor i = s.empty(channels);
        Tensor rm = s.between(0.5, 2, channels);
        Tensor rv = s.between(0.5, 2, channels);
        s.ops.normalization.batchStatistics(s.around(mean, 2, d), 1e-5f, m, i);
        s.ops.normalization.updateRunningStatistics(m, i, d[0], new Running(rm, rv, 1e-5f, 0.1f));
        s.ops.normalization.invStdOf(rv, 1e-5f, s.empty(channels));
      }
    }
  }

  @Test
  void forwardWithAndWithoutShortcutAndReluAndInPlace() {
    for (int[] d : pairs(ROWS, CHANNELS)) {
      int size = d[0] * d[1];
      for (Side s : sides(3e-7)) {
        float[] values = normal(size);
        if (size > 5) values[5] = Float.NaN;
        Tensor x = s.tensor(values, d);
        Channels c =
            new Channels(s.normal(d[1]), s.between(0.5, 2, d[1]), s.normal(d[1]), s.normal(d[1]));
        s.ops.normalization.batchNormalize(x, c, null, false, s.empty(d));
        s.ops.normalization.batchNormalize(x, c, s.normal(d), true, s.empty(d));
        s.ops.normalization.batchNormalize(x, c, null, true, x);
      }
    }
  }

  @Test
  void aSliceOfChannelsMayBeginAnywhere() {
    int rows = 50;
    int first = 5;
    int channels = 4;
    for (Side s : sides(2 * ofSums(rows))) {
      Tensor x = s.normal(rows, channels);
      Tensor dy = s.copy(x);
      Tensor whole = s.between(0.5, 2, first + channels);
      try (Tensor part = whole.part(first, channels);
          Tensor dgamma = s.copy(whole).part(first, channels);
          Tensor dbeta = s.copy(whole).part(first, channels)) {
        Channels c = new Channels(part, part, part, part);
        s.ops.normalization.batchNormalize(x, c, null, true, s.empty(rows, channels));
        s.ops.normalization.batchNormalizeBackward(x, null, dy, c, dgamma, dbeta, false, null, dy);
      }
    }
  }

  /** Statistics of what has mean 3 and deviation 2. */
  private static Channels channels(Side s, int count, boolean beta) {
    return new Channels(
        s.around(3, 0.1, count),
        s.between(0.4, 0.6, count),
        s.normal(count),
        beta ? s.normal(count) : null);
  }

  @Test
  void backwardOfEveryForm() {
    for (int[] d : pairs(MANY_ROWS, CHANNELS)) {
      for (Side s : sides(2 * ofSums(d[0]))) {
        Tensor x = s.around(3, 2, d);
        Tensor y = s.normal(d);
        Channels c = channels(s, d[1], false);
        Tensor dgamma = s.empty(d[1]);
        Tensor dbeta = s.empty(d[1]);
        Tensor dy = s.normal(d);
        s.ops.normalization.batchNormalizeBackward(
            x, null, dy, c, dgamma, dbeta, false, null, s.empty(d));
        s.ops.normalization.batchNormalizeBackward(
            x, y, dy, c, dgamma, dbeta, true, s.empty(d), s.empty(d));
        Tensor own = s.copy(dy); // dresidual is dy
        s.ops.normalization.batchNormalizeBackward(
            x, y, own, c, dgamma, dbeta, true, own, s.empty(d));
        Running running = new Running(s.copy(c.mean()), s.copy(c.invStd()), 1e-5f, 0.1f);
        c = new Channels(c.mean(), c.invStd(), c.gamma(), null, running);
        s.ops.normalization.batchNormalizeBackward(x, y, dy, c, dgamma, dbeta, true, null, dy);
      }
    }
  }

  @Test
  void backwardThatComputesTheOutputAgain() {
    for (int[] d : pairs(MANY_ROWS, CHANNELS)) {
      for (Side s : sides(2 * ofSums(d[0]))) {
        Tensor x = s.around(3, 2, d);
        Channels c = channels(s, d[1], true);
        Tensor dbeta = s.empty(d[1]);
        Tensor dx = s.empty(d);
        Tensor dy = s.normal(d);
        s.ops.normalization.batchNormalizeBackward(
            x, null, dy, c, s.empty(d[1]), dbeta, false, null, dx);
        Tensor y = s.empty(d);
        s.ops.normalization.batchNormalize(x, c, null, true, y);
        Tensor kept = s.empty(d);
        Channels without = new Channels(c.mean(), c.invStd(), c.gamma(), null);
        s.ops.normalization.batchNormalizeBackward(
            x, y, dy, without, s.empty(d[1]), dbeta, false, null, kept);
        s.ops.elementwise.axpy(-1, dx, kept); // to the bit: nothing is left
      }
    }
  }
}
