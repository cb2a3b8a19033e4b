package slimvox.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.KernelFixture;
import slimvox.storage.Safetensors;

class PoolingTest extends KernelFixture {
  private static final float FLOOR = 1e-7f;

  @ParameterizedTest
  @ValueSource(strings = {"tstp", "tstp_two_frames"})
  void statisticsAgreeWithWeSpeaker(String name) {
    Safetensors file = knownAnswers("pooling.safetensors");
    long[] s = file.shape(name + ".input");
    int[] shape = {(int) s[0], (int) s[2], (int) s[3], (int) s[1]};
    int features = shape[1] * shape[3];
    Tensor x = tensor(channelsLast(file.floats(name + ".input"), s), shape);
    Tensor out = tensor(shape[0], 2 * features);
    Tensor dout = tensor(file.floats(name + ".grad_out"), shape[0], 2 * features);
    Tensor dx = tensor(shape);
    ops.pooling.statisticsPooling(x, FLOOR, out);
    assertClose("out", file.doubles("f64." + name + ".out"), out, 1e-5);
    ops.pooling.statisticsPoolingBackward(x, out, dout, dx);
    assertClose("dx", channelsLast(file.doubles("f64." + name + ".grad.input"), s), dx, 1e-5);
  }

  @Test
  void statisticsAgreeWithFloat64() {
    for (int channels : CHANNELS) {
      for (int frames : new int[] {2, 3, 25, 300}) {
        int[] shape = {2, 3, frames, channels};
        int features = 3 * channels;
        String what = frames + " frames, " + channels + " channels";
        int offset = frames < 25 ? 0 : 10;
        float[] x = filled(6 * frames * channels, i -> offset + random.nextGaussian());
        float[] dout = normal(2 * 2 * features);
        double[] out = new double[4 * features];
        double[] dx = new double[x.length];
        for (int n = 0; n < 2; n++) {
          for (int h = 0; h < 3; h++) {
            for (int c = 0; c < channels; c++) {
              int base = (n * 3 + h) * frames * channels + c;
              double mean = 0;
              double squares = 0;
              for (int w = 0; w < frames; w++) mean += x[base + w * channels] / (double) frames;
              for (int w = 0; w < frames; w++) {
                squares += Math.pow(x[base + w * channels] - mean, 2);
              }
              int at = 2 * n * features + c * 3 + h;
              double deviation = Math.sqrt(squares / (frames - 1) + FLOOR);
              out[at] = mean;
              out[at + features] = deviation;
              for (int w = 0; w < frames; w++) {
                double d = (x[base + w * channels] - mean) / ((frames - 1) * deviation);
                dx[base + w * channels] = dout[at] / frames + dout[at + features] * d;
              }
            }
          }
        }
        Tensor xT = tensor(x, shape);
        Tensor outT = tensor(2, 2 * features);
        Tensor doutT = tensor(dout, 2, 2 * features);
        Tensor dxT = tensor(shape);
        ops.pooling.statisticsPooling(xT, FLOOR, outT);
        assertClose(what, out, outT, 1e-7);
        ops.pooling.statisticsPoolingBackward(xT, outT, doutT, dxT);
        // Of two or three frames the deviation may be small against the rounding of the mean.
        assertClose(what + " dx", dx, dxT, frames < 25 ? 1e-3 : 1e-5);
      }
    }
  }

  @Test
  void oneFrameHasNoDeviation() {
    Tensor x = tensor(normal(4), 1, 2, 1, 2);
    Tensor out = tensor(1, 8);
    ops.pooling.statisticsPooling(x, FLOOR, out);
    float[] v = ops.floats(out);
    float[] given = ops.floats(x);
    assertArrayEquals(
        new float[] {given[0], given[2], given[1], given[3]}, java.util.Arrays.copyOf(v, 4));
    for (int i = 4; i < 8; i++) assertTrue(Float.isNaN(v[i]));
  }

  @Test
  void framesFirstIsATransposeAndItsBackwardTheInverse() {
    for (int[] s : new int[][] {{1, 1, 1, 1}, {2, 3, 5, 7}, {3, 10, 25, 64}}) {
      int size = s[0] * s[1] * s[2] * s[3];
      float[] x = normal(size);
      float[] expected = new float[size];
      int at = 0;
      for (int n = 0; n < s[0]; n++) {
        for (int h = 0; h < s[1]; h++) {
          for (int w = 0; w < s[2]; w++) {
            for (int c = 0; c < s[3]; c++) {
              expected[((n * s[2] + w) * s[3] + c) * s[1] + h] = x[at++];
            }
          }
        }
      }
      Tensor xT = tensor(x, s);
      Tensor y = tensor(s[0], s[2], s[3] * s[1]);
      ops.rearrangement.framesFirst(xT, y);
      assertArrayEquals(expected, ops.floats(y));
      Tensor dx = tensor(s);
      ops.rearrangement.framesFirstBackward(y, dx, false);
      assertArrayEquals(x, ops.floats(dx));
      ops.rearrangement.framesFirstBackward(y, dx, true);
      assertArrayEquals(filled(size, i -> 2 * x[i]), ops.floats(dx));
    }
  }

  @Test
  void softmaxOverFramesAgreesWithFloat64() {
    for (int columns : CHANNELS) {
      int frames = 23;
      float[] x = filled(2 * frames * columns, i -> 30 * random.nextGaussian());
      float[] dy = normal(x.length);
      double[] y = new double[x.length];
      double[] dx = new double[x.length];
      for (int n = 0; n < 2; n++) {
        for (int c = 0; c < columns; c++) {
          int base = n * frames * columns + c;
          double largest = Double.NEGATIVE_INFINITY;
          double sum = 0;
          double along = 0;
          for (int w = 0; w < frames; w++) {
            largest = Math.max(largest, x[base + w * columns]);
          }
          for (int w = 0; w < frames; w++) sum += Math.exp(x[base + w * columns] - largest);
          for (int w = 0; w < frames; w++) {
            int i = base + w * columns;
            y[i] = Math.exp(x[i] - largest) / sum;
            along += y[i] * dy[i];
          }
          for (int w = 0; w < frames; w++) {
            int i = base + w * columns;
            dx[i] = y[i] * (dy[i] - along);
          }
        }
      }
      Tensor xT = tensor(x, 2, frames, columns);
      Tensor dyT = tensor(dy, 2, frames, columns);
      ops.pooling.softmaxOverFrames(xT, xT);
      assertClose("softmax", y, xT, 1e-6);
      ops.pooling.softmaxOverFramesBackward(xT, dyT, dyT);
      assertClose("backward", dx, ops.floats(dyT), 2e-6, 0.1);
    }
  }

  @Test
  void weightedStatisticsAgreeWithFloat64() {
    for (int columns : CHANNELS) {
      int frames = 31;
      boolean far = columns == 16; // a mean 100 deviations away
      float[] x = filled(2 * frames * columns, i -> (far ? 100 : 0) + random.nextGaussian());
      float[] alpha = filled(x.length, i -> random.nextDouble() / frames);
      for (int w = 0; w < frames; w++) x[w * columns] = 0; // a column of the floor
      float[] dout = normal(4 * columns);
      double[] out = new double[4 * columns];
      double[] dx = new double[x.length];
      double[] dalpha = new double[x.length];
      float floor = 1e-4f;
      for (int n = 0; n < 2; n++) {
        for (int c = 0; c < columns; c++) {
          int base = n * frames * columns + c;
          double m = 0;
          double squares = 0;
          for (int w = 0; w < frames; w++) {
            int i = base + w * columns;
            m += (double) alpha[i] * x[i];
            squares += (double) alpha[i] * x[i] * x[i];
          }
          double variance = squares - m * m;
          int at = 2 * n * columns + c;
          out[at] = m;
          out[at + columns] = Math.sqrt(Math.max(variance, floor));
          double d = variance > floor ? dout[at + columns] / (2 * Math.sqrt(variance)) : 0;
          for (int w = 0; w < frames; w++) {
            int i = base + w * columns;
            dalpha[i] = dout[at] * x[i] + d * (x[i] * x[i] - 2 * m * x[i]);
            dx[i] = alpha[i] * (dout[at] + d * 2 * (x[i] - m));
          }
        }
      }
      Tensor xT = tensor(x, 2, frames, columns);
      Tensor alphaT = tensor(alpha, 2, frames, columns);
      Tensor outT = tensor(2, 2 * columns);
      Tensor doutT = tensor(dout, 2, 2 * columns);
      Tensor dxT = tensor(2, frames, columns);
      Tensor dalphaT = tensor(2, frames, columns);
      ops.pooling.weightedStatistics(xT, alphaT, floor, outT);
      assertClose("out", out, outT, 1e-6);
      ops.pooling.weightedStatisticsBackward(xT, alphaT, outT, floor, doutT, dxT, dalphaT);
      assertClose("dx", dx, dxT, 2e-6);
      assertClose("dalpha", dalpha, dalphaT, 2e-6);
    }
  }

  @Test
  void varianceOfTheAttentionSurvivesAMeanFarFromZero() {
    int frames = 50;
    float[] x = filled(frames * 16, i -> 1000 + random.nextGaussian());
    Tensor xT = tensor(x, 1, frames, 16);
    Tensor alpha = tensor(filled(x.length, i -> random.nextGaussian()), 1, frames, 16);
    ops.pooling.softmaxOverFrames(alpha, alpha);
    float[] a = ops.floats(alpha);
    Tensor out = tensor(1, 32);
    ops.pooling.weightedStatistics(xT, alpha, FLOOR, out);
    float[] got = ops.floats(out);
    for (int c = 0; c < 16; c++) {
      double m = 0;
      double squares = 0;
      for (int i = c; i < x.length; i += 16) m += (double) a[i] * x[i];
      for (int i = c; i < x.length; i += 16) squares += (double) a[i] * x[i] * x[i];
      double expected = Math.sqrt(squares - m * m);
      assertEquals(expected, got[16 + c], 1e-5 * expected);
    }
  }
}
