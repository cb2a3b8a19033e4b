package slimvox.audio;

import org.apache.commons.math3.util.ArithmeticUtils;

/**
 * Plays a waveform faster or slower, pitch and tempo together, as sox's {@code speed} effect.
 *
 * <p>y(t) = x(speed t): the recording is resampled by 1 / speed and its sample rate left as it was,
 * so a tone of f Hz becomes one of speed x f Hz and n samples become ceil(n / speed). In WeSpeaker
 * the speeds 0.9 and 1.1 make new speakers of the old ones.
 *
 * <p>Interpolation is a polyphase windowed sinc, h(d) = c sinc(c d) cos^2(pi c d / (2 Z)) for |c d|
 * &lt; Z, with d in input samples, Z = 32 zero crossings and the cutoff c = 0.99 min(1, 1 / speed)
 * as a fraction of half the sample rate: torchaudio's sinc_interp_hann with a longer filter.
 */
public final class SpeedPerturbation {
  private static final int ZERO_CROSSINGS = 32;
  private static final double ROLLOFF = 0.99;

  /** Null at speed 1. */
  private final Resampler resampler;

  /** Prepares the filters of a speed, from 0.5 to 2 in whole hundredths. */
  public SpeedPerturbation(double speed) {
    if (!isPossible(speed)) {
      throw new IllegalArgumentException(
          "speed " + speed + " is not between 0.5 and 2 in whole hundredths");
    }
    int hundredths = (int) Math.round(speed * 100);
    int divisor = ArithmeticUtils.gcd(hundredths, 100);
    int step = hundredths / divisor;
    resampler =
        step * divisor == 100
            ? null
            : new Resampler(step, 100 / divisor, ZERO_CROSSINGS, ROLLOFF, SpeedPerturbation::hann);
  }

  /** Whether a speed is from 0.5 to 2 in whole hundredths. */
  public static boolean isPossible(double speed) {
    return speed >= 0.5 && speed <= 2 && Math.abs(speed * 100 - Math.round(speed * 100)) <= 1e-6;
  }

  private static double hann(double value, double x) {
    double taper = Math.cos(Math.PI * x / 2);
    return value * taper * taper;
  }

  /** A sound at the new speed, of which no more is read than is asked for. */
  public Samples over(Samples source) {
    return resampler == null ? source : resampler.over(source);
  }
}
