package slimvox.audio;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * Masks a few frames and a few bins of an utterance's features (Park et al. 2019), as WeSpeaker
 * does: probability 0.6, one run of at most 10 frames, one of at most 8 bins.
 *
 * <p>With the given probability an utterance gets {@code timeMasks} runs of 1 to {@code maxFrames}
 * frames and {@code frequencyMasks} runs of 1 to {@code maxBins} bins set to 0. A run starts
 * anywhere and is cut off at the end. Applied after {@link MeanNormalization}, 0 is each bin's
 * mean.
 *
 * @param probability chance that an utterance is masked at all
 * @param timeMasks runs of frames
 * @param maxFrames longest run of frames
 * @param frequencyMasks runs of bins
 * @param maxBins longest run of bins
 */
public record SpecAugment(
    double probability, int timeMasks, int maxFrames, int frequencyMasks, int maxBins) {

  /** No masks. */
  public static final SpecAugment NONE = new SpecAugment(0, 0, 1, 0, 1);

  public SpecAugment {
    boolean share = probability >= 0 && probability <= 1;
    if (!share || timeMasks < 0 || maxFrames < 1 || frequencyMasks < 0 || maxBins < 1) {
      throw new IllegalArgumentException(
          "probability %s, time masks %d x %d, frequency masks %d x %d"
              .formatted(probability, timeMasks, maxFrames, frequencyMasks, maxBins));
    }
  }

  /** Masks the features in place, with draws from {@code random}, and returns them. */
  public Features apply(Features features, RandomGenerator random) {
    if (random.nextDouble() >= probability) return features;
    int frames = features.frames();
    int bins = features.bins();
    float[] values = features.values();
    for (int mask = 0; mask < timeMasks; mask++) {
      int first = random.nextInt(frames);
      int end = Math.min(frames, first + random.nextInt(1, maxFrames + 1));
      Arrays.fill(values, first * bins, end * bins, 0);
    }
    for (int mask = 0; mask < frequencyMasks; mask++) {
      int first = random.nextInt(bins);
      int end = Math.min(bins, first + random.nextInt(1, maxBins + 1));
      for (int t = 0; t < frames; t++) Arrays.fill(values, t * bins + first, t * bins + end, 0);
    }
    return features;
  }
}
