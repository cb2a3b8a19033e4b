package slimvox.report;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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

  /** An event by its number from 1, and its buffer's place in the arena. */
  private record Line(int number, MemoryLedger.Event event, Long offset) {}

  /** Writes the events of a step with the places of its plan. */
  public static void write(Path file, StepMemory memory) {
    List<Line> lines = new ArrayList<>();
    Map<Long, Long> offsets = new HashMap<>();
    Iterator<ArenaPlan.Slot> slots = memory.plan().slots().iterator();
    for (MemoryLedger.Event e : memory.events()) {
      if (e.allocation()) offsets.put(e.id(), slots.next().offset());
      lines.add(new Line(lines.size() + 1, e, offsets.get(e.id())));
    }
    String table =
        Rows.of(lines)
            .column("event", Line::number)
            .column("change", l -> l.event.allocation() ? "allocated" : "released")
            .column("category", l -> l.event.category().key())
            .column("label", l -> l.event.label())
            .column("bytes", l -> l.event.bytes())
            .column("total_bytes", l -> l.event.totalBytes())
            .column("arena_offset", Line::offset)
            .csv();
    AtomicFile.write(file, table);
  }
}
