package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static slimvox.backend.DataType.FLOAT32;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Tensor;

/** The three passes of convolutions against oneDNN. */
class ConvolutionParityTest extends ParityFixture {
  static Stream<Convolution> geometries() {
    List<Convolution> all = new ArrayList<>();
    // batch, height, width, in, out, kernel, stride: the models', then awkward ones
    for (int[] g :
        new int[][] {
          {2, 20, 11, 1, 32, 3, 1}, {2, 10, 9, 32, 32, 3, 1}, {2, 10, 13, 32, 64, 3, 2},
          {1, 10, 13, 64, 64, 3, 1}, {2, 6, 7, 64, 128, 3, 2}, {1, 5, 7, 128, 128, 3, 1},
          {2, 10, 13, 32, 64, 1, 2}, {2, 10, 13, 32, 128, 1, 1}, {1, 5, 4, 128, 32, 1, 1},
          {1, 1, 1, 1, 1, 3, 1}, {1, 1, 1, 5, 3, 1, 2}, {1, 3, 1, 4, 4, 3, 2},
          {3, 5, 1, 3, 7, 3, 1}, {1, 7, 8, 13, 33, 3, 2}, {2, 8, 7, 6, 65, 3, 1},
          {1, 9, 10, 20, 130, 3, 2}, {2, 4, 5, 9, 9, 1, 1}, {1, 6, 6, 8, 8, 5, 1},
          {1, 12, 11, 4, 12, 5, 3}, {1, 40, 33, 12, 32, 3, 1}, {4, 16, 50, 8, 8, 3, 1},
          {3, 6, 41, 1, 8, 3, 1}, {2, 9, 5, 1, 132, 3, 1}
        }) {
      all.add(dense(g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[5] / 2));
    }
    all.add(dense(1, 8, 9, 4, 8, 2, 2, 0)); // no overlap
    all.add(new Convolution(2, 9, 8, 1, 12, 3, 3, 2, 1, 0, 1, 1, FLOAT32)); // one channel
    all.add(dense(2, 9, 8, 3, 5, 1, 3, 0)); // most pixels take no part
    all.add(new Convolution(2, 9, 12, 8, 16, 3, 5, 2, 1, 1, 2, 1, FLOAT32));
    all.add(new Convolution(1, 7, 11, 5, 6, 1, 3, 1, 2, 0, 1, 1, FLOAT32));
    all.add(new Convolution(1, 9, 8, 6, 6, 3, 3, 1, 1, 0, 2, 6, FLOAT32)); // unlike paddings
    for (int[] g :
        new int[][] {
          {2, 10, 13, 128, 128, 3, 1, 128},
          {2, 10, 13, 33, 33, 3, 2, 33},
          {1, 1, 1, 4, 4, 3, 1, 4},
          {1, 30, 40, 5, 5, 3, 1, 5},
          {1, 8, 7, 6, 12, 3, 1, 6},
          {2, 7, 9, 12, 8, 3, 2, 4},
          {1, 6, 5, 8, 8, 5, 1, 8},
          {1, 5, 5, 40, 10, 1, 1, 5}
        }) {
      all.add(
          new Convolution(
              g[0], g[1], g[2], g[3], g[4], g[5], g[5], g[6], g[6], g[5] / 2, g[5] / 2, g[7],
              FLOAT32));
    }
    return all.stream();
  }

  private static Convolution dense(
      int n, int h, int w, int in, int out, int kernel, int stride, int pad) {
    return new Convolution(n, h, w, in, out, kernel, kernel, stride, stride, pad, pad, 1, FLOAT32);
  }

  @ParameterizedTest
  @MethodSource("geometries")
  void allPasses(Convolution g) {
    int[] in = g.inShape().toArray();
    int[] out = g.outShape().toArray();
    int[] weights = g.weightShape().toArray();
    for (Side s : sides(tolerance(Math.max(g.weightShape().size(), g.outShape().rows())))) {
      Tensor x = s.tensor(values(g.inShape().size()), in);
      Tensor weight = s.tensor(values(g.weightShape().size()), weights);
      Tensor dy = s.tensor(values(g.outShape().size()), out);
      s.ops.convolutions.forward(g, x, weight, s.empty(out));
      s.ops.convolutions.forwardAdd(g, x, weight, s.copy(dy));
      s.ops.convolutions.backwardData(g, dy, weight, s.empty(in));
      s.ops.convolutions.backwardWeight(g, x, dy, s.empty(weights), false);
      s.ops.convolutions.backwardWeight(g, x, dy, s.copy(weight), true);
    }
  }

  /** Widths of one strip, a short one and several; stride and paddings. */
  @ParameterizedTest
  @CsvSource({
    "3, 5, 36, 1, 1, 1",
    "2, 1, 4, 1, 1, 1",
    "5, 70, 8, 2, 1, 1",
    "4, 33, 132, 1, 0, 2",
    "6, 9, 12, 2, 0, 0"
  })
  void normalizingOnReadingHasTheBitsOfNormalizingBefore(
      int height, int width, int channels, int stride, int pad, int padWide) {
    Convolution g =
        new Convolution(
            2, height, width, channels, channels, 3, 3, stride, 1, pad, padWide, channels, FLOAT32);
    int read = 0; // sides that normalized on reading
    for (Side s : sides(tolerance(g.outShape().rows()))) {
      Tensor x = s.tensor(normal(g.inShape().size()), g.inShape().toArray());
      Tensor weight = s.tensor(normal(9 * channels), channels, 1, 3, 3);
      Tensor dy = s.tensor(normal(g.outShape().size()), g.outShape().toArray());
      Tensor mean = s.tensor(normal(channels), channels);
      Tensor invStd = s.tensor(uniform(channels, 0.5, 2), channels);
      Tensor gamma = s.tensor(normal(channels), channels);
      Channels c = new Channels(mean, invStd, gamma, s.tensor(normal(channels), channels));
      Tensor before = s.empty(g.inShape().toArray());
      s.ops.normalization.batchNormalize(x, c, null, true, before);
      Tensor y = s.empty(g.outShape().toArray());
      s.ops.convolutions.forward(g, before, weight, y);
      Tensor dweight = s.copy(weight);
      s.ops.convolutions.backwardWeight(g, before, dy, dweight, true);
      if (!s.ops.convolutions.normalizes(g)) { // the CPU, which comes first
        Convolutions refusing = s.ops.convolutions;
        assertThrows(IllegalArgumentException.class, () -> refusing.forward(g, x, c, weight, y));
        assertThrows(
            IllegalArgumentException.class,
            () -> refusing.backwardWeight(g, x, c, dy, dweight, true));
        continue;
      }
      Tensor same = s.empty(g.outShape().toArray());
      s.ops.convolutions.forward(g, x, c, weight, same);
      assertArrayEquals(s.ops.floats(y), s.ops.floats(same));
      Tensor dsame = s.copy(weight);
      s.ops.convolutions.backwardWeight(g, x, c, dy, dsame, true);
      assertArrayEquals(s.ops.floats(dweight), s.ops.floats(dsame));
      read++;
    }
    assertEquals(2, read);
  }

  /** What is multiplied. */
  float[] values(long count) {
    return normal(count);
  }

  double tolerance(long sums) {
    return ofSums(sums);
  }
}
