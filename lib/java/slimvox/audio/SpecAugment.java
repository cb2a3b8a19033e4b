package slimvox.audio;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import slimvox.settings.Setting;

/**
 * Masks a few frames and a few bins of an utterance's features (Park et al. 2019, arXiv
 * 1904.08779), as WeSpeaker does: probability 0.6, one run of at most 10 frames, one of at most 8
 * bins.
 *
 * <p>With the given probability a run of 1 to {@code timeFrames} frames and one of 1 to {@code
 * frequencyBins} bins is set to 0; a width of 0 is no mask of that kind. A run starts anywhere and
 * is cut off at the end. Applied after {@link MeanNormalization}, 0 is each bin's mean.
 *
 * <p>Section {@code data.specAugment} of recipes.
 */
public record SpecAugment(
    @Setting(
            value = "Share of the training examples that are masked.",
            byDefault = "0",
            range = "0..1")
        double probability,
    @Setting(value = "Widest time mask, in frames.", byDefault = "10", range = "0..65536")
        int timeFrames,
    @Setting(value = "Widest frequency mask, in bins.", byDefault = "8", range = "0..65536")
        int frequencyBins) {
  /** No masks. */
  public static final SpecAugment NONE = new SpecAugment(0, 0, 0);

  public SpecAugment {
    boolean share = probability >= 0 && probability <= 1;
    if (!share || timeFrames < 0 || frequencyBins < 0) {
      throw new IllegalArgumentException(
          "probability %s, %d frames, %d bins".formatted(probability, timeFrames, frequencyBins));
    }
  }

  /** Masks the features in place, with draws from {@code random}, and returns them. */
  public Features apply(Features features, RandomGenerator random) {
    if (random.nextDouble() >= probability) return features;
    int frames = features.frames();
    int bins = features.bins();
    float[] values = features.values();
    if (timeFrames > 0) {
      int first = random.nextInt(frames);
      int end = Math.min(frames, first + random.nextInt(1, timeFrames + 1));
      Arrays.fill(values, first * bins, end * bins, 0);
    }
    if (frequencyBins > 0) {
      int first = random.nextInt(bins);
      int end = Math.min(bins, first + random.nextInt(1, frequencyBins + 1));
      for (int t = 0; t < frames; t++) Arrays.fill(values, t * bins + first, t * bins + end, 0);
    }
    return features;
  }
}
