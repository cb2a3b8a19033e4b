package slimvox.backend.cuda;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Tensor;

/** Batch normalization against the CPU. */
class BatchNormParityTest extends ParityFixture {
  private static final int[] MANY_ROWS = {1, 2, 7, 100, 513, 1030, 5000};

  @ParameterizedTest
  @ValueSource(doubles = {0, 1000})
  void statisticsOfAnyMean(double mean) {
    for (int rows : MANY_ROWS) {
      for (int channels : CHANNELS) {
        float[] x = normal((long) rows * channels, mean, 2);
        float[] running = uniform(channels, 0.5, 2);
        compare(
            "statistics %d x %d".formatted(rows, channels),
            4 * ofSums(rows), // means are small beside the deviation
            s -> {
              Tensor in = s.tensor(x, rows, channels);
              Tensor m = s.empty(channels);
              Tensor i = s.empty(channels);
              Tensor rm = s.tensor(running, channels);
              Tensor rv = s.tensor(running, channels);
              Tensor inverse = s.empty(channels);
              s.ops.normalization.batchStatistics(in, 1e-5f, m, i);
              s.ops.normalization.updateRunningStatistics(m, i, 1e-5f, rows, 0.1f, rm, rv);
              s.ops.normalization.invStdOf(rv, 1e-5f, inverse);
              return List.of(m, i, rm, rv, inverse);
            });
      }
    }
  }

  @Test
  void forwardWithAndWithoutShortcutAndReluAndInPlace() {
    for (int rows : ROWS) {
      for (int channels : CHANNELS) {
        long size = (long) rows * channels;
        float[] x = normal(size);
        float[] add = normal(size);
        float[] gamma = normal(channels);
        float[] beta = normal(channels);
        float[] mean = normal(channels);
        float[] inverse = uniform(channels, 0.5, 2);
        if (size > 5) x[5] = Float.NaN;
        compare(
            "normalize %d x %d".formatted(rows, channels),
            3e-7,
            s -> {
              Tensor in = s.tensor(x, rows, channels);
              Tensor m = s.tensor(mean, channels);
              Tensor i = s.tensor(inverse, channels);
              Tensor g = s.tensor(gamma, channels);
              Tensor b = s.tensor(beta, channels);
              Tensor shortcut = s.tensor(add, rows, channels);
              Tensor plain = s.empty(rows, channels);
              Tensor both = s.empty(rows, channels);
              s.ops.normalization.batchNormalize(in, new Channels(m, i, g, b), null, false, plain);
              s.ops.normalization.batchNormalize(
                  in, new Channels(m, i, g, b), shortcut, true, both);
              s.ops.normalization.batchNormalize(in, new Channels(m, i, g, b), null, true, in);
              return List.of(plain, both, in);
            });
      }
    }
  }

  @Test
  void aSliceOfChannelsMayBeginAnywhere() {
    int rows = 50;
    int first = 5;
    int channels = 4;
    float[] x = normal((long) rows * channels);
    float[] all = uniform(first + channels, 0.5, 2);
    compare(
        "slice of channels",
        2 * ofSums(rows),
        s -> {
          Tensor in = s.tensor(x, rows, channels);
          Tensor dy = s.tensor(x, rows, channels);
          Tensor y = s.empty(rows, channels);
          Tensor dgamma = s.tensor(all, first + channels);
          Tensor dbeta = s.tensor(all, first + channels);
          Tensor whole = s.tensor(all, first + channels);
          try (Tensor part = whole.part(first, channels);
              Tensor dg = dgamma.part(first, channels);
              Tensor db = dbeta.part(first, channels)) {
            s.ops.normalization.batchNormalize(
                in, new Channels(part, part, part, part), null, true, y);
            s.ops.normalization.batchNormalizeBackward(
                in, null, dy, new Channels(part, part, part, part), dg, db, false, null, dy);
          }
          return List.of(y, dy, dgamma, dbeta);
        });
  }

  @Test
  void backwardOfEveryForm() {
    for (int rows : MANY_ROWS) {
      for (int channels : CHANNELS) {
        long size = (long) rows * channels;
        float[] x = normal(size, 3, 2);
        float[] y = normal(size);
        float[] up = normal(size);
        float[] gamma = normal(channels);
        float[] mean = normal(channels, 3, 0.1);
        float[] inverse = uniform(channels, 0.4, 0.6);
        compare(
            "backward %d x %d".formatted(rows, channels),
            2 * ofSums(rows),
            s -> {
              Tensor in = s.tensor(x, rows, channels);
              Tensor out = s.tensor(y, rows, channels);
              Tensor m = s.tensor(mean, channels);
              Tensor i = s.tensor(inverse, channels);
              Tensor g = s.tensor(gamma, channels);
              Tensor dgamma = s.empty(channels);
              Tensor dbeta = s.empty(channels);
              Tensor dx = s.empty(rows, channels);
              Tensor dy = s.tensor(up, rows, channels);
              s.ops.normalization.batchNormalizeBackward(
                  in, null, dy, new Channels(m, i, g, null), dgamma, dbeta, false, null, dx);
              Tensor shortcut = s.empty(rows, channels);
              Tensor dx2 = s.empty(rows, channels);
              s.ops.normalization.batchNormalizeBackward(
                  in, out, dy, new Channels(m, i, g, null), dgamma, dbeta, true, shortcut, dx2);
              Tensor own = s.tensor(up, rows, channels); // dresidual is dy
              Tensor dx3 = s.empty(rows, channels);
              s.ops.normalization.batchNormalizeBackward(
                  in, out, own, new Channels(m, i, g, null), dgamma, dbeta, true, own, dx3);
              s.ops.normalization.batchNormalizeBackward(
                  in, out, dy, new Channels(m, i, g, null), dgamma, dbeta, true, null, dy);
              return List.of(dx, dx2, dx3, dy, shortcut, own, dgamma, dbeta);
            });
      }
    }
  }

  @Test
  void backwardThatComputesTheOutputAgain() {
    for (int rows : MANY_ROWS) {
      for (int channels : CHANNELS) {
        long size = (long) rows * channels;
        float[] x = normal(size, 3, 2);
        float[] up = normal(size);
        float[] gamma = normal(channels);
        float[] beta = normal(channels);
        float[] mean = normal(channels, 3, 0.1);
        float[] inverse = uniform(channels, 0.4, 0.6);
        compare(
            "rebuilt %d x %d".formatted(rows, channels),
            2 * ofSums(rows),
            s -> {
              Tensor in = s.tensor(x, rows, channels);
              Tensor m = s.tensor(mean, channels);
              Tensor i = s.tensor(inverse, channels);
              Tensor g = s.tensor(gamma, channels);
              Tensor b = s.tensor(beta, channels);
              Tensor dgamma = s.empty(channels);
              Tensor dbeta = s.empty(channels);
              Tensor dx = s.empty(rows, channels);
              Tensor dy = s.tensor(up, rows, channels);
              s.ops.normalization.batchNormalizeBackward(
                  in, null, dy, new Channels(m, i, g, b), dgamma, dbeta, false, null, dx);
              Tensor out = s.empty(rows, channels);
              s.ops.normalization.batchNormalize(in, new Channels(m, i, g, b), null, true, out);
              Tensor kept = s.empty(rows, channels);
              Tensor dgamma2 = s.empty(channels);
              s.ops.normalization.batchNormalizeBackward(
                  in, out, dy, new Channels(m, i, g, null), dgamma2, dbeta, false, null, kept);
              s.ops.elementwise.axpy(-1, dx, kept); // to the bit: nothing is left
              return List.of(dx, dgamma, dgamma2, dbeta, kept);
            });
      }
    }
  }
}
