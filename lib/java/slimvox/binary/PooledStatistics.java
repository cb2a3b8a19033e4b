package slimvox.binary;

import slimvox.backend.cpu.Lanes;
import slimvox.models.ModelSpec;

/**
 * Means and deviations of a plane's channels: over frames for each frequency (TSTP, value c H + h)
 * or over all positions (GSP, value c); deviation = sqrt(unbiased variance + 1e-7).
 *
 * <p>First all means, then all deviations. Sums are in float64.
 */
final class PooledStatistics {
  static final double FLOOR = 1e-7f;

  private PooledStatistics() {}

  /** Sets of rows that are pooled each for itself. */
  static int groups(Plane x, ModelSpec.Pooling pooling) {
    return pooling == ModelSpec.Pooling.GSP ? 1 : x.height();
  }

  static float[] of(Plane x, ModelSpec.Pooling pooling) {
    int groups = groups(x, pooling);
    int rows = x.height() / groups;
    int channels = x.elements();
    float[] out = new float[2 * channels * groups];
    for (int g = 0; g < groups; g++) {
      double[] mean = sums(x, g * rows, rows, null);
      long count = (long) rows * x.width();
      for (int c = 0; c < channels; c++) mean[c] /= count;
      double[] squares = sums(x, g * rows, rows, mean);
      for (int c = 0; c < channels; c++) {
        int at = c * groups + g;
        out[at] = (float) mean[c];
        out[channels * groups + at] = (float) Math.sqrt(squares[c] / (count - 1) + FLOOR);
      }
    }
    return out;
  }

  /** The sum of each channel; of the squared distances from {@code mean} where that is given. */
  private static double[] sums(Plane x, int from, int rows, double[] mean) {
    double[] sums = new double[x.elements()];
    for (int h = from; h < from + rows; h++) {
      for (int w = 0; w < x.width(); w++) {
        long pixel = x.pixel(h, w);
        if (mean == null) {
          for (int c = 0; c < sums.length; c++) sums[c] += Lanes.get(pixel, c);
        } else {
          for (int c = 0; c < sums.length; c++) {
            double d = Lanes.get(pixel, c) - mean[c];
            sums[c] += d * d;
          }
        }
      }
    }
    return sums;
  }
}
