package slimvox.data;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import slimvox.audio.AudioInfo;
import slimvox.storage.InputException;

/**
 * What a corpus holds, and what of it cannot be used.
 *
 * @param corpus name of the corpus
 * @param speakers number of speakers
 * @param utterances number of utterances, bad ones included
 * @param hours of usable sound
 * @param bins values a frame of ready features, which {@code model.bins} has to be; 0 for sound
 * @param frameShiftSeconds between frames of ready features: what the corpus's file {@code
 *     frame_shift} says, else 10 ms; 0 for sound
 * @param shortest usable utterance, null if there is none
 * @param longest usable utterance, null if there is none
 * @param perSpeaker usable utterances and seconds of each speaker
 * @param bad number of bad utterances
 * @param firstBad one line for each of the first bad utterances by id, at most {@value #SHOWN}
 * @param tooShort number of usable utterances with fewer than {@value #FEWEST_FRAMES} frames, which
 *     training repeats and no network here makes an embedding of
 * @param firstTooShort one line for each of the first of them
 * @param notes of the corpus, on what is not used
 */
public record CorpusReport(
    String corpus,
    int speakers,
    int utterances,
    double hours,
    int bins,
    double frameShiftSeconds,
    Length shortest,
    Length longest,
    Map<String, Amount> perSpeaker,
    int bad,
    List<String> firstBad,
    int tooShort,
    List<String> firstTooShort,
    List<String> notes) {
  /** The most bad utterances that are named. */
  public static final int SHOWN = 10;

  /** Eight-fold subsampling leaves two of them, which a standard deviation takes. */
  public static final int FEWEST_FRAMES = 9;

  private static final double FRAME_SHIFT_SECONDS = 0.01;
  private static final int FRAMES_IN_A_SECOND = 40; // laid end to end: a frame is 25 ms

  /** An utterance and its length. */
  public record Length(String utterance, double seconds) {}

  /** What there is of a speaker. */
  public record Amount(int utterances, double seconds) {}

  /**
   * Looks at every utterance.
   *
   * @param sampleRate samples per second that the sound must have
   * @param decode whether the sound is decoded, which alone finds damage within FLAC files;
   *     without, headers and file sizes are looked at
   * @param progress told after each utterance
   * @throws InterruptedException if interrupted
   */
  public static CorpusReport of(
      Corpus corpus, int sampleRate, boolean decode, int threads, FeatureSource.Progress progress)
      throws InterruptedException {
    List<Utterance> all = corpus.utterances();
    Size[] sizes = new Size[all.size()];
    String[] faults = new String[all.size()];
    int bins = 0;
    if (!all.isEmpty() && all.getFirst().source() instanceof Utterance.Ark) {
      try {
        bins = KaldiArk.bins(all);
      } catch (InputException e) {
        bins = 0; // all are bad, and named below
      }
    }
    int firstBins = bins;
    double frameShift = bins == 0 ? 0 : frameShift(corpus.folder());
    SoundReader sounds = new SoundReader(sampleRate, corpus.reading());
    AtomicInteger done = new AtomicInteger();
    List<Runnable> pieces = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      int index = i;
      pieces.add(
          () -> {
            Utterance utterance = all.get(index);
            try {
              sizes[index] =
                  switch (utterance.source()) {
                    case Utterance.Ark ark -> size(utterance, ark, decode, firstBins, frameShift);
                    case Utterance.Sound sound -> size(sound, sampleRate, decode, sounds);
                  };
            } catch (InputException e) {
              faults[index] = utterance.id() + ": " + e.getMessage();
            } catch (OutOfMemoryError e) {
              InputException named =
                  RecordingException.outOfMemory(utterance.id(), utterance.file(), e);
              faults[index] = utterance.id() + ": " + named.getMessage();
            }
            progress.at(done.incrementAndGet(), all.size());
          });
    }
    FeatureWork.run(pieces, threads);
    return summary(corpus, firstBins, frameShift, sizes, faults);
  }

  private record Size(double seconds, long frames) {}

  private static Size size(
      Utterance utterance, Utterance.Ark ark, boolean decode, int bins, double frameShift) {
    int[] size = KaldiArk.size(ark);
    if (bins > 0 && size[1] != bins) {
      throw InputException.of(
          "%s, byte %s: %s values a frame, the first utterance has %s",
          ark.file(), ark.offset(), size[1], bins);
    }
    if (decode) RecordingException.requireFinite(KaldiArk.read(ark), utterance.id(), ark.file());
    return new Size(size[0] * frameShift, size[0]);
  }

  private static Size size(
      Utterance.Sound sound, int sampleRate, boolean decode, SoundReader sounds) {
    AudioInfo info = sounds.probe(sound);
    // A FLAC header may leave the length open.
    long samples;
    if (decode || info.frames() == 0) {
      samples = sounds.read(sound).samples().length;
    } else {
      long[] range = sound.range(info.frames(), sampleRate);
      samples = range[1] - range[0];
    }
    int frame = sampleRate / FRAMES_IN_A_SECOND;
    if (samples < frame) {
      throw InputException.of(
          "%s: %s samples are shorter than one frame of %s (25 ms); leave the utterance out",
          sound.file(), samples, frame);
    }
    long frames = 1 + (samples - frame) / Math.round(sampleRate * FRAME_SHIFT_SECONDS);
    return new Size((double) samples / sampleRate, frames);
  }

  /** What Kaldi's file of this name says, in seconds. */
  private static double frameShift(Path folder) {
    Path file = folder.resolve("frame_shift");
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) return FRAME_SHIFT_SECONDS;
    List<CorpusFiles.Line> lines = CorpusFiles.lines(file);
    String text = lines.isEmpty() ? "" : lines.getFirst().text();
    if (text.matches("0?\\.\\d{1,9}") && Double.parseDouble(text) > 0) {
      return Double.parseDouble(text);
    }
    throw InputException.at(file, "seconds between frames are needed, for example 0.01");
  }

  private static CorpusReport summary(
      Corpus corpus, int bins, double frameShift, Size[] sizes, String[] faults) {
    Length shortest = null;
    Length longest = null;
    double total = 0;
    int bad = 0;
    List<String> firstBad = new ArrayList<>();
    int tooShort = 0;
    List<String> firstTooShort = new ArrayList<>();
    Map<String, Amount> perSpeaker = new TreeMap<>();
    for (String speaker : corpus.speakers()) perSpeaker.put(speaker, new Amount(0, 0));
    for (int i = 0; i < sizes.length; i++) {
      Utterance utterance = corpus.utterances().get(i);
      if (faults[i] != null) {
        if (bad++ < SHOWN) firstBad.add(faults[i]);
        continue;
      }
      if (sizes[i].frames() < FEWEST_FRAMES && tooShort++ < SHOWN) {
        firstTooShort.add(
            utterance.id() + ": " + utterance.file() + ": frames " + sizes[i].frames());
      }
      double length = sizes[i].seconds();
      total += length;
      if (shortest == null || length < shortest.seconds()) {
        shortest = new Length(utterance.id(), length);
      }
      if (longest == null || length > longest.seconds()) {
        longest = new Length(utterance.id(), length);
      }
      perSpeaker.merge(
          utterance.speaker(),
          new Amount(1, length),
          (a, b) -> new Amount(a.utterances() + b.utterances(), a.seconds() + b.seconds()));
    }
    return new CorpusReport(
        corpus.name(),
        corpus.speakers().size(),
        corpus.utterances().size(),
        rounded(total / 3600),
        bins,
        frameShift,
        shortest,
        longest,
        perSpeaker,
        bad,
        List.copyOf(firstBad),
        tooShort,
        List.copyOf(firstTooShort),
        corpus.notes());
  }

  /** To nanohours: what a sum of decimal fractions leaves beyond them is rounding. */
  private static double rounded(double hours) {
    return Math.rint(hours * 1e9) / 1e9;
  }

  /** The report as lines of text; nothing in it depends on the machine's language. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    line(text, "corpus", corpus);
    var counts = perSpeaker.values().stream().mapToInt(Amount::utterances).summaryStatistics();
    line(
        text,
        "speakers",
        speakers == 0
            ? "none"
            : String.format(
                Locale.ROOT,
                "%,d, each with %,d to %,d usable utterances",
                speakers,
                counts.getMin(),
                counts.getMax()));
    line(
        text,
        "utterances",
        String.format(
            Locale.ROOT, "%,d, %,d usable, %.2f hours", utterances, utterances - bad, hours));
    if (bins > 0) {
      String shift = String.format(Locale.ROOT, "%.3g", 1000 * frameShiftSeconds);
      line(text, "features", bins + " values a frame: model.bins=" + bins);
      line(text, "frames", shift + " ms apart; hours follow from that");
    }
    if (shortest != null) {
      line(text, "shortest", describe(shortest));
      line(text, "longest", describe(longest));
    }
    if (speakers == 1) line(text, "warning", "one speaker only; training needs at least two");
    for (String note : notes) line(text, "note", note);
    if (tooShort > 0) {
      String many = "%,d with fewer than %d frames, too short for an embedding";
      line(text, "too short", String.format(Locale.ROOT, many, tooShort, FEWEST_FRAMES));
      list(text, firstTooShort, tooShort);
    }
    line(text, "bad", String.format(Locale.ROOT, "%,d", bad));
    list(text, firstBad, bad);
    return text.toString();
  }

  private static void list(StringBuilder text, List<String> first, int count) {
    for (String line : first) text.append("  ").append(line).append('\n');
    if (count > first.size()) {
      text.append(String.format(Locale.ROOT, "  and %,d more\n", count - first.size()));
    }
  }

  private static String describe(Length length) {
    return String.format(Locale.ROOT, "%.2f s (%s)", length.seconds(), length.utterance());
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(String.format(Locale.ROOT, "%-12s%s\n", name, value));
  }
}
