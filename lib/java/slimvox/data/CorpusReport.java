package slimvox.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import slimvox.audio.AudioFiles;
import slimvox.audio.AudioInfo;
import slimvox.storage.InputException;

/**
 * What a corpus holds, and what of it cannot be used.
 *
 * @param corpus name of the corpus
 * @param speakers number of speakers
 * @param utterances number of utterances, bad ones included
 * @param hours of usable sound; features count 10 ms a frame
 * @param shortest usable utterance, null if there is none
 * @param longest usable utterance, null if there is none
 * @param perSpeaker usable utterances and seconds of each speaker
 * @param bad number of bad utterances
 * @param firstBad one line for each of the first bad utterances by id, at most {@value #SHOWN}
 */
public record CorpusReport(
    String corpus,
    int speakers,
    int utterances,
    double hours,
    Length shortest,
    Length longest,
    Map<String, Amount> perSpeaker,
    int bad,
    List<String> firstBad) {
  /** The most bad utterances that are named. */
  public static final int SHOWN = 10;

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
    double[] seconds = new double[all.size()];
    String[] faults = new String[all.size()];
    int bins = 0;
    if (!all.isEmpty() && all.getFirst().source() instanceof Utterance.Ark first) {
      try {
        bins = KaldiArk.size(first)[1];
      } catch (InputException e) {
        bins = 0; // named below, as its own fault
      }
    }
    int firstBins = bins;
    AtomicInteger done = new AtomicInteger();
    List<Runnable> pieces = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      int index = i;
      pieces.add(
          () -> {
            try {
              seconds[index] = seconds(all.get(index), sampleRate, decode, firstBins);
            } catch (InputException e) {
              faults[index] = all.get(index).id() + ": " + e.getMessage();
            }
            progress.at(done.incrementAndGet(), all.size());
          });
    }
    FeatureWork.run(pieces, threads);
    return summary(corpus, seconds, faults);
  }

  private static double seconds(Utterance utterance, int sampleRate, boolean decode, int bins) {
    if (utterance.source() instanceof Utterance.Ark ark) {
      int[] size = KaldiArk.size(ark);
      if (bins > 0 && size[1] != bins) {
        throw new InputException(
            ark.file()
                + ", byte "
                + ark.offset()
                + ": "
                + size[1]
                + " values a frame, the first utterance has "
                + bins);
      }
      return size[0] * FRAME_SHIFT_SECONDS;
    }
    AudioInfo info = AudioFiles.probe(utterance.file(), sampleRate);
    long samples = info.frames();
    // A FLAC header may leave the length open.
    if (decode || samples == 0)
      samples = AudioFiles.read(utterance.file(), sampleRate).samples().length;
    if (samples < sampleRate / FRAMES_IN_A_SECOND) {
      throw new InputException(
          utterance.file()
              + ": "
              + samples
              + " samples are shorter than one frame of "
              + sampleRate / FRAMES_IN_A_SECOND
              + " (25 ms); leave the utterance out");
    }
    return (double) samples / sampleRate;
  }

  private static CorpusReport summary(Corpus corpus, double[] seconds, String[] faults) {
    Length shortest = null;
    Length longest = null;
    double total = 0;
    int bad = 0;
    List<String> firstBad = new ArrayList<>();
    Map<String, Amount> perSpeaker = new TreeMap<>();
    for (String speaker : corpus.speakers()) perSpeaker.put(speaker, new Amount(0, 0));
    for (int i = 0; i < seconds.length; i++) {
      Utterance utterance = corpus.utterances().get(i);
      if (faults[i] != null) {
        if (bad++ < SHOWN) firstBad.add(faults[i]);
        continue;
      }
      double length = seconds[i];
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
        total / 3600,
        shortest,
        longest,
        perSpeaker,
        bad,
        List.copyOf(firstBad));
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
    if (shortest != null) {
      line(text, "shortest", describe(shortest));
      line(text, "longest", describe(longest));
    }
    if (speakers == 1) line(text, "warning", "one speaker only; training needs at least two");
    line(text, "bad", String.format(Locale.ROOT, "%,d", bad));
    for (String fault : firstBad) text.append("  ").append(fault).append('\n');
    if (bad > firstBad.size()) {
      text.append(String.format(Locale.ROOT, "  and %,d more\n", bad - firstBad.size()));
    }
    return text.toString();
  }

  private static String describe(Length length) {
    return String.format(Locale.ROOT, "%.2f s (%s)", length.seconds(), length.utterance());
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(String.format(Locale.ROOT, "%-12s%s\n", name, value));
  }
}
