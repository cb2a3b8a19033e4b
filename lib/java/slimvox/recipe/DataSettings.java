package slimvox.recipe;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import slimvox.audio.ChannelSettings;
import slimvox.audio.FrontEnd;
import slimvox.audio.ReadSettings;
import slimvox.audio.SpecAugment;
import slimvox.data.FeatureAugmentation;
import slimvox.data.SurroundingsSettings;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Setting;
import slimvox.storage.ProjectFolder;

/**
 * Section {@code data} of a {@link Recipe}: speech to train and to validate with.
 *
 * <p>Relative paths start at the working directory; those of a corpus that is not there at the
 * project's folder, so that recipes that ship find theirs from any place.
 */
public record DataSettings(
    @Setting(
            "Folder of the training corpus: a Kaldi folder or a folder of speaker folders. null:"
                + " not set, which a run refuses.")
        String trainCorpus,
    @Setting(
            value =
                "Names of speaker lists (NAME.speakers in the training corpus) to train with; []:"
                    + " all speakers.",
            byDefault = "[]")
        List<String> trainSpeakers,
    @Setting(
            value =
                "Words whose recordings are trained with, for text-dependent verification of them;"
                    + " needs the corpus' file utt2word. []: whatever is said.",
            byDefault = "[]")
        List<String> trainWords,
    @Setting("Folder that the trials' utterances are in. null: the training corpus.")
        String validationCorpus,
    @Setting(
            value =
                "Trials to validate with: the name of a list in the validation corpus' folder"
                    + " trials, or the path of a file; with folds, the kind of trials made among"
                    + " the fold's test speakers. A list of names: all of them, the first is the"
                    + " run's result. null: no validation.",
            orOne = true)
        List<String> trials,
    @Setting(
            value = "Which part of the speakers is left out for testing, 0 to folds - 1.",
            byDefault = "0")
        int fold,
    @Setting(
            value = "Into how many parts the speakers are divided, 2 or more; 0: no folds.",
            byDefault = "0")
        int folds,
    @Setting(
            value = "Frames of a training example, data.frameShiftMs each.",
            byDefault = "200",
            range = "1..100000")
        int frames,
    @Setting(
            value =
                "Recordings of fewer frames (at speed 1, data.frameShiftMs each, as their headers"
                    + " say) are not trained with; WeSpeaker's filter leaves out those below 100. A"
                    + " longest length needs no setting: a crop is read where it lies.",
            byDefault = "0",
            range = "0..1000000",
            omitDefault = true)
        int leastFrames,
    @Setting(
            value =
                "Milliseconds from one frame to the next, a multiple of 10: each frame is the mean"
                    + " of the 10 ms frames in it, of features that are ready as well.",
            byDefault = "10",
            range = "10..1000",
            flag = "--frame-shift",
            omitDefault = true)
        int frameShiftMs,
    @Setting(
            value =
                "Subtract each bin's mean, over the example in training and over the whole"
                    + " utterance in evaluation: what stays the same in it is taken away, channel"
                    + " and long-term spectrum of the voice alike.",
            byDefault = "true",
            omitDefault = true)
        boolean meanNormalization,
    @Setting(
            value =
                "Playback speeds of the training utterances, 1.0 among them; a speaker at another"
                    + " speed counts as another speaker: there are speakers x speeds classes.",
            byDefault = "[1.0]",
            range = "0.5..2")
        List<Double> speeds,
    SpecAugment specAugment,
    SurroundingsSettings surroundings,
    ChannelSettings channel,
    @Setting(
            value =
                "Deviation of the Gaussian noise that is added to the samples, of 16 bits, of each"
                    + " frame of a training example, drawn anew each time; WeSpeaker's is 1.",
            byDefault = "0",
            range = "0..1000",
            omitDefault = true)
        double dither,
    @Setting(
            value =
                "Names of changes of your own to the features of training examples, see"
                    + " FeatureAugmentation.register. []: none.",
            byDefault = "[]",
            omitDefault = true)
        List<String> augmentations,
    @Setting(
            value =
                "instance-balanced: each recording is trained with equally often; class-balanced:"
                    + " each speaker, whatever its number of recordings.",
            byDefault = "instance-balanced",
            omitDefault = true)
        Sampling sampling,
    @Setting(
            value =
                "Recordings among which the next one is drawn, of a sequence through one file after"
                    + " another in random order: an archive is then read from its start to its end."
                    + " 0: among all.",
            byDefault = "0",
            range = "0..100000000",
            omitDefault = true)
        int shuffleBuffer,
    @Setting(
            value =
                "Utterances of one speaker that are joined before a training example is cut out,"
                    + " for corpora of single words.",
            byDefault = "1",
            range = "1..1000")
        int joinUtterances,
    @Setting(
            value = "Where computed features are kept between runs. null: in memory only.",
            decidesBits = false)
        String cacheFolder,
    @Setting(
            value =
                "Where training examples come from: memory keeps features, or sound where features"
                    + " are computed for each example; cache is data.cacheFolder; streaming reads"
                    + " each example where it lies and keeps nothing, of the trials neither. The"
                    + " bits are the same. null: the cache if it can be used, streaming beside a"
                    + " cache that cannot, else memory if it has room, else streaming.",
            decidesBits = false,
            omitDefault = true)
        Source source,
    @Setting(
            value = "Threads that prepare batches in the background.",
            byDefault = "1",
            range = "1..1024",
            decidesBits = false)
        int loaderThreads,
    @Setting(
            value =
                "Resample recordings of another sample rate than 16 kHz, which are refused"
                    + " otherwise.",
            byDefault = "false",
            flag = "--resample",
            omitDefault = true)
        boolean resample,
    @Setting(
            value = "Longest recording in minutes; a longer one is refused. null: 120.",
            range = "0.001..100000",
            flag = "--longest",
            omitDefault = true)
        Double longestMinutes) {

  /** Where training examples come from. */
  public enum Source {
    MEMORY,
    CACHE,
    STREAMING
  }

  /** Which recordings are drawn for training; named as in Kang et al. 2020 (arXiv 1910.09217). */
  public enum Sampling {
    /** Each recording as often as any other. */
    INSTANCE_BALANCED,
    /** Each speaker as often as any other. */
    CLASS_BALANCED
  }

  public DataSettings {
    trainSpeakers = distinct("data.trainSpeakers", trainSpeakers);
    trainWords = distinct("data.trainWords", trainWords);
    augmentations = distinct("data.augmentations", augmentations);
    augmentations.forEach(FeatureAugmentation.REGISTRY::require);
    trials = trials == null ? List.of() : distinct("data.trials", trials);
    if (folds == 0) {
      if (fold != 0) {
        throw new InvalidSetting("data.fold", fold + " has no effect without data.folds");
      }
    } else {
      within("data.folds", folds, 2, 10_000);
      within("data.fold", fold, 0, folds - 1);
      if (!trainSpeakers.isEmpty()) {
        throw new InvalidSetting(
            "data.trainSpeakers", "has no effect with data.folds, which chooses the speakers");
      }
      if (validationCorpus != null) {
        throw new InvalidSetting(
            "data.validationCorpus", "has no effect with data.folds, which tests within a corpus");
      }
    }
    if (speeds.isEmpty()) throw new InvalidSetting("data.speeds", "is empty; [1.0] is no change");
    speeds = distinct("data.speeds", speeds);
    if (!speeds.contains(1.0)) {
      throw new InvalidSetting("data.speeds", speeds + " lacks 1.0, the recordings as they are");
    }
    if (frameShiftMs % FrontEnd.FBANK_SHIFT_MS != 0) {
      throw InvalidSetting.notAllowed("data.frameShiftMs", frameShiftMs, "a multiple of 10");
    }
    if (shuffleBuffer > 0 && sampling == Sampling.CLASS_BALANCED) {
      throw new InvalidSetting(
          "data.shuffleBuffer", shuffleBuffer + " has no effect with data.sampling class-balanced");
    }
    boolean perExample = isPerExample(surroundings, channel, dither);
    if (source == Source.CACHE && (cacheFolder == null || perExample)) {
      throw new InvalidSetting(
          "data.source",
          perExample
              ? "cache is not possible where features are computed for each example; memory and"
                  + " streaming are"
              : "cache needs a folder, data.cacheFolder");
    }
    within("data.specAugment.timeFrames", specAugment.timeFrames(), 0, frames);
  }

  private static void within(String key, int value, int least, int most) {
    if (value >= least && value <= most) return;
    throw InvalidSetting.notAllowed(key, value, least + " to " + most);
  }

  /** Whether features are computed for each example, which is heard otherwise each time. */
  public boolean isPerExample() {
    return isPerExample(surroundings, channel, dither);
  }

  private static boolean isPerExample(
      SurroundingsSettings surroundings, ChannelSettings channel, double dither) {
    return surroundings.isOn() || channel.isOn() || dither > 0;
  }

  /** What the network hears. */
  public FrontEnd frontEnd() {
    return new FrontEnd(frameShiftMs, meanNormalization);
  }

  /** How recordings are read. */
  public ReadSettings reading() {
    return new ReadSettings(
        resample, longestMinutes == null ? ReadSettings.LONGEST_MINUTES : longestMinutes);
  }

  /** The folder of the training corpus; a recipe that names none is refused. */
  public Path trainFolder() {
    if (trainCorpus == null) {
      throw new InvalidSetting(
          "data.trainCorpus", "is not set; give the folder of the corpus to train with");
    }
    return ProjectFolder.find(trainCorpus);
  }

  /** The folder that the trials' utterances are in: the training corpus' own if not set. */
  public Path validationFolder() {
    return validationCorpus == null ? trainFolder() : ProjectFolder.find(validationCorpus);
  }

  private static <T> List<T> distinct(String key, List<T> values) {
    if (new HashSet<>(values).size() < values.size()) {
      throw new InvalidSetting(key, values + " holds a value twice");
    }
    return List.copyOf(values);
  }
}
