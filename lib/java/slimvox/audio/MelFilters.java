package slimvox.audio;

import java.util.Arrays;

/**
 * Kaldi's triangular mel filters, nonzero weights only.
 *
 * <p>mel(f) = 1127 ln(1 + f / 700). Filter b of B rises from mel(low) + b d to 1 at + d and falls
 * to 0 at + 2 d, with d = (mel(high) - mel(low)) / (B + 1); it is linear in mel, not in Hz, and its
 * area is not normalised. The bin at half the sample rate has no weight, as in Kaldi.
 */
final class MelFilters {
  /** First spectrum bin of each filter. */
  final int[] first;

  /**
   * Where each filter's weights start in {@link #weights}; one entry more than there are filters.
   */
  final int[] offset;

  /** Weights of all filters, one after the other. */
  final float[] weights;

  MelFilters(FbankOptions options) {
    int bins = options.bins();
    int spectrum = options.fftLength() / 2;
    double low = mel(options.lowHz());
    double step = (mel(options.highHz()) - low) / (bins + 1);
    double binHz = (double) options.sampleRate() / options.fftLength();
    first = new int[bins];
    offset = new int[bins + 1];
    var all = new float[2 * spectrum + 2 * bins];
    int used = 0;
    for (int b = 0; b < bins; b++) {
      double left = low + b * step;
      offset[b] = used;
      for (int k = 0; k < spectrum; k++) {
        double m = mel(binHz * k);
        double weight = Math.min((m - left) / step, (left + 2 * step - m) / step);
        if (weight > 0) {
          if (used == offset[b]) {
            first[b] = k;
          }
          all[used++] = (float) weight;
        }
      }
    }
    offset[bins] = used;
    weights = Arrays.copyOf(all, used);
  }

  private static double mel(double hz) {
    return 1127 * Math.log(1 + hz / 700);
  }
}
