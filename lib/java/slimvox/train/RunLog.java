package slimvox.train;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.StringWriter;
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

  private RunLog(Path folder, CSVPrinter steps, CSVPrinter validations) {
    this.folder = folder;
    this.steps = steps;
    this.validations = validations;
  }

  /**
   * Opens the log to go on after {@code step} steps.
   *
   * @param folder null for a log that is not kept
   */
  static RunLog open(Path folder, long step) {
    if (folder == null) return new RunLog(null, null, null);
    return new RunLog(
        folder,
        printer(folder.resolve("log.csv"), STEP_COLUMNS, step),
        printer(folder.resolve("validation.csv"), VALIDATION_COLUMNS, step));
  }

  private static CSVPrinter printer(Path file, String[] columns, long step) {
    try {
      StringWriter kept = new StringWriter();
      try (CSVPrinter out = new CSVPrinter(kept, CSVFormat.DEFAULT)) {
        out.printRecord((Object[]) columns);
        if (Files.exists(file) && step > 0) copy(file, step, out);
      }
      AtomicFile.write(file, kept.toString());
      BufferedWriter writer = Files.newBufferedWriter(file, StandardOpenOption.APPEND);
      return new CSVPrinter(writer, CSVFormat.DEFAULT);
    } catch (IOException e) {
      throw new InputException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /** A killed run may have left half a line at the end; it is after the checkpoint. */
  private static void copy(Path file, long step, CSVPrinter out) throws IOException {
    CSVFormat format = CSVFormat.DEFAULT.builder().setHeader().setSkipHeaderRecord(true).get();
    try (CSVParser lines = CSVParser.parse(file, java.nio.charset.StandardCharsets.UTF_8, format)) {
      for (CSVRecord line : lines) {
        if (!line.isConsistent() || Long.parseLong(line.get("step")) > step) break;
        out.printRecord(line);
      }
    }
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
