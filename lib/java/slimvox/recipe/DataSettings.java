package slimvox.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import slimvox.audio.ReadSettings;

/**
 * Section {@code data} of a {@link Recipe}: speech to train and to validate with.
 *
 * <p>Relative paths start at the working directory.
 *
 * @param trainCorpus folder of the training corpus: a Kaldi folder or a folder of speaker folders.
 *     Default null, not set: {@link #trainFolder} then says so
 * @param trainSpeakers names of speaker lists ({@code NAME.speakers} in the training corpus) to
 *     train with. Default [], all speakers
 * @param trainWords words whose recordings are trained with, for text-dependent verification of
 *     them; needs the corpus' file {@code utt2word}. Default [], whatever is said
 * @param validationCorpus folder that the trials' utterances are in. Default null: the training
 *     corpus
 * @param trials trials to validate with: the name of a list in the validation corpus' folder {@code
 *     trials}, or the path of a file; with folds, the kind of trials made among the fold's test
 *     speakers. Default null: no validation
 * @param fold which part of the speakers is left out for testing, 0 to folds - 1. Default 0
 * @param folds into how many parts the speakers are divided, 2 or more; 0 for no folds. Default 0
 * @param frames frames of a training example (10 ms each with the usual features). Default 200
 * @param speeds playback speeds of the training utterances; a speaker at another speed counts as
 *     another speaker, so there are speakers x speeds classes; 0.5 to 2, with 1.0. Default [1.0]
 * @param specAugment masks over training examples
 * @param joinUtterances how many utterances of one speaker are joined before a training example is
 *     cut out, for corpora of single words. Default 1
 * @param cacheFolder where computed features are kept between runs. Default null: in memory only
 * @param loaderThreads threads that prepare batches in the background. Default 1
 * @param resample whether recordings of another sample rate than 16 kHz are resampled; if not they
 *     are refused. Default false
 * @param longestMinutes longest recording; a longer one is refused. Default null: 120
 */
public record DataSettings(
    String trainCorpus,
    List<String> trainSpeakers,
    List<String> trainWords,
    String validationCorpus,
    String trials,
    int fold,
    int folds,
    int frames,
    List<Double> speeds,
    SpecAugment specAugment,
    int joinUtterances,
    String cacheFolder,
    int loaderThreads,
    // Not written where they are the default: earlier recipes keep their hashes.
    @JsonInclude(JsonInclude.Include.NON_DEFAULT) boolean resample,
    @JsonInclude(JsonInclude.Include.NON_NULL) Double longestMinutes) {

  /**
   * One time mask and one frequency mask of random width (Park et al. 2019, arXiv 1904.08779, as in
   * WeSpeaker).
   *
   * @param probability share of the training examples that are masked, 0 for none. Default 0
   * @param timeFrames widest time mask, in frames. Default 10
   * @param frequencyBins widest frequency mask, in bins. Default 8
   */
  public record SpecAugment(double probability, int timeFrames, int frequencyBins) {
    public SpecAugment {
      InvalidSetting.range("data.specAugment.probability", probability, 0, 1);
      InvalidSetting.range("data.specAugment.timeFrames", timeFrames, 0, 65536);
      InvalidSetting.range("data.specAugment.frequencyBins", frequencyBins, 0, 65536);
    }

    /** The masks; a width of 0 is no mask of that kind. */
    public slimvox.audio.SpecAugment masks() {
      return new slimvox.audio.SpecAugment(
          probability,
          Math.min(1, timeFrames),
          Math.max(1, timeFrames),
          Math.min(1, frequencyBins),
          Math.max(1, frequencyBins));
    }
  }

  public DataSettings {
    notEmpty("data.trainCorpus", trainCorpus);
    notEmpty("data.validationCorpus", validationCorpus);
    notEmpty("data.trials", trials);
    notEmpty("data.cacheFolder", cacheFolder);
    for (String list : trainSpeakers) InvalidSetting.text("data.trainSpeakers", list);
    trainSpeakers = distinct("data.trainSpeakers", trainSpeakers);
    for (String word : trainWords) InvalidSetting.text("data.trainWords", word);
    trainWords = distinct("data.trainWords", trainWords);
    if (folds == 0) {
      if (fold != 0) {
        throw new InvalidSetting("data.fold", fold + " has no effect without data.folds");
      }
    } else {
      InvalidSetting.range("data.folds", folds, 2, 10_000);
      InvalidSetting.range("data.fold", fold, 0, folds - 1);
      if (!trainSpeakers.isEmpty()) {
        throw new InvalidSetting(
            "data.trainSpeakers", "has no effect with data.folds, which chooses the speakers");
      }
      if (validationCorpus != null) {
        throw new InvalidSetting(
            "data.validationCorpus", "has no effect with data.folds, which tests within a corpus");
      }
    }
    InvalidSetting.range("data.frames", frames, 1, 100_000);
    if (speeds.isEmpty()) throw new InvalidSetting("data.speeds", "is empty; [1.0] is no change");
    for (Double speed : speeds) {
      InvalidSetting.range("data.speeds", speed == null ? Double.NaN : speed, 0.5, 2);
    }
    speeds = distinct("data.speeds", speeds);
    if (!speeds.contains(1.0)) {
      throw new InvalidSetting("data.speeds", speeds + " lacks 1.0, the recordings as they are");
    }
    InvalidSetting.range("data.joinUtterances", joinUtterances, 1, 1000);
    InvalidSetting.range("data.loaderThreads", loaderThreads, 1, 1024);
    InvalidSetting.range("data.specAugment.timeFrames", specAugment.timeFrames(), 0, frames);
    if (longestMinutes != null) {
      InvalidSetting.range("data.longestMinutes", longestMinutes, 0.001, 100_000);
    }
  }

  /** How recordings are read. */
  public ReadSettings reading() {
    return new ReadSettings(
        resample, longestMinutes == null ? ReadSettings.LONGEST_MINUTES : longestMinutes);
  }

  /**
   * The folder of the training corpus.
   *
   * @throws slimvox.storage.InputException if the recipe does not name one
   */
  public Path trainFolder() {
    if (trainCorpus == null) {
      throw new InvalidSetting(
          "data.trainCorpus", "is not set; give the folder of the corpus to train with");
    }
    return Path.of(trainCorpus);
  }

  /** The folder that the trials' utterances are in: the training corpus' own if not set. */
  public Path validationFolder() {
    return validationCorpus == null ? trainFolder() : Path.of(validationCorpus);
  }

  private static void notEmpty(String key, String text) {
    if (text != null) InvalidSetting.text(key, text);
  }

  private static <T> List<T> distinct(String key, List<T> values) {
    if (new HashSet<>(values).size() < values.size()) {
      throw new InvalidSetting(key, values + " holds a value twice");
    }
    return List.copyOf(values);
  }
}
