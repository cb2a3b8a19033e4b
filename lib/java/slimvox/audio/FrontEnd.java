package slimvox.audio;

import java.util.LinkedHashMap;
import java.util.Map;
import slimvox.storage.InputException;

/**
 * What a network hears: how far apart its frames are, and whether their mean is taken away.
 *
 * <p>It belongs to the network as its weights do, and stands in its file beside them.
 *
 * @param frameShiftMs milliseconds from one frame to the next, a multiple of the fbank's 10: each
 *     frame is the mean of those in between
 * @param meanNormalization whether each bin's mean over the frames is subtracted
 */
public record FrontEnd(int frameShiftMs, boolean meanNormalization) {
  /** The published systems': 10 ms, mean subtracted. */
  public static final FrontEnd USUAL = new FrontEnd(10, true);

  /** Milliseconds between the frames of a filterbank. */
  public static final int FBANK_SHIFT_MS = 10;

  private static final String SHIFT = "frame_shift_ms";
  private static final String MEAN = "mean_normalization";

  public FrontEnd {
    if (frameShiftMs < FBANK_SHIFT_MS || frameShiftMs % FBANK_SHIFT_MS != 0) {
      throw new IllegalArgumentException("a frame shift of " + frameShiftMs + " ms");
    }
  }

  /** WeSpeaker's filterbank with so many bins, at this frame shift. */
  public FbankOptions fbank(int bins) {
    return FbankOptions.wespeaker().withBins(bins).averaging(frameShiftMs / FBANK_SHIFT_MS);
  }

  /** What differs from {@link #USUAL}, as texts for a file. */
  public Map<String, String> texts() {
    Map<String, String> texts = new LinkedHashMap<>();
    if (frameShiftMs != FBANK_SHIFT_MS) texts.put(SHIFT, Integer.toString(frameShiftMs));
    if (!meanNormalization) texts.put(MEAN, "false");
    return texts;
  }

  /** The front end that a file's texts tell; refused if they tell of none. */
  public static FrontEnd of(Map<String, String> texts) {
    String shift = texts.getOrDefault(SHIFT, "10");
    String mean = texts.getOrDefault(MEAN, "true");
    if (!shift.matches("[1-9][0-9]{0,2}0") || !mean.matches("true|false")) {
      throw InputException.of(
          "%s '%s', %s '%s': a multiple of 10, and true or false, are needed",
          SHIFT, shift, MEAN, mean);
    }
    return new FrontEnd(Integer.parseInt(shift), Boolean.parseBoolean(mean));
  }
}
