package slimvox.data;

import java.util.Optional;
import slimvox.audio.SpecAugment;
import slimvox.storage.InputException;

/**
 * What a training batch is made of.
 *
 * @param size crops in a batch
 * @param frames frames of each crop; a recording shorter than that is repeated to fill it
 * @param joinUtterances recordings of one speaker that are joined before the crop, 1 for none
 * @param order in which recordings come
 * @param meanNormalization whether each bin's mean over the crop is subtracted, as in WeSpeaker
 * @param specAugment masks, after the mean is subtracted, of each crop's own
 * @param batchesPerEpoch 0: as many as make about one crop of each recording
 * @param seed of every random choice
 */
public record BatchSettings(
    int size,
    int frames,
    int joinUtterances,
    Order order,
    boolean meanNormalization,
    Optional<SpecAugment> specAugment,
    int batchesPerEpoch,
    long seed) {

  /** In which order recordings come. */
  public enum Order {
    /** All recordings in random order, then all in another one: speakers as often as they speak. */
    RANDOM,
    /** All speakers in random order, then all in another one, each with a random recording. */
    BALANCED
  }

  public BatchSettings {
    if (size < 1 || frames < 1 || joinUtterances < 1 || batchesPerEpoch < 0) {
      throw InputException.of(
          "batches of %s crops, %s frames, %s joined utterances, %s an epoch: the first three must"
              + " be at least 1, the last at least 0",
          size, frames, joinUtterances, batchesPerEpoch);
    }
  }

  /** Random order, one recording a crop, mean normalization, no masks. */
  public static BatchSettings of(int size, int frames, long seed) {
    return new BatchSettings(size, frames, 1, Order.RANDOM, true, Optional.empty(), 0, seed);
  }

  /** The same with {@code count} recordings of one speaker joined before the crop. */
  public BatchSettings joining(int count) {
    return new BatchSettings(
        size, frames, count, order, meanNormalization, specAugment, batchesPerEpoch, seed);
  }

  /** The same in another order. */
  public BatchSettings in(Order order) {
    return new BatchSettings(
        size, frames, joinUtterances, order, meanNormalization, specAugment, batchesPerEpoch, seed);
  }

  /** The same with or without mean normalization. */
  public BatchSettings withMeanNormalization(boolean on) {
    return new BatchSettings(
        size, frames, joinUtterances, order, on, specAugment, batchesPerEpoch, seed);
  }

  /** The same with masks. */
  public BatchSettings with(SpecAugment masks) {
    return new BatchSettings(
        size,
        frames,
        joinUtterances,
        order,
        meanNormalization,
        Optional.of(masks),
        batchesPerEpoch,
        seed);
  }

  /** The same with a number of batches in each epoch. */
  public BatchSettings withBatchesPerEpoch(int count) {
    return new BatchSettings(
        size, frames, joinUtterances, order, meanNormalization, specAugment, count, seed);
  }
}
