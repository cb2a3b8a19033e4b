package slimvox.audio;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import slimvox.storage.InputException;

/**
 * Additive noise and reverberation at WeSpeaker's levels.
 *
 * <p>Both end with a peak normalisation, y / (max |y| + 1e-4), and return a new waveform.
 */
public final class Augmentation {
  private static final double LEVEL_FLOOR = 1e-4;

  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  /** Signal-to-noise ratios by the kind of interference, drawn uniformly (MUSAN's folders). */
  public enum Interference {
    /** Noises, 0 to 15 dB below the speech. */
    NOISE(0, 15),
    /** Babble, 10 to 30 dB below. */
    SPEECH(10, 30),
    /** Music, 5 to 15 dB below. */
    MUSIC(5, 15);

    private final double lowestDb;
    private final double highestDb;

    Interference(double lowestDb, double highestDb) {
      this.lowestDb = lowestDb;
      this.highestDb = highestDb;
    }

    /** A signal-to-noise ratio in dB. */
    public double drawSnrDb(RandomGenerator random) {
      return random.nextDouble(lowestDb, highestDb);
    }
  }

  private Augmentation() {}

  /** Level in dB: 10 log10(mean(x^2) + 1e-4). */
  public static double levelDb(float[] samples) {
    return 10 * Math.log10(energy(samples) / samples.length + LEVEL_FLOOR);
  }

  /**
   * Adds noise at a signal-to-noise ratio.
   *
   * <p>The noise is cropped at random to the length of the speech, or repeated if it is shorter,
   * and scaled by sqrt(10^((level(speech) - level(noise) - snr) / 10)), see {@link #levelDb}.
   *
   * @param noiseName what to call the noise in an error
   * @throws InputException if the noise is empty or has another sample rate
   */
  public static Waveform addNoise(
      Waveform speech, Waveform noise, String noiseName, double snrDb, RandomGenerator random) {
    requireSameRate(speech, noise, noiseName);
    float[] clean = speech.samples();
    float[] added = fit(noise.samples(), clean.length, random);
    float gain = (float) Math.pow(10, (levelDb(clean) - levelDb(added) - snrDb) / 20);
    var out = new float[clean.length];
    for (int i = 0; i < out.length; i++) out[i] = clean[i] + gain * added[i];
    return new Waveform(normalizePeak(out), speech.sampleRate());
  }

  /**
   * Convolves speech with a room impulse response scaled to unit energy, cut to the speech's
   * length.
   *
   * @param responseName what to call the impulse response in an error
   * @throws InputException if the impulse response is empty, silent or has another sample rate
   */
  public static Waveform reverberate(
      Waveform speech, Waveform impulseResponse, String responseName) {
    requireSameRate(speech, impulseResponse, responseName);
    double energy = energy(impulseResponse.samples());
    if (energy == 0) {
      throw InputException.at(responseName, "a silent impulse response; leave it out");
    }
    float[] response = impulseResponse.samples().clone();
    for (int i = 0; i < response.length; i++) {
      response[i] = (float) (response[i] / Math.sqrt(energy));
    }
    return new Waveform(
        normalizePeak(convolve(speech.samples(), response, 0)), speech.sampleRate());
  }

  private static void requireSameRate(Waveform speech, Waveform other, String name) {
    if (other.sampleRate() != speech.sampleRate()) {
      throw InputException.of(
          "%s: %d Hz for speech of %d Hz; resample it first",
          name, other.sampleRate(), speech.sampleRate());
    }
    if (other.samples().length == 0) throw InputException.at(name, "no samples; leave it out");
  }

  private static float[] fit(float[] noise, int length, RandomGenerator random) {
    var fitted = new float[length];
    int first = noise.length > length ? random.nextInt(noise.length - length + 1) : 0;
    for (int i = 0; i < length; i++) fitted[i] = noise[(first + i) % noise.length];
    return fitted;
  }

  /**
   * As many samples of the convolution as the signal has, from number {@code skip} on.
   *
   * <p>Four vectors of output samples stay in registers while the response passes over them. For
   * crops of seconds and rooms of half a second this is as fast as long Fourier transforms.
   */
  static float[] convolve(float[] signal, float[] response, int skip) {
    int lanes = SPECIES.length();
    int tile = 4 * lanes;
    int taps = Math.min(response.length, signal.length + skip);
    int whole = (signal.length + tile - 1) / tile * tile;
    // zeros before the signal and up to a whole tile after it
    var padded = new float[taps + whole + skip];
    System.arraycopy(signal, 0, padded, taps, signal.length);
    var out = new float[whole];
    for (int n = 0; n < whole; n += tile) {
      var sum0 = FloatVector.zero(SPECIES);
      var sum1 = sum0;
      var sum2 = sum0;
      var sum3 = sum0;
      for (int k = 0; k < Math.min(taps, n + tile + skip); k++) {
        int at = taps + n + skip - k;
        var weight = FloatVector.broadcast(SPECIES, response[k]);
        sum0 = weight.fma(FloatVector.fromArray(SPECIES, padded, at), sum0);
        sum1 = weight.fma(FloatVector.fromArray(SPECIES, padded, at + lanes), sum1);
        sum2 = weight.fma(FloatVector.fromArray(SPECIES, padded, at + 2 * lanes), sum2);
        sum3 = weight.fma(FloatVector.fromArray(SPECIES, padded, at + 3 * lanes), sum3);
      }
      sum0.intoArray(out, n);
      sum1.intoArray(out, n + lanes);
      sum2.intoArray(out, n + 2 * lanes);
      sum3.intoArray(out, n + 3 * lanes);
    }
    return Arrays.copyOf(out, signal.length);
  }

  static double energy(float[] samples) {
    double sum = 0;
    for (float x : samples) sum += (double) x * x;
    return sum;
  }

  private static float[] normalizePeak(float[] samples) {
    float peak = 0;
    for (float x : samples) peak = Math.max(peak, Math.abs(x));
    float scale = 1 / (peak + 1e-4f);
    for (int i = 0; i < samples.length; i++) samples[i] *= scale;
    return samples;
  }
}
