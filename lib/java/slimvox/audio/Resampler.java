package slimvox.audio;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.DoubleBinaryOperator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.apache.commons.math3.util.ArithmeticUtils;
import slimvox.vector.ReproducibleMath;

/**
 * Changes the number of samples by a rational factor with a polyphase windowed sinc.
 *
 * <p>y[n] = sum over k of x[k] h(n step / phases - k), h(d) = c sinc(c d) w(c d / Z) for |c d| &lt;
 * Z, with d in input samples, Z zero crossings, a taper w and the cutoff c as a fraction of half
 * the input's rate: {@code rolloff} times that half rate of input and output which is lower. n
 * samples become ceil(n phases / step); before and after the recording there are zeros.
 *
 * <p>{@link #between} has Z = 64, rolloff 0.95 and the Blackman-Harris window. Of the lower half
 * rate, what lies below 0.9 passes within 0.01 dB and what lies above it is lower by 90 dB or more:
 * from 48 to 16 kHz, 7.2 kHz pass and 8 kHz are stopped. (soxr's high quality passes 0.913;
 * torchaudio's default has Z = 6 and a rolloff of 0.99.)
 */
public final class Resampler {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  /** The most filter weights, 16 MiB; rates without a common divisor have long tables. */
  private static final int MOST_WEIGHTS = 1 << 22;

  private static final Map<Long, Resampler> BY_RATES = new ConcurrentHashMap<>();

  /** So many input samples for so many output samples, in lowest terms. */
  private final int step;

  private final int phases;

  /** Input samples used on either side of an output sample. */
  private final int reach;

  /** Filter length, a multiple of the vector length; weights beyond 2 x reach are 0. */
  private final int taps;

  /** Filter of each phase: phases x taps. */
  private final float[] weights;

  /**
   * Prepares the filters.
   *
   * @param taper of a value and 0 <= |x| <= 1 in the filter, x = 0 in the middle: value times w(x)
   */
  Resampler(int step, int phases, int zeroCrossings, double rolloff, DoubleBinaryOperator taper) {
    this.step = step;
    this.phases = phases;
    double cutoff = rolloff * Math.min(1, (double) phases / step);
    reach = (int) Math.ceil(zeroCrossings / cutoff);
    taps = (2 * reach + SPECIES.length() - 1) / SPECIES.length() * SPECIES.length();
    weights = new float[Math.multiplyExact(phases, taps)];
    for (int phase = 0; phase < phases; phase++) {
      double fraction = (double) ((long) phase * step % phases) / phases;
      for (int tap = 0; tap < 2 * reach; tap++) {
        double x = cutoff * (tap - reach + 1 - fraction);
        if (Math.abs(x) < zeroCrossings) {
          double sinc = x == 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
          weights[phase * taps + tap] =
              (float) taper.applyAsDouble(cutoff * sinc, x / zeroCrossings);
        }
      }
    }
  }

  /** Whether the filters between two rates take no more than 16 MiB. */
  static boolean isPossible(int fromRate, int toRate) {
    int larger = Math.max(fromRate, toRate) / ArithmeticUtils.gcd(fromRate, toRate);
    return larger <= MOST_WEIGHTS / 136; // 2 x 64 / 0.95 weights, rounded up to a vector
  }

  /**
   * The resampler from one sample rate to another; made once and kept.
   *
   * @throws IllegalArgumentException if the filters would take more than 16 MiB: the rates have no
   *     large common divisor
   */
  public static Resampler between(int fromRate, int toRate) {
    int divisor = ArithmeticUtils.gcd(fromRate, toRate);
    int step = fromRate / divisor;
    int phases = toRate / divisor;
    if (!isPossible(fromRate, toRate)) {
      throw new IllegalArgumentException(fromRate + " Hz to " + toRate + " Hz");
    }
    if (BY_RATES.size() > 16) BY_RATES.clear(); // a corpus has few rates
    return BY_RATES.computeIfAbsent(
        (long) step << 32 | phases,
        _ -> new Resampler(step, phases, 64, 0.95, Resampler::blackmanHarris));
  }

  private static double blackmanHarris(double value, double x) {
    double angle = Math.PI * x;
    return value
        * (0.35875
            + 0.48829 * Math.cos(angle)
            + 0.14128 * Math.cos(2 * angle)
            + 0.01168 * Math.cos(3 * angle));
  }

  /** Samples that so many samples become. */
  public long outputSamples(long samples) {
    return (samples * phases + step - 1) / step;
  }

  /** The resampled samples. */
  public float[] apply(float[] samples) {
    return over(Samples.of(samples)).all();
  }

  /** The resampled samples of a sound, of which no more is read than those asked for need. */
  public Samples over(Samples source) {
    return new Samples() {
      @Override
      public long length() {
        return outputSamples(source.length());
      }

      @Override
      public float[] part(long from, long to) {
        return resampled(source, from, to);
      }

      @Override
      public void close() {
        source.close();
      }
    };
  }

  private float[] resampled(Samples source, long from, long to) {
    if (from == to) return new float[0];
    long start = from * step / phases - reach + 1;
    long end = (to - 1) * step / phases - reach + 1 + taps;
    long first = Math.max(0, start);
    float[] read = source.part(first, Math.max(first, Math.min(source.length(), end)));
    // zeros around the recording spare the inner loop the edges
    var padded = new float[Math.toIntExact(end - start)];
    System.arraycopy(read, 0, padded, (int) (first - start), read.length);
    var out = new float[Math.toIntExact(to - from)];
    for (int n = 0; n < out.length; n++) {
      int at = (int) ((from + n) * step / phases - reach + 1 - start);
      int filter = (int) ((from + n) % phases) * taps;
      var sums = FloatVector.zero(SPECIES);
      for (int tap = 0; tap < taps; tap += SPECIES.length()) {
        sums =
            FloatVector.fromArray(SPECIES, padded, at + tap)
                .fma(FloatVector.fromArray(SPECIES, weights, filter + tap), sums);
      }
      out[n] = ReproducibleMath.sum(sums);
    }
    return out;
  }
}
