package slimvox.audio;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import slimvox.vector.StableVectors;

/**
 * Plays a waveform faster or slower, pitch and tempo together, as sox's {@code speed} effect.
 *
 * <p>y(t) = x(speed t): the recording is resampled by 1 / speed and its sample rate left as it was,
 * so a tone of f Hz becomes one of speed x f Hz and n samples become ceil(n / speed). In WeSpeaker
 * the speeds 0.9 and 1.1 make new speakers of the old ones.
 *
 * <p>Interpolation is a polyphase windowed sinc, h(d) = c sinc(c d) cos^2(pi c d / (2 Z)) for |c d|
 * < Z, with d in input samples, Z = 32 zero crossings and the cutoff c = 0.99 min(1, 1 / speed) as
 * a fraction of half the sample rate: torchaudio's sinc_interp_hann with a longer filter.
 */
public final class SpeedPerturbation {
  private static final int ZERO_CROSSINGS = 32;
  private static final double ROLLOFF = 0.99;
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  /** speed = step / phases in lowest terms: so many input samples for so many output samples. */
  private final int step;

  private final int phases;

  /** Input samples used on either side of an output sample. */
  private final int reach;

  /** Filter length, a multiple of the vector length; weights beyond 2 x reach are 0. */
  private final int taps;

  /** Filter of each phase: phases x taps. */
  private final float[] weights;

  /**
   * Prepares the filters of a speed.
   *
   * @param speed from 0.5 to 2 in whole hundredths
   */
  public SpeedPerturbation(double speed) {
    int hundredths = (int) Math.round(speed * 100);
    if (!(speed >= 0.5 && speed <= 2) || Math.abs(speed * 100 - hundredths) > 1e-6) {
      throw new IllegalArgumentException(
          "speed " + speed + " is not between 0.5 and 2 in whole hundredths");
    }
    int divisor = greatestCommonDivisor(hundredths, 100);
    step = hundredths / divisor;
    phases = 100 / divisor;
    double cutoff = ROLLOFF * Math.min(1, (double) phases / step);
    reach = (int) Math.ceil(ZERO_CROSSINGS / cutoff);
    taps = (2 * reach + SPECIES.length() - 1) / SPECIES.length() * SPECIES.length();
    weights = new float[phases * taps];
    for (int phase = 0; phase < phases; phase++) {
      double fraction = (double) (phase * step % phases) / phases;
      for (int tap = 0; tap < 2 * reach; tap++) {
        weights[phase * taps + tap] = (float) filter(cutoff, tap - reach + 1 - fraction);
      }
    }
  }

  private static int greatestCommonDivisor(int a, int b) {
    return b == 0 ? a : greatestCommonDivisor(b, a % b);
  }

  private static double filter(double cutoff, double distance) {
    double x = cutoff * distance;
    if (Math.abs(x) >= ZERO_CROSSINGS) {
      return 0;
    }
    double sinc = x == 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    double taper = Math.cos(Math.PI * x / (2 * ZERO_CROSSINGS));
    return cutoff * sinc * taper * taper;
  }

  /** Samples that so many samples become. */
  public int outputSamples(int samples) {
    return Math.toIntExact(((long) samples * phases + step - 1) / step);
  }

  /** The waveform at the new speed; the same object at speed 1. */
  public Waveform apply(Waveform waveform) {
    if (step == phases) {
      return waveform;
    }
    float[] samples = waveform.samples();
    // zeros around the recording spare the inner loop the edges
    var padded = new float[samples.length + reach - 1 + taps];
    System.arraycopy(samples, 0, padded, reach - 1, samples.length);
    var out = new float[outputSamples(samples.length)];
    for (int n = 0; n < out.length; n++) {
      int start = (int) ((long) n * step / phases);
      int filter = n % phases * taps;
      var sums = FloatVector.zero(SPECIES);
      for (int tap = 0; tap < taps; tap += SPECIES.length()) {
        sums =
            FloatVector.fromArray(SPECIES, padded, start + tap)
                .fma(FloatVector.fromArray(SPECIES, weights, filter + tap), sums);
      }
      out[n] = StableVectors.sum(sums);
    }
    return new Waveform(out, waveform.sampleRate());
  }
}
