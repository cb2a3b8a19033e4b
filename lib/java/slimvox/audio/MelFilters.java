package slimvox.audio;

import java.util.Arrays;
import java.util.stream.IntStream;
import slimvox.storage.InputException;

/**
 * Kaldi's triangular mel filters, nonzero weights only.
 *
 * <p>mel(f) = 1127 ln(1 + f / 700). Filter b of B rises from mel(low) + b d to 1 at + d and falls
 * to 0 at + 2 d, with d = (mel(high) - mel(low)) / (B + 1); it is linear in mel, not in Hz, and its
 * area is not normalised. The bin at half the sample rate has no weight, as in Kaldi; and as there,
 * so many filters that one of them holds no bin are refused: it would be constant.
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

  private MelFilters(FbankOptions options) {
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
          if (used == offset[b]) first[b] = k;
          all[used++] = (float) weight;
        }
      }
    }
    offset[bins] = used;
    weights = Arrays.copyOf(all, used);
  }

  /** The filters of these options; refused if one of them would hold no bin. */
  static MelFilters of(FbankOptions options) {
    MelFilters filters = new MelFilters(options);
    int[] empty = filters.empty();
    if (empty.length == 0) return filters;
    int most = 1;
    while (new MelFilters(options.withBins(most + 1)).empty().length == 0) most++;
    String shown = Arrays.toString(Arrays.copyOf(empty, Math.min(empty.length, 5)));
    throw InputException.of(
        "%d mel filters: %d of them hold no bin of a spectrum of %d points at %d Hz (%s%s, from 0)"
            + " and would be constant; up to %d filters fit (model.bins, --bins)",
        options.bins(),
        empty.length,
        options.fftLength(),
        options.sampleRate(),
        shown.substring(1, shown.length() - 1),
        empty.length > 5 ? ", ..." : "",
        most);
  }

  /** The filters that hold no bin. */
  private int[] empty() {
    return IntStream.range(0, first.length).filter(b -> offset[b] == offset[b + 1]).toArray();
  }

  private static double mel(double hz) {
    return 1127 * Math.log(1 + hz / 700);
  }
}
