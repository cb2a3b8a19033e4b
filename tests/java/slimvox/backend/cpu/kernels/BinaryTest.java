package slimvox.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.BinaryGradient;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.KernelFixture;
import slimvox.settings.Key;
import slimvox.storage.Safetensors;

/** Binary weights, signs and PReLU against PyTorch's answers and plain loops. */
class BinaryTest extends KernelFixture {
  private static final String[] CONVOLUTIONS = {"conv3x3_s1", "conv3x3_s2", "conv1x1_s1"};

  private static Safetensors binaryAnswers() {
    return Safetensors.read(Path.of("tests/data/binary/binary.safetensors"));
  }

  private Tensor weight(Safetensors file, String name) {
    long[] s = file.shape(name);
    return tensor(file.floats(name), (int) s[0], (int) s[1], (int) s[2], (int) s[3]);
  }

  private static double sign(double x) {
    return x < 0 ? -1 : 1;
  }

  @ParameterizedTest
  @EnumSource(BinaryGradient.class)
  void scalesAndWeightGradientsAreThoseOfPyTorch(BinaryGradient gradient) {
    Safetensors file = binaryAnswers();
    for (String conv : CONVOLUTIONS) {
      Tensor w = weight(file, conv + ".weight");
      Tensor alpha = tensor(w.shape().get(0));
      Tensor binary = tensor(w.shape().toArray());
      ops.binary.binarizeFilters(w, true, alpha, binary);
      assertClose("alpha", file.doubles("f64.w1a32." + conv + ".alpha"), alpha, 1e-6);
      Tensor d = weight(file, "w1a32." + conv + ".grad.binary_weight");
      Tensor dw = tensor(w.shape().toArray());
      ops.binary.binarizeFiltersBackward(w, alpha, gradient, d, dw, false);
      String name = "f64.w1a32." + conv + ".grad.weight." + Key.of(gradient);
      assertClose(name, file.doubles(name), dw, 1e-5);
      float[] once = ops.floats(dw);
      ops.binary.binarizeFiltersBackward(w, alpha, gradient, d, dw, true);
      assertArrayEquals(filled(once.length, i -> 2 * once[i]), ops.floats(dw), name + " added");
      ops.binary.binarizeFiltersBackward(w, alpha, gradient, d, d, false);
      assertArrayEquals(once, ops.floats(d), name + " in place");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 9, 15, 16, 17, 100, 1024, 1025, 2304, 5000})
  void filtersOfAnySizeBecomeSignsTimesMeanSize(int size) {
    float[] w = normal(7 * size);
    w[0] = 0f;
    if (size > 1) w[1] = -0f;
    Tensor weight = tensor(w, 7, size);
    Tensor alpha = tensor(7);
    Tensor binary = tensor(7, size);
    for (boolean scaled : new boolean[] {true, false}) {
      ops.binary.binarizeFilters(weight, scaled, alpha, binary);
      float[] scales = ops.floats(alpha);
      float[] b = ops.floats(binary);
      for (int o = 0; o < 7; o++) {
        double sum = 0;
        for (int i = 0; i < size; i++) sum += Math.abs((double) w[o * size + i]);
        assertEquals(sum / size, scales[o], 1e-6, "scale");
        for (int i = 0; i < size; i++) {
          double expected = sign(w[o * size + i]) * (scaled ? scales[o] : 1);
          assertEquals((float) expected, b[o * size + i], "weight " + i + " of filter " + o);
        }
      }
    }
  }

  @Test
  void aNaNWeightStaysOne() {
    Tensor weight = tensor(new float[] {1, Float.NaN, -1}, 1, 3);
    Tensor alpha = tensor(1);
    Tensor binary = tensor(1, 3);
    ops.binary.binarizeFilters(weight, false, alpha, binary);
    assertTrue(Float.isNaN(ops.floats(binary)[1]));
    assertTrue(Float.isNaN(ops.floats(alpha)[0]));
  }

  @Test
  void signsHaveABorderOfOnesAndSlopesHaveNone() {
    for (int channels : CHANNELS) {
      for (int border = 0; border < 3; border++) {
        for (boolean shifted : new boolean[] {false, true}) {
          signs(new int[] {2, 3, 5, channels}, border, shifted);
        }
      }
    }
    signs(new int[] {3, 40, 150, 6}, 1, true); // more than one part
  }

  private void signs(int[] s, int border, boolean shifted) {
    int size = s[0] * s[1] * s[2] * s[3];
    float[] x = normal(size);
    x[0] = 0f;
    x[size / 2] = -0f;
    x[size - 1] = 1f;
    float[] shifts = normal(s[3]);
    int height = s[1] + 2 * border;
    int width = s[2] + 2 * border;
    Tensor xT = tensor(x, s);
    Tensor shift = shifted ? tensor(shifts, s[3]) : null;
    Tensor y = tensor(s[0], height, width, s[3]);
    ops.binary.signActivation(xT, shift, y);
    float[] dy = normal(s[0] * height * width * s[3]);
    Tensor dx = tensor(s);
    ops.binary.signActivationBackward(xT, shift, tensor(dy, y.shape().toArray()), dx);
    float[] signs = ops.floats(y);
    float[] slopes = ops.floats(dx);
    int at = 0;
    for (int n = 0; n < s[0]; n++) {
      for (int h = -border; h < s[1] + border; h++) {
        for (int w = -border; w < s[2] + border; w++) {
          for (int c = 0; c < s[3]; c++, at++) {
            if (h < 0 || h >= s[1] || w < 0 || w >= s[2]) {
              assertEquals(1f, signs[at], "border");
              continue;
            }
            int i = ((n * s[1] + h) * s[2] + w) * s[3] + c;
            float z = shifted ? x[i] + shifts[c] : x[i];
            assertEquals((float) sign(z), signs[at], "sign of " + z);
            float slope = Math.max(0, 2 - 2 * Math.abs(z));
            assertEquals(slope * dy[at], slopes[i], 1e-6f, "slope at " + z);
          }
        }
      }
    }
  }

  @Test
  void rowsAreScaled() {
    for (int channels : CHANNELS) {
      for (int rows : ROWS) {
        float[] y = normal(rows * channels);
        float[] scale = normal(channels);
        Tensor yT = tensor(y, rows, channels);
        ops.binary.scaleRows(tensor(scale, channels), yT);
        assertArrayEquals(filled(y.length, i -> y[i] * scale[i % channels]), ops.floats(yT));
      }
    }
  }

  @Test
  void preluAndItsBackward() {
    for (int channels : CHANNELS) {
      for (int rows : ROWS) {
        for (boolean shifted : new boolean[] {false, true}) prelu(rows, channels, shifted);
      }
    }
  }

  private void prelu(int rows, int channels, boolean shifted) {
    float[] x = normal(rows * channels);
    float[] dy = normal(rows * channels);
    float[] slopes = normal(channels);
    float[] shifts = normal(channels);
    double[] y = new double[x.length];
    double[] dx = new double[x.length];
    double[] dslope = new double[channels];
    for (int i = 0; i < x.length; i++) {
      int c = i % channels;
      double z = shifted ? x[i] + shifts[c] : x[i];
      y[i] = z > 0 ? z : slopes[c] * z;
      dx[i] = z > 0 ? dy[i] : slopes[c] * dy[i];
      if (z <= 0) dslope[c] += dy[i] * z;
    }
    Tensor xT = tensor(x, rows, channels);
    Tensor shift = shifted ? tensor(shifts, channels) : null;
    Tensor slope = tensor(slopes, channels);
    Tensor yT = tensor(rows, channels);
    ops.binary.prelu(xT, shift, slope, yT);
    String what = rows + " x " + channels;
    assertClose("y " + what, y, yT, 1e-6);
    Tensor dyT = tensor(dy, rows, channels);
    Tensor dxT = tensor(rows, channels);
    Tensor dslopeT = tensor(channels);
    ops.binary.preluBackward(xT, shift, slope, dyT, dxT, dslopeT, false);
    assertClose("dx " + what, dx, dxT, 1e-6);
    assertClose("dslope " + what, dslope, dslopeT, 1e-5);
    ops.binary.preluBackward(xT, shift, slope, dyT, dyT, dslopeT, true);
    assertArrayEquals(ops.floats(dxT), ops.floats(dyT), "dx in place " + what);
    for (int c = 0; c < channels; c++) dslope[c] *= 2;
    assertClose("dslope added " + what, dslope, dslopeT, 1e-5);
    ops.binary.prelu(xT, shift, slope, xT);
    assertArrayEquals(ops.floats(yT), ops.floats(xT), "in place " + what);
  }

  @Test
  void wrongShapesAreRefused() {
    Tensor w = tensor(normal(12), 2, 6);
    assertThrows(
        IllegalArgumentException.class,
        () -> ops.binary.binarizeFilters(w, true, tensor(3), tensor(2, 6)));
    Tensor x = tensor(normal(24), 1, 2, 3, 4);
    assertThrows(
        IllegalArgumentException.class,
        () -> ops.binary.signActivation(x, null, tensor(1, 4, 4, 4)));
    assertThrows(
        IllegalArgumentException.class,
        () -> ops.binary.signActivation(x, tensor(3), tensor(1, 4, 5, 4)));
    assertThrows(IllegalArgumentException.class, () -> ops.binary.scaleRows(tensor(3), x));
    assertThrows(IllegalArgumentException.class, () -> ops.binary.prelu(x, null, tensor(3), x));
  }
}
