package slimvox.embed;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.audio.MeanNormalization;
import slimvox.data.RecordingException;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/**
 * Features as a safetensors file: a tensor frames x bins for each utterance.
 *
 * @param file that is open
 * @param bins values of a frame
 */
public record FeatureFile(Safetensors file, int bins) {
  private static final String FEATURES = "features"; // written by 'slimvox features'
  private static final String SHIFT = "frame_shift_ms";

  /**
   * Opens a file.
   *
   * @throws InputException if a tensor is not frames x bins with the bins of the first
   */
  public static FeatureFile open(Path path) {
    Safetensors file = Safetensors.read(path);
    if (file.metadata().containsKey(FEATURES)) file.requireChecksums();
    if (file.names().isEmpty()) throw new InputException(path + ": holds no features");
    int bins = -1;
    for (String id : file.names()) {
      long[] shape = file.shape(id);
      if (shape.length != 2 || shape[1] < 1) {
        throw InputException.at(
            path, "tensor %s is %s, features are frames x bins", id, Arrays.toString(shape));
      }
      if (bins < 0) bins = (int) shape[1];
      if (shape[1] != bins) {
        throw InputException.at(
            path, "utterance %s has %d bins, the first one %d", id, shape[1], bins);
      }
    }
    return new FeatureFile(file, bins);
  }

  /** Says in a file what its features are. */
  public static void describe(SafetensorsWriter writer, FrontEnd made) {
    String mean = made.meanNormalization() ? ", mean subtracted" : "";
    writer.metadata(FEATURES, "log-mel of 25 ms every 10 ms" + mean);
    if (made.frameShiftMs() == FrontEnd.FBANK_SHIFT_MS) return;
    writer.metadata(SHIFT, Integer.toString(made.frameShiftMs()));
  }

  /**
   * Checks that a network hears frames as far apart as these; a file of another program is not
   * asked.
   *
   * @throws InputException if it does not
   */
  public void requireShift(FrontEnd network) {
    if (!file.metadata().containsKey(FEATURES)) return;
    String shift = file.metadata().getOrDefault(SHIFT, "10");
    if (shift.equals(Integer.toString(network.frameShiftMs()))) return;
    throw InputException.at(
        file.file(),
        "its frames are %s ms apart, the network was trained with %d ms; make the features with"
            + " --frame-shift %2$d",
        shift,
        network.frameShiftMs());
  }

  /** The utterances, in the order of the file. */
  public List<String> ids() {
    return file.names();
  }

  /**
   * The features of an utterance, in an array of their own.
   *
   * @throws RecordingException if it has no frame, or a value cannot be a feature
   */
  public Features features(String id, boolean meanNormalization) {
    float[] values = file.floats(id);
    if (values.length == 0) {
      String reason = file.file() + ": utterance " + id + " has no frame; leave it out";
      throw new RecordingException(id, reason, null);
    }
    Features features = new Features(values, values.length / bins, bins);
    RecordingException.requireUsable(features, id, file.file());
    return meanNormalization ? MeanNormalization.apply(features) : features;
  }
}
