package slimvox.backend.cpu.packed;

import slimvox.backend.cpu.Lanes;
import slimvox.backend.packed.Packed;
import slimvox.backend.packed.Plane;

/**
 * Means and deviations of a plane's channels over groups of rows, as {@link Packed.Kernels#embed}
 * says: first all means, then all deviations. Sums are in float64.
 */
final class PooledStatistics {
  private PooledStatistics() {}

  static float[] of(Plane x, int groups) {
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
        out[channels * groups + at] = (float) Math.sqrt(squares[c] / (count - 1) + Packed.FLOOR);
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
