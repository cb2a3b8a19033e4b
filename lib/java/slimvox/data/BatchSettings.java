package slimvox.data;

import slimvox.audio.ChannelSettings;
import slimvox.audio.SpecAugment;
import slimvox.storage.InputException;

/**
 * What a training batch is made of.
 *
 * @param size crops in a batch
 * @param frames frames of each crop; a recording shorter than that is repeated to fill it
 * @param joinUtterances recordings of one speaker that are joined before the crop, 1 for none
 * @param meanNormalization whether each bin's mean over the crop is subtracted, as in WeSpeaker
 * @param masks after the mean is subtracted, of each crop's own; {@link SpecAugment#NONE} for none
 * @param seed of every random choice
 * @param surroundings noises and rooms of the examples; null for none
 * @param channels that a share of the examples are behind, which may be none
 * @param shuffleBuffer recordings among which the next is drawn, of a sequence that goes through
 *     one file after another; 0: all recordings
 * @param classBalanced whether each speaker, not each recording, has an equal share of the crops
 */
public record BatchSettings(
    int size,
    int frames,
    int joinUtterances,
    boolean meanNormalization,
    SpecAugment masks,
    long seed,
    Surroundings surroundings,
    ChannelSettings channels,
    int shuffleBuffer,
    boolean classBalanced) {
  /** Whether some examples are heard otherwise than they are. */
  boolean isChanged() {
    return surroundings != null || channels.isOn();
  }

  public BatchSettings {
    if (size < 1 || frames < 1 || joinUtterances < 1) {
      throw InputException.of(
          "batches of %s crops, %s frames, %s joined utterances: each must be at least 1",
          size, frames, joinUtterances);
    }
  }
}
