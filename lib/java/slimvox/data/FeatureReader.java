package slimvox.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import slimvox.audio.Channel;
import slimvox.audio.Fbank;
import slimvox.audio.FbankOptions;
import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.audio.ReadSettings;
import slimvox.audio.Samples;
import slimvox.audio.SpeedPerturbation;
import slimvox.audio.Waveform;
import slimvox.storage.InputException;

/**
 * Reads a recording and computes its features, or reads its features from an ark file; nothing is
 * kept.
 *
 * <p>If the options ask for dither, the noise of an utterance is drawn from a generator seeded by
 * its id and speed, so that it is the same each time: WeSpeaker draws new noise each time.
 */
public final class FeatureReader implements FeatureSource {
  /** Changes when the same recording gives other features, so that caches are made again. */
  static final int VERSION = 1;

  private static final int MOST_PROBED = 1000;

  private final FbankOptions options;
  private final List<Double> speeds;
  private final int bins;
  private final Fbank fbank; // null where features are ready
  private final SoundReader sounds;
  private final boolean resampled;
  private final List<SpeedPerturbation> perturbations;

  private FeatureReader(
      FbankOptions options, List<Double> speeds, int bins, Fbank fbank, ReadSettings reading) {
    this.options = options;
    this.speeds = speeds;
    this.bins = bins;
    this.fbank = fbank;
    this.sounds = new SoundReader(options.sampleRate(), reading);
    this.resampled = reading.resample();
    this.perturbations = speeds.stream().map(SpeedPerturbation::new).toList();
  }

  /**
   * A reader for the utterances of a corpus.
   *
   * @param options settings of the features; not used where the corpus has features already ({@code
   *     feats.scp}), which then have as many bins as its first usable utterance; means of
   *     consecutive frames are taken of either
   * @param speeds 1.0 first; WeSpeaker's are 1.0, 0.9, 1.1. A recording at speed s is 1 / s as long
   *     and its frequencies are multiplied by s
   * @throws InputException if a file is missing, the corpus is empty, or features are to be played
   *     at another speed or resampled
   */
  public static FeatureReader of(Corpus corpus, FbankOptions options, List<Double> speeds) {
    if (speeds.isEmpty() || speeds.getFirst() != 1.0) {
      throw InputException.of("speeds %s: the first must be 1.0", speeds);
    }
    for (int i = 0; i < speeds.size(); i++) {
      double speed = speeds.get(i);
      if (!SpeedPerturbation.isPossible(speed) || speeds.indexOf(speed) != i) {
        throw InputException.of(
            "speeds %s: each from 0.5 to 2 in whole hundredths, and only once", speeds);
      }
    }
    if (corpus.utterances().isEmpty()) {
      throw InputException.at(corpus.folder(), "no utterance in %s", corpus.name());
    }
    corpus.requireFiles();
    int bins = options.bins();
    Fbank fbank = null;
    if (corpus.utterances().getFirst().source() instanceof Utterance.Ark) {
      if (speeds.size() > 1) {
        throw InputException.of(
            "%s: has features, no sound, and they cannot be played at speeds %s; use speed 1.0"
                + " only",
            corpus.folder(), speeds);
      }
      if (corpus.reading().resample()) {
        throw InputException.at(
            corpus.folder(), "has features, no sound to resample; set data.resample=false");
      }
      double shift = 1000 * CorpusReport.frameShift(corpus.folder());
      if (options.averagedFrames() > 1 && shift != FrontEnd.FBANK_SHIFT_MS) {
        throw InputException.at(
            corpus.folder(),
            "has features every %.3g ms, and means are taken of those every 10 ms; set"
                + " data.frameShiftMs=10, which takes them as they are",
            shift);
      }
      bins = KaldiArk.bins(corpus.utterances());
    } else {
      fbank = new Fbank(options);
    }
    return new FeatureReader(options, List.copyOf(speeds), bins, fbank, corpus.reading());
  }

  @Override
  public int bins() {
    return bins;
  }

  @Override
  public List<Double> speeds() {
    return speeds;
  }

  /**
   * Bytes that features of utterances take at all speeds, float32: frames x bins x 4.
   *
   * <p>Lengths are those that the headers of at most {@value #MOST_PROBED} of them give, evenly
   * spaced; a recording whose header cannot be read counts nothing, it is named when it is read.
   */
  public long bytes(List<Utterance> utterances) {
    int step = utterances.size() / MOST_PROBED + 1;
    double frames = 0;
    int probed = 0;
    for (int i = 0; i < utterances.size(); i += step, probed++) frames += frames(utterances.get(i));
    return probed == 0 ? 0 : Math.round(frames / probed * utterances.size() * 4 * bins);
  }

  /**
   * Ids of the utterances that last less than so many frames, as their headers say; one whose
   * header cannot be read is not among them, it is named when it is read.
   */
  public List<String> shorterThan(int frames, List<Utterance> utterances) {
    return utterances.parallelStream()
        .filter(
            utterance -> {
              double own = frames(utterance);
              return own > 0 && own < frames;
            })
        .map(Utterance::id)
        .toList();
  }

  private double frames(Utterance utterance) {
    try {
      if (utterance.source() instanceof Utterance.Ark ark) {
        return KaldiArk.head(ark).rows() / options.averagedFrames();
      }
      Utterance.Sound sound = (Utterance.Sound) utterance.source();
      double whole = sounds.probe(sound).durationSeconds();
      double samples = (Math.min(sound.end(), whole) - sound.start()) * options.sampleRate();
      double frames = 0;
      for (double speed : speeds) frames += samples / speed / options.frameShift();
      return frames / options.averagedFrames();
    } catch (InputException e) {
      return 0;
    }
  }

  /** Bytes that the 16-bit sound of utterances takes, estimated as {@link #bytes}. */
  public long soundBytes(List<Utterance> utterances) {
    double atAllSpeeds = speeds.stream().mapToDouble(speed -> 1 / speed).sum();
    return Math.round(bytes(utterances) / (4.0 * bins) * shift() * 2 / atAllSpeeds);
  }

  /** What the features at a speed depend on beside the recording, for names of cache files. */
  String settings(int speed) {
    String settings = options.toString().replace(", averagedFrames=1", ""); // as files are named
    String name = "slimvox features " + VERSION + ", " + settings + ", speed " + speeds.get(speed);
    return resampled ? name + ", resampled" : name;
  }

  @Override
  public FeatureView features(Utterance utterance, int speed) {
    return FeatureView.of(compute(utterance, new int[] {speed}).getFirst());
  }

  @Override
  public List<FeatureView> allSpeeds(Utterance utterance) {
    int[] all = IntStream.range(0, speeds.size()).toArray();
    return compute(utterance, all).stream().map(FeatureView::of).toList();
  }

  /** Features at some speeds; the recording is read once, which takes longer than its features. */
  List<Features> compute(Utterance utterance, int[] chosen) {
    return naming(
        utterance,
        () -> {
          List<Features> features =
              switch (utterance.source()) {
                case Utterance.Ark ark -> List.of(readArk(utterance, ark));
                case Utterance.Sound sound ->
                    fbank(utterance, Samples.of(sounds.read(sound)), chosen);
              };
          for (Features f : features) {
            RecordingException.requireUsable(f, utterance.id(), utterance.file());
          }
          return features;
        });
  }

  /** All samples of a recording. */
  float[] sound(Utterance utterance) {
    return naming(utterance, () -> sounds.read(place(utterance)));
  }

  /** Opens a recording, to be closed. */
  Samples open(Utterance utterance) {
    return naming(utterance, () -> sounds.open(place(utterance)));
  }

  private static Utterance.Sound place(Utterance utterance) {
    if (utterance.source() instanceof Utterance.Sound sound) return sound;
    throw InputException.at(utterance.file(), "has features, no sound");
  }

  /** A recording at a speed. */
  Samples played(Samples sound, int speed) {
    return perturbations.get(speed).over(sound);
  }

  /** Whether there is sound, not features that are ready. */
  public boolean hasSound() {
    return fbank != null;
  }

  /** Whole frames in so many samples. */
  int frames(long samples) {
    return fbank.frames(samples);
  }

  /** Samples that so many frames are made of. */
  int samples(int frames) {
    int last = frames * options.averagedFrames() - 1;
    return options.frameLength() + last * options.frameShift();
  }

  /** Samples from the first of one frame to the first of the next. */
  int shift() {
    return options.averagedFrames() * options.frameShift();
  }

  @Override
  public Features behind(Channel channel, List<Utterance> utterances) {
    List<float[]> parts = utterances.stream().map(this::sound).toList();
    Utterance first = utterances.getFirst();
    Features features =
        naming(first, () -> features(parts, channel::apply, null, first.file().toString()));
    RecordingException.requireUsable(features, first.id(), first.file());
    return features;
  }

  /**
   * Features of pieces of sound that are played one after the other; no frame spans two of them.
   *
   * @param heard what becomes of the samples of all of them, as many
   * @param dither source of the dither; null: the options have none
   * @param name what to call them in an error
   */
  Features features(
      List<float[]> pieces, UnaryOperator<float[]> heard, RandomGenerator dither, String name) {
    float[] samples = heard.apply(concatenation(pieces));
    List<float[]> rows = new ArrayList<>();
    int from = 0;
    for (float[] piece : pieces) {
      float[] own = Arrays.copyOfRange(samples, from, from + piece.length);
      rows.add(fbank.compute(new Waveform(own, options.sampleRate()), name, dither).values());
      from += piece.length;
    }
    float[] all = concatenation(rows);
    return new Features(all, all.length / bins, bins);
  }

  private static float[] concatenation(List<float[]> parts) {
    if (parts.size() == 1) return parts.getFirst();
    float[] all = new float[parts.stream().mapToInt(p -> p.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /** Names the utterance in what goes wrong. */
  static <T> T naming(Utterance utterance, Supplier<T> work) {
    String id = utterance.id();
    try {
      return work.get();
    } catch (RecordingException e) {
      throw e;
    } catch (InputException e) {
      throw new RecordingException(id, e.getMessage(), e);
    } catch (OutOfMemoryError e) {
      throw RecordingException.outOfMemory(id, utterance.file(), e);
    }
  }

  private List<Features> fbank(Utterance utterance, Samples sound, int[] chosen) {
    List<Features> features = new ArrayList<>();
    for (int speed : chosen) {
      Waveform played = new Waveform(played(sound, speed).all(), options.sampleRate());
      String file = utterance.file().toString();
      features.add(fbank.compute(played, file, noise(utterance, speeds.get(speed))));
    }
    return features;
  }

  private Features readArk(Utterance utterance, Utterance.Ark ark) {
    Features features = KaldiArk.read(ark);
    if (features.bins() != bins) {
      throw ark.fault(
          "utterance %s has %d values a frame, the first utterance has %d",
          utterance.id(), features.bins(), bins);
    }
    int averaged = options.averagedFrames();
    if (features.frames() >= averaged) return features.averaged(averaged);
    throw ark.fault(
        "utterance %s has %d frames, and means are taken of %d; leave the utterance out",
        utterance.id(), features.frames(), averaged);
  }

  private SplittableRandom noise(Utterance utterance, double speed) {
    long seed = Double.hashCode(speed);
    for (int i = 0; i < utterance.id().length(); i++) {
      seed = seed * 0x100000001b3L ^ utterance.id().charAt(i);
    }
    return new SplittableRandom(seed);
  }
}
