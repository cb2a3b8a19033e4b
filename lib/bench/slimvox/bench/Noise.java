package slimvox.bench;

import java.util.random.RandomGenerator;
import slimvox.audio.Features;

/** Normally distributed numbers to compute on. */
final class Noise {
  private Noise() {}

  /** Numbers of mean 0. */
  static float[] values(RandomGenerator random, int size, double deviation) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) values[i] = (float) (deviation * random.nextGaussian());
    return values;
  }

  /** Features of one utterance. */
  static Features features(RandomGenerator random, int frames, int bins) {
    return new Features(values(random, Features.length(frames, bins), 1), frames, bins);
  }
}
