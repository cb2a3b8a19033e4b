package slimvox.audio;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import slimvox.storage.Sha256;

/**
 * A recording channel, drawn at random: microphone, background noise and gain.
 *
 * <p>y = g (h * x + s n * e), with * for convolution. h is the response of the microphone, e white
 * noise (uniform, variance 1) and n its colour; s puts the noise r dB below h * x, both by their
 * mean squares; g is a gain. h and n are filters of {@value #TAPS} taps with zero phase by
 * frequency sampling (Oppenheim and Schafer, Discrete-Time Signal Processing): their response in dB
 * is linear between {@value #KNOTS} values drawn for frequencies evenly from 0 to half the sample
 * rate, so it is smooth. Drawn, uniformly and in this order: the values of h, those of n, r, g, the
 * samples of e.
 *
 * <p>Every operation is rounded in the same way on every machine, so a seed gives the same bits. An
 * object is for one recording: its noise goes on where the last one's ended.
 */
public final class Channel {
  /** Values of a response, evenly from 0 to half the sample rate. */
  public static final int KNOTS = 6;

  private static final int HALF = 32;
  private static final int TAPS = 2 * HALF + 1;

  private final float[] response;
  private final float[] colour;
  private final double snrDb;
  private final double gainDb;
  private final RandomGenerator random;

  /** Draws a channel; the generator is kept for the samples of the noise. */
  public Channel(RandomGenerator random, ChannelSettings settings) {
    this.random = random;
    response = filter(random, settings.responseDb());
    colour = filter(random, settings.noiseDb());
    snrDb = uniform(random, settings.leastSnrDb(), settings.mostSnrDb());
    gainDb = uniform(random, -settings.gainDb(), settings.gainDb());
  }

  /**
   * The channel of a recording in evaluation, which follows from its id alone: {@link
   * SplittableRandom} seeded with the first eight bytes, little-endian, of the SHA-256 of "channel
   * " and the id.
   */
  public static Channel of(String id) {
    byte[] hash = Sha256.digest().digest(("channel " + id).getBytes(StandardCharsets.UTF_8));
    long seed = ByteBuffer.wrap(hash).order(ByteOrder.LITTLE_ENDIAN).getLong();
    return new Channel(new SplittableRandom(seed), ChannelSettings.usual(1));
  }

  private static double uniform(RandomGenerator random, double low, double high) {
    return low + (high - low) * random.nextDouble();
  }

  /** h[k] = (H[0] + 2 sum over j of H[j] cos(2 pi j k / taps)) / taps, for k = -half to half. */
  private static float[] filter(RandomGenerator random, double decibels) {
    double[] knots = new double[KNOTS];
    for (int i = 0; i < KNOTS; i++) knots[i] = uniform(random, -decibels, decibels);
    double[] magnitude = new double[HALF + 1];
    for (int j = 0; j <= HALF; j++) {
      double at = 2.0 * j / TAPS * (KNOTS - 1); // j of taps parts of the sample rate
      int left = (int) at;
      double level = knots[left] + (at - left) * (knots[left + 1] - knots[left]);
      magnitude[j] = StrictMath.pow(10, level / 20);
    }
    float[] taps = new float[TAPS];
    for (int k = 0; k <= HALF; k++) {
      double sum = magnitude[0];
      for (int j = 1; j <= HALF; j++) sum += 2 * magnitude[j] * COSINES[j * k % TAPS];
      taps[HALF + k] = (float) (sum / TAPS);
      taps[HALF - k] = taps[HALF + k];
    }
    return taps;
  }

  private static final double[] COSINES = new double[TAPS];

  static {
    for (int i = 0; i < TAPS; i++) COSINES[i] = StrictMath.cos(2 * Math.PI * i / TAPS);
  }

  /** The samples behind this channel, in an array of their own. */
  public float[] apply(float[] samples) {
    float[] speech = Augmentation.convolve(samples, response, HALF);
    float[] white = new float[samples.length];
    float amplitude = (float) StrictMath.sqrt(3);
    for (int i = 0; i < white.length; i++) {
      white[i] = amplitude * (float) (2 * random.nextDouble() - 1);
    }
    float[] noise = Augmentation.convolve(white, colour, HALF);
    double below = Augmentation.energy(speech) / Augmentation.energy(noise);
    double gain = StrictMath.pow(10, gainDb / 20);
    float ofSpeech = (float) gain;
    float ofNoise = (float) (gain * StrictMath.sqrt(below * StrictMath.pow(10, -snrDb / 10)));
    for (int i = 0; i < speech.length; i++) {
      speech[i] = ofSpeech * speech[i] + ofNoise * noise[i];
    }
    return speech;
  }
}
