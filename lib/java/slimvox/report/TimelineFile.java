package slimvox.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVPrinter;
import slimvox.memory.ArenaPlan;
import slimvox.memory.MemoryLedger;
import slimvox.step.StepMemory;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/** The events of one training step as a table, one line an allocation or a release. */
public final class TimelineFile {
  private TimelineFile() {}

  /** Refuses other endings, before any work is done. */
  public static void requireCsv(Path file) {
    if (file.toString().toLowerCase(Locale.ROOT).endsWith(".csv")) return;
    throw new InputException(file + ": a timeline is written as .csv; change the ending");
  }

  public static void write(Path file, StepMemory memory) {
    StringBuilder text = new StringBuilder();
    Map<Long, Long> offsets = new HashMap<>();
    int slot = 0;
    try (CSVPrinter csv = new CSVPrinter(text, CSVFormat.DEFAULT)) {
      csv.printRecord(
          "event", "change", "category", "label", "bytes", "total_bytes", "arena_offset");
      int number = 0;
      for (MemoryLedger.Event e : memory.events()) {
        if (e.allocation()) {
          ArenaPlan.Slot place = memory.plan().slots().get(slot++);
          offsets.put(e.id(), place.offset());
        }
        csv.printRecord(
            ++number,
            e.allocation() ? "allocated" : "released",
            e.category().key(),
            e.label(),
            e.bytes(),
            e.totalBytes(),
            offsets.get(e.id()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory only: cannot happen
    }
    AtomicFile.write(file, text.toString());
  }
}
