package slimvox.embed;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import slimvox.audio.Features;
import slimvox.audio.MeanNormalization;
import slimvox.data.RecordingException;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;

/** Features as a safetensors file: a tensor frames x bins for each utterance. */
public final class FeatureFile {
  private final Safetensors file;
  private final int bins;

  private FeatureFile(Safetensors file, int bins) {
    this.file = file;
    this.bins = bins;
  }

  /**
   * Opens a file.
   *
   * @throws InputException if a tensor is not frames x bins with the bins of the first
   */
  public static FeatureFile open(Path path) {
    Safetensors file = Safetensors.read(path);
    if (file.metadata().containsKey("features")) file.requireChecksums(); // 'slimvox features'
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

  /** Values of a frame. */
  public int bins() {
    return bins;
  }

  /** The utterances, in the order of the file. */
  public List<String> ids() {
    return file.names();
  }

  /**
   * The features of an utterance, in an array of their own.
   *
   * @throws RecordingException if it has no frame, or a value is NaN or infinite
   */
  public Features features(String id, boolean meanNormalization) {
    float[] values = file.floats(id);
    if (values.length == 0) {
      String reason = file.file() + ": utterance " + id + " has no frame; leave it out";
      throw new RecordingException(id, reason, null);
    }
    Features features = new Features(values, values.length / bins, bins);
    RecordingException.requireFinite(features, id, file.file());
    return meanNormalization ? MeanNormalization.apply(features) : features;
  }
}
