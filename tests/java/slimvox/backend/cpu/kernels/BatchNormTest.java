package slimvox.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Normalization.Running;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cpu.KernelFixture;
import slimvox.storage.Safetensors;

class BatchNormTest extends KernelFixture {
  private static final float EPSILON = 1e-5f;

  @ParameterizedTest
  @ValueSource(strings = {"train", "constant_channel", "large_mean", "two_values"})
  void trainingAgreesWithPyTorch(String name) {
    Safetensors file = knownAnswers("batchnorm.safetensors");
    long[] shape = file.shape(name + ".input");
    int channels = (int) shape[1];
    int rows = (int) (shape[0] * shape[2] * shape[3]);
    Tensor x = tensor(channelsLast(file.floats(name + ".input"), shape), rows, channels);
    Tensor dy = tensor(channelsLast(file.floats(name + ".grad_out"), shape), rows, channels);
    Tensor gamma = tensor(file.floats(name + ".param.weight"), channels);
    Tensor beta = tensor(file.floats(name + ".param.bias"), channels);
    Tensor runningMean = tensor(file.floats(name + ".param.running_mean"), channels);
    Tensor runningVariance = tensor(file.floats(name + ".param.running_var"), channels);
    Tensor mean = tensor(channels);
    Tensor inverse = tensor(channels);
    Tensor y = tensor(rows, channels);
    ops.normalization.batchStatistics(x, EPSILON, mean, inverse);
    ops.normalization.updateRunningStatistics(
        mean, inverse, rows, new Running(runningMean, runningVariance, EPSILON, 0.1f));
    ops.normalization.batchNormalize(x, new Channels(mean, inverse, gamma, beta), null, false, y);
    Tensor dgamma = tensor(channels);
    Tensor dbeta = tensor(channels);
    Tensor dx = tensor(rows, channels);
    ops.normalization.batchNormalizeBackward(
        x, null, dy, new Channels(mean, inverse, gamma, null), dgamma, dbeta, false, null, dx);

    String f64 = "f64." + name;
    Rounding rounding = new Rounding(x, dy, gamma);
    near("out", channelsLast(file.doubles(f64 + ".out"), shape), y, rounding.out);
    assertClose("running mean", file.doubles(f64 + ".after.running_mean"), runningMean, 1e-6);
    assertClose("running var", file.doubles(f64 + ".after.running_var"), runningVariance, 1e-5);
    assertClose("dbeta", file.doubles(f64 + ".grad.bias"), dbeta, 1e-5);
    near("dgamma", file.doubles(f64 + ".grad.weight"), dgamma, rounding.dgamma);
    near("dx", channelsLast(file.doubles(f64 + ".grad.input"), shape), dx, rounding.dx);
  }

  /** Within 1e-5 of the largest expected value, and what rounding has to add to that. */
  private void near(String what, double[] expected, Tensor actual, double rounding) {
    double largest = 0;
    for (double e : expected) largest = Math.max(largest, Math.abs(e));
    assertClose(what, expected, actual, 1e-5 + rounding / largest);
  }

  /**
   * What rounding to float32 costs where a mean is far from 0, and where dx is a difference.
   *
   * <p>A mean m is kept with an error of up to ulp(m) / 2, which moves every xhat of its channel by
   * e = ulp(m) / 2 times the inverse deviation: the output by gamma e, dgamma by e dbeta, and dx by
   * gamma inverse e (dgamma + xhat dbeta) / R. That dx is gamma inverse times a sum of three terms
   * as large as dy, each rounded a few times: of two values the sum is all but 0.
   */
  private final class Rounding {
    double out;
    double dgamma;
    double dx;

    Rounding(Tensor x, Tensor dy, Tensor gamma) {
      float[] values = ops.floats(x);
      float[] gradient = ops.floats(dy);
      int channels = x.shape().get(-1);
      int rows = values.length / channels;
      double[][] moments = statistics(values, rows, channels, EPSILON);
      double[] sum = new double[channels];
      double[] product = new double[channels];
      double[] xhat = new double[channels];
      double[] steepest = new double[channels];
      for (int i = 0; i < values.length; i++) {
        int c = i % channels;
        double h = (values[i] - moments[0][c]) * moments[1][c];
        sum[c] += gradient[i];
        product[c] += gradient[i] * h;
        xhat[c] = Math.max(xhat[c], Math.abs(h));
        steepest[c] = Math.max(steepest[c], Math.abs(gradient[i]));
      }
      float[] scale = ops.floats(gamma);
      for (int c = 0; c < channels; c++) {
        double g = Math.abs(scale[c]);
        double e = Math.ulp((float) moments[0][c]) / 2 * moments[1][c];
        out = Math.max(out, g * e);
        dgamma = Math.max(dgamma, e * Math.abs(sum[c]));
        double moved = e * (Math.abs(product[c]) + xhat[c] * Math.abs(sum[c])) / rows;
        double rounded = 8 * Math.ulp(1f) * steepest[c];
        dx = Math.max(dx, g * moments[1][c] * (moved + rounded));
      }
    }
  }

  @Test
  void evaluationAfterThreeStepsAgreesWithPyTorch() {
    Safetensors file = knownAnswers("batchnorm.safetensors");
    long[] shape = file.shape("three_steps.input0");
    int channels = (int) shape[1];
    int rows = (int) (shape[0] * shape[2] * shape[3]);
    Tensor gamma = tensor(file.floats("three_steps.param.weight"), channels);
    Tensor beta = tensor(file.floats("three_steps.param.bias"), channels);
    Tensor runningMean = tensor(filled(channels, i -> 0), channels);
    Tensor runningVariance = tensor(filled(channels, i -> 1), channels);
    Tensor mean = tensor(channels);
    Tensor inverse = tensor(channels);
    for (int step = 0; step < 3; step++) {
      float[] input = channelsLast(file.floats("three_steps.input" + step), shape);
      ops.normalization.batchStatistics(tensor(input, rows, channels), EPSILON, mean, inverse);
      ops.normalization.updateRunningStatistics(
          mean, inverse, rows, new Running(runningMean, runningVariance, EPSILON, 0.1f));
      String after = "three_steps.after" + step;
      assertClose("mean", file.doubles(after + ".running_mean"), runningMean, 1e-5);
      assertClose("variance", file.doubles(after + ".running_var"), runningVariance, 1e-5);
    }
    ops.normalization.invStdOf(runningVariance, EPSILON, inverse);
    Tensor x = tensor(channelsLast(file.floats("three_steps.eval.input"), shape), rows, channels);
    ops.normalization.batchNormalize(
        x, new Channels(runningMean, inverse, gamma, beta), null, false, x);
    assertClose("out", channelsLast(file.doubles("three_steps.eval.out"), shape), x, 1e-5);
  }

  @Test
  void everySizeAgreesWithFloat64() {
    for (int channels : CHANNELS) {
      for (int rows : ROWS) {
        for (int variant = 0; variant < 4; variant++) {
          Case c = new Case(rows, channels, (variant & 1) != 0, (variant & 2) != 0);
          c.forward();
          c.backward(false);
          c.backward(true);
        }
      }
    }
  }

  /** Many blocks on both threads, and a last cycle that is cut short. */
  @Test
  void largeTensorAgreesWithFloat64() {
    Case c = new Case(30_011, 24, true, true);
    c.forward();
    c.backward(false);
    c.backward(true);
  }

  @Test
  void meanFarFromZeroDoesNotSpoilTheVariance() {
    int rows = 40_000;
    int channels = 8;
    // A first part at 0 and the rest at 30000: no single early value is a good guess of the mean.
    float[] v =
        filled(
            rows * channels,
            i -> (i < 8000 ? 0 : 30_000) + random.nextInt(-2, 3)); // exact in float32
    Tensor mean = tensor(channels);
    Tensor inverse = tensor(channels);
    ops.normalization.batchStatistics(tensor(v, rows, channels), 0f, mean, inverse);
    double[][] expected = statistics(v, rows, channels, 0);
    assertClose("mean", expected[0], mean, 1e-6);
    assertClose("inverse", expected[1], inverse, 5e-6);
    // All at 30000, deviation about 1.
    float[] far = filled(rows * channels, i -> 30_000 + random.nextInt(-2, 3));
    ops.normalization.batchStatistics(tensor(far, rows, channels), 0f, mean, inverse);
    expected = statistics(far, rows, channels, 0);
    assertClose("mean", expected[0], mean, 1e-6);
    assertClose("inverse", expected[1], inverse, 5e-6);
  }

  @Test
  void sameBitsEveryTime() {
    float[] v = normal(20_000 * 24);
    float[] first = null;
    for (int i = 0; i < 5; i++) {
      try (Backend other = new Backend(CpuDevice.open(2))) {
        Tensor x = tensor(v, 20_000, 24);
        Tensor mean = tensor(24);
        Tensor inverse = tensor(24);
        other.device().kernels().normalization().batchStatistics(x, EPSILON, mean, inverse, null);
        float[] got = ops.floats(inverse);
        if (first == null) first = got;
        assertArrayEquals(first, got);
      }
    }
  }

  private static double[][] statistics(float[] x, int rows, int channels, double epsilon) {
    double[] mean = new double[channels];
    double[] inverse = new double[channels];
    for (int i = 0; i < x.length; i++) mean[i % channels] += x[i];
    for (int c = 0; c < channels; c++) mean[c] /= rows;
    for (int i = 0; i < x.length; i++) {
      inverse[i % channels] += (x[i] - mean[i % channels]) * (x[i] - mean[i % channels]);
    }
    for (int c = 0; c < channels; c++) {
      inverse[c] = 1 / Math.sqrt(inverse[c] / rows + epsilon);
    }
    return new double[][] {mean, inverse};
  }

  /** One random case and its plain calculation in float64. */
  private final class Case {
    final int rows;
    final int channels;
    final boolean relu;
    final float[] x;
    final float[] dy;
    final float[] gamma;
    final float[] beta;
    final float[] residual;
    final double[] mean;
    final double[] inverse;
    final Tensor meanT;
    final Tensor inverseT;
    final String what;

    Case(int rows, int channels, boolean relu, boolean shortcut) {
      this.rows = rows;
      this.channels = channels;
      this.relu = relu;
      what = rows + " x " + channels + (relu ? " relu" : "") + (shortcut ? " residual" : "");
      x = filled(rows * channels, i -> random.nextGaussian() * 2 + i % channels % 5);
      dy = normal(rows * channels);
      gamma = filled(channels, i -> 1 + 0.3 * random.nextGaussian());
      beta = normal(channels);
      residual = shortcut ? normal(rows * channels) : null;
      double[][] s = statistics(x, rows, channels, EPSILON);
      mean = s[0];
      inverse = s[1];
      meanT = tensor(filled(channels, c -> mean[c]), channels);
      inverseT = tensor(filled(channels, c -> inverse[c]), channels);
    }

    double[] out() {
      double[] y = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        int c = i % channels;
        // from the rounded statistics, as the operation sees them: with one row 1 / sqrt(epsilon)
        // would multiply the rounding of the mean
        double v = gamma[c] * (double) (float) inverse[c] * (x[i] - (float) mean[c]) + beta[c];
        if (residual != null) v += residual[i];
        y[i] = relu ? Math.max(v, 0) : v;
      }
      return y;
    }

    void forward() {
      Tensor m = tensor(channels);
      Tensor d = tensor(channels);
      Tensor xT = tensor(x, rows, channels);
      ops.normalization.batchStatistics(xT, EPSILON, m, d);
      assertClose(what + " mean", mean, m, 1e-6, 1);
      assertClose(what + " inverse", inverse, d, 1e-6);
      Tensor g = tensor(gamma, channels);
      Tensor b = tensor(beta, channels);
      Tensor r = residual == null ? null : tensor(residual, rows, channels);
      Tensor y = tensor(rows, channels);
      ops.normalization.batchNormalize(xT, new Channels(meanT, inverseT, g, b), r, relu, y);
      assertClose(what + " y", out(), y, 2e-6);
      ops.normalization.batchNormalize(xT, new Channels(meanT, inverseT, g, b), r, relu, xT);
      assertArrayEquals(ops.floats(y), ops.floats(xT), what + " in place");
    }

    void backward(boolean inPlace) {
      double[] y = out();
      double[] dbeta = new double[channels];
      double[] dgamma = new double[channels];
      double[] g = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        int c = i % channels;
        g[i] = !relu || (float) y[i] > 0 ? dy[i] : 0;
        dbeta[c] += g[i];
        dgamma[c] += g[i] * (x[i] - (float) mean[c]) * (float) inverse[c];
      }
      double[] dx = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        int c = i % channels;
        double xhat = (x[i] - (float) mean[c]) * (double) (float) inverse[c];
        dx[i] =
            gamma[c]
                * (double) (float) inverse[c]
                * (g[i] - dbeta[c] / rows - xhat * dgamma[c] / rows);
      }
      Tensor yT = relu ? tensor(filled(y.length, i -> y[i]), rows, channels) : null;
      Tensor dyT = tensor(dy, rows, channels);
      Tensor dxT = inPlace && residual == null ? dyT : tensor(rows, channels);
      Tensor dresidual = residual == null ? null : inPlace ? dyT : tensor(rows, channels);
      Tensor dgammaT = tensor(filled(channels, c -> c), channels);
      Tensor dbetaT = tensor(filled(channels, c -> -c), channels);
      ops.normalization.batchNormalizeBackward(
          tensor(x, rows, channels),
          yT,
          dyT,
          new Channels(meanT, inverseT, tensor(gamma, channels), null),
          dgammaT,
          dbetaT,
          inPlace,
          dresidual,
          dxT);
      if (inPlace) { // accumulates as well
        for (int c = 0; c < channels; c++) {
          dgamma[c] += c;
          dbeta[c] -= c;
        }
      }
      double tolerance = 4e-6 * (1 + Math.sqrt(rows) / 30);
      assertClose(what + " dbeta", dbeta, dbetaT, tolerance);
      assertClose(what + " dgamma", dgamma, dgammaT, tolerance);
      // With one or two rows dx is a difference of equal numbers of the size of gamma / deviation.
      double size = 0;
      for (int c = 0; c < channels; c++) {
        size = Math.max(size, 3 * Math.abs(gamma[c] * (double) (float) inverse[c]));
      }
      assertClose(what + " dx", dx, dxT, tolerance, size);
      if (residual != null) assertClose(what + " dresidual", g, dresidual, 0);
    }
  }

  @ParameterizedTest
  @CsvSource({"1,5", "3,7", "16,1000", "20,333", "128,70", "33,1"})
  void maskComputedAgainIsTheOutputsToTheBit(int channels, int rows) {
    Random random = new Random(channels);
    IntToDoubleFunction normal = i -> (float) random.nextGaussian();
    Tensor x = tensor(filled(channels * rows, normal), rows, channels);
    Tensor gamma = tensor(filled(channels, normal), channels);
    Tensor beta = tensor(filled(channels, normal), channels);
    Tensor mean = tensor(channels);
    Tensor inverse = tensor(channels);
    ops.normalization.batchStatistics(x, EPSILON, mean, inverse);
    Tensor y = tensor(rows, channels);
    ops.normalization.batchNormalize(x, new Channels(mean, inverse, gamma, beta), null, true, y);
    Tensor dy = tensor(filled(channels * rows, normal), rows, channels);
    float[][][] results = new float[2][][];
    for (int again = 0; again < 2; again++) {
      Tensor dgamma = tensor(channels);
      Tensor dbeta = tensor(channels);
      Tensor dx = tensor(rows, channels);
      ops.normalization.batchNormalizeBackward(
          x,
          again == 1 ? null : y,
          dy,
          new Channels(mean, inverse, gamma, again == 1 ? beta : null),
          dgamma,
          dbeta,
          false,
          null,
          dx);
      results[again] = new float[][] {ops.floats(dgamma), ops.floats(dbeta), ops.floats(dx)};
    }
    assertArrayEquals(results[0], results[1]);
  }
}
