package slimvox.train;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVPrinter;
import org.apache.commons.csv.CSVRecord;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.verify.Verification;

/**
 * The course of a run in two CSV files of its folder: {@code log.csv}, one line a step, and {@code
 * validation.csv}. A run that resumes drops the lines after its checkpoint, so that no step is
 * there twice.
 */
public final class RunLog implements Listener, AutoCloseable {
  static final String STEPS = "log.csv";
  static final String VALIDATIONS = "validation.csv";

  private static final List<String> STEP_COLUMNS =
      List.of(
          "step",
          "epoch",
          "loss",
          "accuracy",
          "accuracy_without_margin",
          "learning_rate",
          "margin",
          "utterances_per_second",
          "data_wait_ms",
          "step_ms",
          "peak_bytes");
  private static final List<String> VALIDATION_COLUMNS =
      List.of("step", "eer_percent", "min_dcf", "p_target", "trials", "trial_list", "sha256");

  private final Table steps;
  private final Table validations;

  /**
   * Opens the log to go on after {@code step} steps.
   *
   * @param lists of trials in a validation; if a killed run left fewer, they are made again
   * @throws InputException if a file is not a log of runs, which stays as it is
   */
  RunLog(Path folder, long step, int lists) {
    steps = new Table(folder.resolve(STEPS), STEP_COLUMNS, 1, step);
    try {
      validations = new Table(folder.resolve(VALIDATIONS), VALIDATION_COLUMNS, lists, step);
    } catch (RuntimeException e) {
      steps.close();
      throw e;
    }
  }

  /** The same, or null for a run without a folder. */
  static RunLog in(Path folder, long step, int lists) {
    return folder == null ? null : new RunLog(folder, step, lists);
  }

  /**
   * Reads {@code log.csv}, a whole line at a time; half a line at the end, of a killed run, is left
   * out.
   *
   * @throws InputException naming the line that is not of such a file
   */
  public static void steps(Path folder, Consumer<CSVRecord> line) {
    read(folder.resolve(STEPS), STEP_COLUMNS, 1, line);
  }

  /** Reads {@code validation.csv}, as {@link #steps}; several lists of trials share a step. */
  static void validations(Path folder, Consumer<CSVRecord> line) {
    read(folder.resolve(VALIDATIONS), VALIDATION_COLUMNS, Integer.MAX_VALUE, line);
  }

  /**
   * How well the training examples were told apart in the last quarter of the steps so far.
   *
   * @param steps from the first to the last of them
   * @param loss mean over these steps; NaN without any
   * @param accuracyWithoutMargin mean share of right classes over these steps; NaN without any
   */
  public record LastQuarter(int steps, double loss, double accuracyWithoutMargin) {}

  /**
   * Averages the last quarter of {@code log.csv}: the steps after three quarters of those taken.
   *
   * @throws InputException naming the line that is not of such a file
   */
  public static LastQuarter lastQuarter(Path folder) {
    List<CSVRecord> lines = new ArrayList<>();
    steps(folder, lines::add);
    List<CSVRecord> last = lines.subList(lines.size() * 3 / 4, lines.size());
    return new LastQuarter(last.size(), mean(last, "loss"), mean(last, "accuracy_without_margin"));
  }

  private static double mean(List<CSVRecord> lines, String column) {
    return lines.stream()
        .mapToDouble(line -> Double.parseDouble(line.get(column)))
        .average()
        .orElse(Double.NaN);
  }

  /** Reads a file, a whole line at a time, at most so many of one step. */
  private static void read(
      Path file, List<String> columns, int most, Consumer<CSVRecord> consumer) {
    CSVFormat format = CSVFormat.DEFAULT.builder().setHeader(columns.toArray(String[]::new)).get();
    long number = 1;
    try {
      String text = Files.readString(file);
      text = text.substring(0, text.lastIndexOf('\n') + 1);
      try (CSVParser lines = CSVParser.parse(text, format)) {
        long last = 0;
        int same = 0; // lines of that step
        for (CSVRecord line : lines) {
          if (number > 1) {
            long step = checked(line, columns, last);
            same = step == last ? same + 1 : 1;
            if (same > most) throw new IllegalArgumentException();
            last = step;
            consumer.accept(line);
          } else if (!columns.equals(line.toList())) {
            throw new IllegalArgumentException();
          }
          number = lines.getCurrentLineNumber() + 1;
        }
      }
    } catch (UncheckedIOException | IllegalArgumentException e) {
      throw new InputException(
          "%s, line %d: not a line that a run writes there; repair it, or move the file away"
              .formatted(file, number),
          e);
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** Returns the step of a line; the numbers stand before the texts. */
  private static long checked(CSVRecord line, List<String> columns, long last) {
    if (!line.isConsistent()) throw new IllegalArgumentException();
    for (String column : columns) {
      if (column.equals("trial_list")) break;
      Double.parseDouble(line.get(column));
    }
    long step = Long.parseLong(line.get("step"));
    if (step < last || step < 1) throw new IllegalArgumentException();
    return step;
  }

  /** One file; its lines are written whole, so that others can read it meanwhile. */
  private static final class Table {
    private interface Writing {
      void run() throws IOException;
    }

    private final Path file;
    private final List<String> columns;
    private final int linesOfStep;
    private CSVPrinter printer;
    private long last; // step of the lines that were there before
    private int lines; // of that step

    Table(Path file, List<String> columns, int linesOfStep, long step) {
      this.file = file;
      this.columns = columns;
      this.linesOfStep = linesOfStep;
      open(step);
      if (last < step || lines == 0 || lines == linesOfStep) return;
      close();
      open(step - 1);
    }

    private void write(Writing lines) {
      try {
        lines.run();
      } catch (IOException e) {
        throw new InputException(file + ": cannot be written: " + e.getMessage(), e);
      }
    }

    /** Leaves a header and the lines up to {@code step} in the file. */
    private void open(long step) {
      write(
          () -> {
            StringWriter kept = new StringWriter();
            CSVPrinter out = new CSVPrinter(kept, CSVFormat.DEFAULT);
            out.printRecord(columns);
            last = 0;
            if (Files.exists(file)) {
              read(file, columns, linesOfStep, line -> copy(line, step, out));
            }
            AtomicFile.write(file, kept.toString());
            printer =
                new CSVPrinter(
                    Files.newBufferedWriter(file, StandardOpenOption.APPEND), CSVFormat.DEFAULT);
          });
    }

    private void copy(CSVRecord line, long step, CSVPrinter out) {
      long own = Long.parseLong(line.get("step"));
      if (own > step) return;
      lines = own == last ? lines + 1 : 1;
      last = own;
      write(() -> out.printRecord(line));
    }

    void print(Object... values) {
      write(
          () -> {
            printer.printRecord(values);
            printer.flush();
          });
    }

    /** Makes the file anew if somebody removed it. */
    void keep() {
      if (Files.exists(file)) return;
      close();
      open(0);
    }

    void close() {
      write(printer::close);
    }
  }

  /** Whether the validation after {@code step} steps is in the log of the run that is resumed. */
  boolean isValidated(long step) {
    return step > 0 && validations.last == step;
  }

  @Override
  public void stepped(Step s) {
    steps.print(
        s.step(),
        s.epoch(),
        number(s.result().loss()),
        number(s.result().accuracy()),
        number(s.result().accuracyWithoutMargin()),
        number(s.learningRate()),
        number(s.margin()),
        number(s.utterancesPerSecond()),
        number(s.dataWaitNanos() / 1e6),
        number(s.result().nanos() / 1e6),
        s.memory().totalPeak());
  }

  @Override
  public void validated(long step, Map<String, Verification> lists) {
    lists.forEach(
        (list, v) ->
            validations.print(
                step,
                number(v.eerPercent()),
                number(v.minDcf()),
                v.pTarget(),
                v.trials(),
                list,
                v.sha256()));
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.6g", value);
  }

  /** Makes sure that what was told is in the folder. */
  void keep() {
    steps.keep();
    validations.keep();
  }

  @Override
  public void close() {
    try {
      steps.close();
    } finally {
      validations.close();
    }
  }
}
