package slimvox.audio;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import slimvox.storage.InputException;
import slimvox.vector.ReproducibleMath;

/**
 * Kaldi's log-mel filterbank energies.
 *
 * <p>Per frame of 25 ms, every 10 ms, whole frames only (T = 1 + floor((samples - 400) / 160) at 16
 * kHz): scale, dither, subtract the frame's mean, pre-emphasis y[i] = x[i] - 0.97 x[i-1] (x[-1] =
 * x[0]), window, zero-pad to 512, |FFT|^2, {@link MelFilters}, ln(max(energy, 1.1920929e-7)). The
 * steps and their order are those of Kaldi's feature-fbank; WeSpeaker's options are {@link
 * FbankOptions#wespeaker()}. The mean of several consecutive frames may stand for them, see {@link
 * FbankOptions#averagedFrames()}.
 *
 * <p>Frames are computed as many at once as a vector register has lanes ({@link BatchedRealFft}).
 * An object holds tables only: one serves any number of threads.
 */
public final class Fbank {
  /** Energies are floored here before the logarithm: the float32 epsilon 2^-23. */
  public static final float FLOOR = 0x1p-23f;

  private static final float PREEMPHASIS = 0.97f;
  private static final VectorSpecies<Float> SPECIES = BatchedRealFft.SPECIES;
  private static final int LANES = BatchedRealFft.LANES;

  private final FbankOptions options;
  private final float[] window;
  private final MelFilters filters;
  private final BatchedRealFft fft;

  /** Prepares window, filters and transform; refuses a filter that would hold no bin. */
  public Fbank(FbankOptions options) {
    this.options = options;
    window = options.window().values(options.frameLength());
    filters = MelFilters.of(options);
    fft = new BatchedRealFft(options.fftLength());
  }

  /** The settings. */
  public FbankOptions options() {
    return options;
  }

  /** Number of whole frames in so many samples, 0 if they are fewer than a frame. */
  public int frames(long samples) {
    if (samples < options.frameLength()) return 0;
    long frames = 1 + (samples - options.frameLength()) / options.frameShift();
    return Math.toIntExact(frames / options.averagedFrames());
  }

  /**
   * Features of a waveform, without dither.
   *
   * @param name what to call the waveform in an error: its file or utterance
   * @return frames x bins
   * @throws InputException if the waveform is shorter than a frame or has another sample rate
   * @throws IllegalStateException if the options ask for dither, which needs a random generator
   */
  public Features compute(Waveform waveform, String name) {
    if (options.dither() > 0) {
      throw new IllegalStateException("dither " + options.dither() + " needs a random generator");
    }
    return compute(waveform, name, null);
  }

  /**
   * Features of a waveform, with the dither of the options drawn from {@code random}.
   *
   * @param name what to call the waveform in an error: its file or utterance
   * @param random Gaussian noise source; not used if the dither is 0
   * @return frames x bins
   * @throws InputException if the waveform is shorter than a frame or has another sample rate
   */
  public Features compute(Waveform waveform, String name, RandomGenerator random) {
    float[] samples = waveform.samples();
    if (waveform.sampleRate() != options.sampleRate()) {
      throw InputException.of(
          "%s: %d Hz where %d Hz is expected; resample it first",
          name, waveform.sampleRate(), options.sampleRate());
    }
    int frames = frames(samples.length) * options.averagedFrames();
    if (frames == 0) {
      int least = options.frameLength() + (options.averagedFrames() - 1) * options.frameShift();
      throw InputException.of(
          "%s: %d samples are shorter than one frame of %d (%d ms); leave the utterance out",
          name, samples.length, least, 1000L * least / options.sampleRate());
    }
    int bins = options.bins();
    var values = new float[Features.length(frames, bins)];
    int half = options.fftLength() / 2;
    var rows = new float[LANES * options.frameLength()];
    var even = new float[half * LANES];
    var odd = new float[half * LANES];
    var power = new float[half * LANES];
    var logs = new float[bins * LANES];
    for (int start = 0; start < frames; start += LANES) {
      int used = Math.min(LANES, frames - start);
      for (int lane = 0; lane < used; lane++) {
        int row = lane * options.frameLength();
        scale(samples, (start + lane) * options.frameShift(), rows, row);
        if (options.dither() > 0) dither(rows, row, random);
        taper(rows, row);
      }
      transpose(rows, even, odd);
      fft.powerSpectra(even, odd, power);
      melLoop(power, logs);
      logLoop(logs);
      for (int lane = 0; lane < used; lane++) {
        int out = (start + lane) * bins;
        for (int b = 0; b < bins; b++) values[out + b] = logs[b * LANES + lane];
      }
    }
    return new Features(values, frames, bins).averaged(options.averagedFrames());
  }

  /** Copies one frame, times the scale. */
  private void scale(float[] samples, int from, float[] rows, int row) {
    float scale = options.scale();
    int n = options.frameLength();
    int whole = SPECIES.loopBound(n); // a plain loop stays scalar: the arrays could be one
    for (int i = 0; i < whole; i += LANES) {
      FloatVector.fromArray(SPECIES, samples, from + i).mul(scale).intoArray(rows, row + i);
    }
    for (int i = whole; i < n; i++) rows[row + i] = samples[from + i] * scale;
  }

  private void dither(float[] rows, int row, RandomGenerator random) {
    for (int i = 0, n = options.frameLength(); i < n; i++) {
      rows[row + i] += (float) (random.nextGaussian() * options.dither());
    }
  }

  /** Mean removal, pre-emphasis and window of one frame, in place. */
  private void taper(float[] rows, int row) {
    int n = options.frameLength();
    int whole = SPECIES.loopBound(n);
    var sums = FloatVector.zero(SPECIES);
    for (int i = 0; i < whole; i += LANES) {
      sums = sums.add(FloatVector.fromArray(SPECIES, rows, row + i));
    }
    float sum = ReproducibleMath.sum(sums);
    for (int i = whole; i < n; i++) sum += rows[row + i];
    float mean = sum / n;
    // From the right: each value needs its left neighbour as it was.
    int i = n - LANES;
    for (; i >= 1; i -= LANES) {
      var x = FloatVector.fromArray(SPECIES, rows, row + i).sub(mean);
      var left = FloatVector.fromArray(SPECIES, rows, row + i - 1).sub(mean);
      left.fma(FloatVector.broadcast(SPECIES, -PREEMPHASIS), x)
          .mul(FloatVector.fromArray(SPECIES, window, i))
          .intoArray(rows, row + i);
    }
    for (int j = i + LANES - 1; j >= 0; j--) {
      float x = rows[row + j] - mean;
      float left = rows[row + Math.max(j - 1, 0)] - mean;
      rows[row + j] = Math.fma(-PREEMPHASIS, left, x) * window[j];
    }
  }

  /** From one row a frame to one lane a frame, even and odd samples apart, zero-padded. */
  private void transpose(float[] rows, float[] even, float[] odd) {
    int n = options.frameLength();
    int pairs = n / 2;
    for (int i = 0; i < pairs; i++) {
      int out = i * LANES;
      for (int lane = 0; lane < LANES; lane++) {
        int in = lane * n + 2 * i;
        even[out + lane] = rows[in];
        odd[out + lane] = rows[in + 1];
      }
    }
    Arrays.fill(even, pairs * LANES, even.length, 0);
    Arrays.fill(odd, pairs * LANES, odd.length, 0);
    if (n % 2 == 1) {
      for (int lane = 0; lane < LANES; lane++) even[pairs * LANES + lane] = rows[lane * n + n - 1];
    }
  }

  private void melLoop(float[] power, float[] energies) {
    for (int b = 0; b < options.bins(); b++) {
      var energy = FloatVector.zero(SPECIES);
      int bin = filters.first[b] - filters.offset[b];
      for (int w = filters.offset[b]; w < filters.offset[b + 1]; w++) {
        energy =
            FloatVector.fromArray(SPECIES, power, (bin + w) * LANES)
                .fma(FloatVector.broadcast(SPECIES, filters.weights[w]), energy);
      }
      energy.intoArray(energies, b * LANES);
    }
  }

  private static void logLoop(float[] energies) {
    for (int i = 0; i < energies.length; i += LANES) {
      ReproducibleMath.log(FloatVector.fromArray(SPECIES, energies, i).max(FLOOR))
          .intoArray(energies, i);
    }
  }
}
