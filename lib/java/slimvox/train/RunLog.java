package slimvox.train;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
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
final class RunLog implements AutoCloseable {
  private static final String[] STEP_COLUMNS = {
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
    "peak_bytes"
  };
  private static final String[] VALIDATION_COLUMNS = {
    "step", "eer_percent", "min_dcf", "p_target", "trials", "trial_list", "sha256"
  };

  private final Path folder;
  private final CSVPrinter steps;
  private final CSVPrinter validations;
  private final long lastValidation;

  private RunLog(Path folder, CSVPrinter steps, CSVPrinter validations, long lastValidation) {
    this.folder = folder;
    this.steps = steps;
    this.validations = validations;
    this.lastValidation = lastValidation;
  }

  /**
   * Opens the log to go on after {@code step} steps.
   *
   * @param folder null for a log that is not kept
   */
  static RunLog open(Path folder, long step) {
    if (folder == null) return new RunLog(null, null, null, 0);
    Path steps = folder.resolve("log.csv");
    Path validations = folder.resolve("validation.csv");
    keep(steps, STEP_COLUMNS, step);
    long lastValidation = keep(validations, VALIDATION_COLUMNS, step);
    return new RunLog(folder, printer(steps), printer(validations), lastValidation);
  }

  /**
   * Leaves a header and the lines up to {@code step} in a file.
   *
   * @return the step of the last line, 0 if there is none
   */
  private static long keep(Path file, String[] columns, long step) {
    try {
      StringWriter kept = new StringWriter();
      long last = 0;
      try (CSVPrinter out = new CSVPrinter(kept, CSVFormat.DEFAULT)) {
        out.printRecord((Object[]) columns);
        if (Files.exists(file) && step > 0) last = copy(file, step, out);
      }
      AtomicFile.write(file, kept.toString());
      return last;
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** A killed run may have left half a line at the end; it is after the checkpoint. */
  private static long copy(Path file, long step, CSVPrinter out) throws IOException {
    CSVFormat format = CSVFormat.DEFAULT.builder().setHeader().setSkipHeaderRecord(true).get();
    long last = 0;
    try (CSVParser lines = CSVParser.parse(file, StandardCharsets.UTF_8, format)) {
      for (CSVRecord line : lines) {
        if (!line.isConsistent() || Long.parseLong(line.get("step")) > step) break;
        out.printRecord(line);
        last = Long.parseLong(line.get("step"));
      }
    } catch (UncheckedIOException e) {
      // The half line ends within a quoted field.
    }
    return last;
  }

  private static CSVPrinter printer(Path file) {
    try {
      BufferedWriter writer = Files.newBufferedWriter(file, StandardOpenOption.APPEND);
      return new CSVPrinter(writer, CSVFormat.DEFAULT);
    } catch (IOException e) {
      throw new InputException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /** Whether the validation after {@code step} steps is in the log of the run that is resumed. */
  boolean isValidated(long step) {
    return step > 0 && lastValidation == step;
  }

  void step(Listener.Step s) {
    if (folder == null) return;
    print(
        steps,
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

  void validation(long step, Verification v) {
    if (folder == null) return;
    print(
        validations,
        step,
        number(v.eerPercent()),
        number(v.minDcf()),
        v.pTarget(),
        v.trials(),
        v.trialList(),
        v.sha256());
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.6g", value);
  }

  private void print(CSVPrinter printer, Object... values) {
    try {
      printer.printRecord(values);
    } catch (IOException e) {
      throw new InputException(folder + ": the log cannot be written: " + e.getMessage(), e);
    }
  }

  void flush() {
    if (folder == null) return;
    try {
      steps.flush();
      validations.flush();
    } catch (IOException e) {
      throw new InputException(folder + ": the log cannot be written: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    if (folder == null) return;
    try {
      steps.close();
      validations.close();
    } catch (IOException e) {
      throw new InputException(folder + ": the log cannot be written: " + e.getMessage(), e);
    }
  }
}
