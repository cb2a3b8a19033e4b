package slimvox.data;

import java.util.random.RandomGenerator;
import slimvox.audio.Features;
import slimvox.settings.Registry;

/**
 * Changes the features of a training example, after the mean is subtracted and before SpecAugment.
 *
 * <p>One of one's own is registered, and named in recipes by {@code data.augmentations}. Threads
 * that prepare batches call it side by side.
 */
@FunctionalInterface
public interface FeatureAugmentation {
  /** What {@code data.augmentations} may name. */
  Registry<FeatureAugmentation> REGISTRY =
      new Registry<>("data.augmentations", "FeatureAugmentation.register");

  /** Makes an augmentation known to recipes of this process. */
  static void register(String name, FeatureAugmentation augmentation) {
    REGISTRY.register(name, augmentation);
  }

  /**
   * Changes the values in place.
   *
   * @param example frames x bins
   * @param random the example's own draws: the same in every run of the recipe
   */
  void apply(Features example, RandomGenerator random);
}
