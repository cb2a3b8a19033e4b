package slimvox.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import slimvox.audio.AudioFiles;
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
 * @param silent number of usable utterances of sound in which every sample is the same; where sound
 *     is decoded
 * @param firstSilent one line for each of the first of them
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
    int silent,
    List<String> firstSilent,
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
   * @param decode whether the sound is decoded, which alone finds damage within FLAC files;
   *     without, headers and file sizes are looked at
   * @param progress told after each utterance
   * @throws InterruptedException if interrupted
   */
  public static CorpusReport of(
      Corpus corpus, boolean decode, int threads, FeatureSource.Progress progress)
      throws InterruptedException {
    List<Utterance> all = corpus.utterances();
    int bins = 0;
    if (!all.isEmpty() && all.getFirst().source() instanceof Utterance.Ark) {
      try {
        bins = KaldiArk.bins(all);
      } catch (InputException e) {
        // all are bad, and named below
      }
    }
    double frameShift = bins == 0 ? 0 : frameShift(corpus.folder());
    SoundReader sounds = new SoundReader(AudioFiles.SAMPLE_RATE, corpus.reading());
    Probe probe = new Probe(decode, bins, frameShift, sounds);
    Size[] sizes = new Size[all.size()];
    List<Integer> indices = IntStream.range(0, sizes.length).boxed().toList();
    FeatureWork.forEach(indices, _ -> 1, threads, progress, i -> sizes[i] = probe.at(all.get(i)));
    return summary(corpus, bins, frameShift, sizes);
  }

  /**
   * Seconds of an utterance, or of the parts of a joined one, as its header says.
   *
   * @return by id, in any form; refuses one that is not in the corpus or cannot be used
   */
  public static ToDoubleFunction<String> durations(Corpus corpus) {
    SoundReader sounds = new SoundReader(AudioFiles.SAMPLE_RATE, corpus.reading());
    Probe probe = new Probe(false, 0, frameShift(corpus.folder()), sounds);
    return id -> {
      double seconds = 0;
      for (Utterance utterance : corpus.parts(id)) {
        Size size = probe.at(utterance);
        if (size.fault() != null) throw new InputException(size.fault());
        seconds += size.seconds();
      }
      return seconds;
    };
  }

  /** What there is of an utterance; if it cannot be used, why. */
  private record Size(double seconds, long frames, boolean silent, String fault) {}

  private record Probe(boolean decode, int bins, double frameShift, SoundReader sounds) {
    Size at(Utterance utterance) {
      InputException fault;
      try {
        return switch (utterance.source()) {
          case Utterance.Ark ark -> size(utterance, ark);
          case Utterance.Sound sound -> size(sound);
        };
      } catch (InputException e) {
        fault = e;
      } catch (OutOfMemoryError e) {
        fault = RecordingException.outOfMemory(utterance.id(), utterance.file(), e);
      }
      return new Size(0, 0, false, utterance.id() + ": " + fault.getMessage());
    }

    private Size size(Utterance utterance, Utterance.Ark ark) {
      KaldiArk.Matrix head = KaldiArk.head(ark);
      if (bins > 0 && head.columns() != bins) {
        String wrong = "%d values a frame, the first utterance has %d";
        throw ark.fault(wrong, head.columns(), bins);
      }
      if (decode) RecordingException.requireUsable(KaldiArk.read(ark), utterance.id(), ark.file());
      return new Size(head.rows() * frameShift, head.rows(), false, null);
    }

    private Size size(Utterance.Sound sound) {
      AudioInfo info = sounds.probe(sound);
      // A FLAC header may leave the length open.
      long samples;
      boolean silent = false;
      if (decode || info.frames() == 0) {
        float[] decoded = sounds.read(sound);
        samples = decoded.length;
        silent =
            samples > 0
                && Arrays.mismatch(decoded, 1, decoded.length, decoded, 0, decoded.length - 1) < 0;
      } else {
        long[] range = sound.range(info.frames(), AudioFiles.SAMPLE_RATE);
        samples = range[1] - range[0];
      }
      int frame = AudioFiles.SAMPLE_RATE / FRAMES_IN_A_SECOND;
      if (samples < frame) {
        throw InputException.of(
            "%s: %s samples are shorter than one frame of %s (25 ms); leave the utterance out",
            sound.file(), samples, frame);
      }
      long frames =
          1 + (samples - frame) / Math.round(AudioFiles.SAMPLE_RATE * FRAME_SHIFT_SECONDS);
      return new Size((double) samples / AudioFiles.SAMPLE_RATE, frames, silent, null);
    }
  }

  /** What Kaldi's file of this name says, in seconds. */
  static double frameShift(Path folder) {
    Path file = folder.resolve("frame_shift");
    if (!CorpusFiles.isThere(file)) return FRAME_SHIFT_SECONDS;
    List<CorpusFiles.Line> lines = CorpusFiles.lines(file);
    String text = lines.isEmpty() ? "" : lines.getFirst().text();
    if (text.matches("0?\\.\\d{1,9}") && Double.parseDouble(text) > 0) {
      return Double.parseDouble(text);
    }
    throw InputException.at(file, "seconds between frames are needed, for example 0.01");
  }

  private static CorpusReport summary(Corpus corpus, int bins, double frameShift, Size[] sizes) {
    Length shortest = null;
    Length longest = null;
    double total = 0;
    List<String> bad = new ArrayList<>();
    List<String> tooShort = new ArrayList<>();
    List<String> silent = new ArrayList<>();
    Map<String, Amount> perSpeaker = new TreeMap<>();
    for (String speaker : corpus.speakers()) perSpeaker.put(speaker, new Amount(0, 0));
    for (int i = 0; i < sizes.length; i++) {
      Utterance utterance = corpus.utterances().get(i);
      Size size = sizes[i];
      if (size.fault() != null) {
        bad.add(size.fault());
        continue;
      }
      if (size.frames() < FEWEST_FRAMES) {
        tooShort.add(utterance.id() + ": " + utterance.file() + ": frames " + size.frames());
      }
      if (size.silent()) silent.add(utterance.id() + ": " + utterance.file());
      Length length = new Length(utterance.id(), size.seconds());
      total += length.seconds();
      if (shortest == null || length.seconds() < shortest.seconds()) shortest = length;
      if (longest == null || length.seconds() > longest.seconds()) longest = length;
      perSpeaker.compute(
          utterance.speaker(),
          (_, sum) -> new Amount(sum.utterances() + 1, sum.seconds() + length.seconds()));
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
        bad.size(),
        first(bad),
        tooShort.size(),
        first(tooShort),
        silent.size(),
        first(silent),
        corpus.notes());
  }

  private static List<String> first(List<String> lines) {
    return List.copyOf(lines.subList(0, Math.min(SHOWN, lines.size())));
  }

  /** To nanohours: what a sum of decimal fractions leaves beyond them is rounding. */
  private static double rounded(double hours) {
    return Math.rint(hours * 1e9) / 1e9;
  }

  /** The report as lines of text; nothing in it depends on the machine's language. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    line(text, "corpus", "%s", corpus);
    var counts = perSpeaker.values().stream().mapToInt(Amount::utterances).summaryStatistics();
    if (speakers == 0) {
      line(text, "speakers", "none");
    } else {
      String each = "%,d, each with %,d to %,d usable utterances";
      line(text, "speakers", each, speakers, counts.getMin(), counts.getMax());
    }
    line(text, "utterances", "%,d, %,d usable, %.2f hours", utterances, utterances - bad, hours);
    if (bins > 0) {
      line(text, "features", "%d values a frame: model.bins=%d", bins, bins);
      line(text, "frames", "%.3g ms apart; hours follow from that", 1000 * frameShiftSeconds);
    }
    if (shortest != null) {
      line(text, "shortest", "%.2f s (%s)", shortest.seconds(), shortest.utterance());
      line(text, "longest", "%.2f s (%s)", longest.seconds(), longest.utterance());
    }
    if (speakers == 1) line(text, "warning", "one speaker only; training needs at least two");
    for (String note : notes) line(text, "note", "%s", note);
    if (tooShort > 0) {
      String many = "%,d with fewer than %d frames, too short for an embedding";
      line(text, "too short", many, tooShort, FEWEST_FRAMES);
      list(text, firstTooShort, tooShort);
    }
    if (silent > 0) {
      line(text, "silent", "%,d in which every sample is the same; leave them out", silent);
      list(text, firstSilent, silent);
    }
    line(text, "bad", "%,d", bad);
    list(text, firstBad, bad);
    return text.toString();
  }

  private static void list(StringBuilder text, List<String> first, int count) {
    for (String line : first) text.append("  ").append(line).append('\n');
    int more = count - first.size();
    if (more > 0) text.append(String.format(Locale.ROOT, "  and %,d more\n", more));
  }

  private static void line(StringBuilder text, String name, String format, Object... values) {
    String value = String.format(Locale.ROOT, format, values);
    text.append(String.format(Locale.ROOT, "%-12s%s\n", name, value));
  }
}
