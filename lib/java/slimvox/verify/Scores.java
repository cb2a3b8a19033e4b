package slimvox.verify;

import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import slimvox.storage.InputException;
import slimvox.storage.TextLines;

/**
 * One score for every trial of a list; higher means more likely the same speaker.
 *
 * <p>Scores are float64, as calibration and PLDA tools write them: rounded to float32, large ones
 * would be tied. Files are joined with the trial list by pair, never by line order.
 */
public final class Scores {
  /** How a score file is written; a file's own format is found from its first line. */
  public enum Format {
    /** {@code score enrol test}: VoxSRC. */
    VOXSRC,
    /**
     * {@code enrol test score target|nontarget}: WeSpeaker; the label may be missing on reading.
     */
    WESPEAKER
  }

  private final String source;
  private final String scoring; // null: not known
  private final Trials trials;
  private final double[] values;

  /**
   * Scores in the order of the trials. The array is kept, not copied.
   *
   * @param scoring the rule that made them, for messages and results
   * @throws InputException if the counts differ or a score is not finite
   */
  public Scores(String scoring, Trials trials, double[] values) {
    this(scoring, scoring, trials, values);
  }

  /** The same of other trials: those with these numbers. */
  Scores(Scores whole, Trials trials, double[] values) {
    this(whole.source, whole.scoring, trials, values);
  }

  private Scores(String source, String scoring, Trials trials, double[] values) {
    if (values.length != trials.size()) {
      throw InputException.of(
          "%s: %d scores for the %d trials of %s; score the same list",
          source, values.length, trials.size(), trials.name());
    }
    for (int i = 0; i < values.length; i++) {
      if (!Double.isFinite(values[i])) {
        throw InputException.of(
            "%s: the score of trial '%s %s' (%s:%d) is %s; look for NaN in the embeddings",
            source, trials.enrol(i), trials.test(i), trials.name(), i + 1, values[i]);
      }
    }
    this.source = source;
    this.scoring = scoring;
    this.trials = trials;
    this.values = values;
  }

  /**
   * Reads a score file in either format and joins it with a trial list.
   *
   * @throws InputException naming file and line for a line that is not a score, a score that is not
   *     a finite number or that float64 cannot hold, an unknown utterance or pair, a label that
   *     contradicts the list, a trial scored twice or not at all
   */
  public static Scores read(Path file, Trials trials) {
    Reading reading = new Reading(file, trials);
    TextLines.readFields(file, reading::line);
    reading.refuseMissing();
    return new Scores(file.toString(), null, trials, reading.values);
  }

  /** The same scores with the rule that made them, which a file does not tell. */
  public Scores scoredBy(String rule) {
    return new Scores(source, rule, trials, values);
  }

  /** The join while a file is being read. */
  private static final class Reading {
    private final Path file;
    private final Trials trials;
    private final double[] values;
    private final BitSet scored;
    private Format format;
    private int next; // the trial a file in list order would score next

    private Reading(Path file, Trials trials) {
      this.file = file;
      this.trials = trials;
      values = new double[trials.size()];
      scored = new BitSet(trials.size());
    }

    private void line(int number, String[] f) {
      if (format == null) format = detect(number, f);
      boolean voxsrc = format == Format.VOXSRC;
      if (f.length != 3 && (voxsrc || f.length != 4)) {
        String form = voxsrc ? "`score enrol test`" : "`enrol test score [target|nontarget]`";
        throw fault(number, "%d fields; expected %s as on line 1", f.length, form);
      }
      String score = voxsrc ? f[0] : f[2];
      double value = number(score);
      if (Double.isNaN(value)) {
        throw fault(
            number,
            isWithComma(score)
                ? "score %s has a comma; a number with a decimal point is expected"
                : "score %s is not a finite number; look for NaN in the embeddings, or mend the"
                    + " line",
            TextLines.shown(score));
      }
      if (Double.isInfinite(value) || value == 0 && !ZERO.matcher(score).matches()) {
        throw fault(
            number,
            "score %s is more than float64 can hold; take the logarithms of likelihoods",
            TextLines.shown(score));
      }
      int first = voxsrc ? 1 : 0;
      int trial = trial(number, listed(number, f[first]), listed(number, f[first + 1]));
      if (f.length == 4) checkLabel(number, f[3], trial);
      values[trial] = value;
      scored.set(trial);
      next = trial + 1;
    }

    private InputException fault(int number, String format, Object... values) {
      return InputException.at(file, number, format, values);
    }

    private Format detect(int number, String[] f) {
      boolean first = f.length == 3 && isNumber(f[0]);
      boolean third = (f.length == 3 || f.length == 4) && isNumber(f[2]);
      if (first && third) {
        // Utterances may be named by numbers; then the trial list tells which field is the score.
        third = trials.contains(f[0]) && trials.contains(f[1]);
        first = !third;
      }
      if (first) return Format.VOXSRC;
      if (third) return Format.WESPEAKER;
      throw fault(
          number,
          "%s is not a score; expected `score enrol test` or `enrol test score [label]`",
          TextLines.shown(String.join(" ", f)));
    }

    /** The utterance as the list has it. */
    private String listed(int number, String utterance) {
      if (trials.contains(utterance)) return utterance;
      String found = trials.names().find(file + ":" + number, utterance);
      return found == null ? utterance : found;
    }

    private int trial(int number, String a, String b) {
      // Most score files keep the order of the list: try that before the index.
      if (next < trials.size()
          && !scored.get(next)
          && trials.enrol(next).equals(a)
          && trials.test(next).equals(b)) {
        return next;
      }
      int trial = trials.find(a, b, -1);
      if (trial < 0)
        throw fault(number, "%s; score that list, or give the list that was scored", missing(a, b));
      while (trial >= 0 && scored.get(trial)) trial = trials.find(a, b, trial);
      if (trial >= 0) return trial;
      throw fault(number, "trial '%s %s' has a score already; keep one line for each trial", a, b);
    }

    /** What of a pair is in no trial. */
    private String missing(String a, String b) {
      for (String utterance : List.of(a, b)) {
        if (trials.contains(utterance)) continue;
        return "utterance " + TextLines.shown(utterance) + " is in no trial of " + trials.name();
      }
      String hint = trials.find(b, a, -1) < 0 ? "" : " (it has '" + b + " " + a + "')";
      return "pair '%s %s' is no trial of %s%s".formatted(a, b, trials.name(), hint);
    }

    private void checkLabel(int number, String label, int trial) {
      String listed = trials.isTarget(trial) ? "target" : "nontarget";
      if (label.equals(listed)) return;
      throw InputException.of(
          "%s:%d: label %s, but the trial is %s on %s:%d; give the list that was scored",
          file, number, TextLines.shown(label), listed, trials.name(), trial + 1);
    }

    private void refuseMissing() {
      int missing = trials.size() - scored.cardinality();
      if (missing == 0) return;
      int trial = scored.nextClearBit(0);
      throw InputException.of(
          "%s:%s: trial '%s %s' has no score in %s (%d of %d trials have none); score the whole"
              + " list",
          trials.name(),
          trial + 1,
          trials.enrol(trial),
          trials.test(trial),
          file,
          missing,
          trials.size());
    }
  }

  private static final Pattern NUMBER =
      Pattern.compile("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?");
  private static final Pattern ZERO = Pattern.compile("[+-]?[0.]+([eE].*)?");

  /** NaN for what is not a number; Java's own suffixes (1f, 2d) and hexadecimal are not numbers. */
  private static double number(String text) {
    return NUMBER.matcher(text).matches() ? Double.parseDouble(text) : Double.NaN;
  }

  private static boolean isNumber(String text) {
    return !Double.isNaN(number(text))
        || isWithComma(text)
        || text.toLowerCase(Locale.ROOT).matches("[+-]?(nan|inf|infinity)");
  }

  /** Whether it would be a number with a point in the place of its decimal comma. */
  private static boolean isWithComma(String text) {
    return text.indexOf(',') >= 0 && !Double.isNaN(number(text.replace(',', '.')));
  }

  /** Whether a line has the form of a score, in either format. */
  public static boolean isScore(String line) {
    String[] f = line.strip().split("\\s+");
    return f.length == 3 && isNumber(f[0]) || (f.length == 3 || f.length == 4) && isNumber(f[2]);
  }

  /** Where the scores came from: a file or a scoring rule. */
  public String source() {
    return source;
  }

  /** The rule that made the scores; null if it is not known, as of a file. */
  public String scoring() {
    return scoring;
  }

  /** The trial list. */
  public Trials trials() {
    return trials;
  }

  /** Number of scores, that of the trials. */
  public int size() {
    return values.length;
  }

  /** The score of a trial. */
  public double get(int trial) {
    return values[trial];
  }

  /** All scores, in the order of the trials: the array itself, not a copy. */
  public double[] values() {
    return values;
  }

  /** The scores sorted: gives EER, minDCF and the DET curve. */
  public DetectionCurve curve() {
    return DetectionCurve.of(this);
  }

  /**
   * Writes the scores, whole or not at all, with the fewest digits that read back the same.
   *
   * @throws InputException if the file cannot be written
   */
  public void write(Path file, Format format) {
    TextLines.write(file, IntStream.range(0, size()).mapToObj(i -> line(i, format)));
  }

  private String line(int i, Format format) {
    String pair = trials.enrol(i) + " " + trials.test(i);
    String score = decimal(values[i]);
    String label = trials.isTarget(i) ? " target\n" : " nontarget\n";
    return format == Format.VOXSRC ? score + " " + pair + "\n" : pair + " " + score + label;
  }

  /** Shortest decimal without an exponent, which not every tool reads. */
  private static String decimal(double value) {
    String text = Double.toString(value);
    return text.indexOf('E') < 0 ? text : new BigDecimal(text).toPlainString();
  }

  /** How many, their range, and of what. */
  @Override
  public String toString() {
    DoubleSummaryStatistics all = Arrays.stream(values).summaryStatistics();
    return String.format(
        Locale.ROOT,
        "%,d scores from %.4f to %.4f by %s of %s",
        size(),
        all.getMin(),
        all.getMax(),
        source,
        trials);
  }
}
