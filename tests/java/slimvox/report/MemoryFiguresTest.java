package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.plot.Figure;
import slimvox.plot.Series;
import tech.tablesaw.api.Table;

class MemoryFiguresTest {
  private static final long MIB = 1 << 20;

  @Test
  void theTimelineAddsUpWhatComesAndGoesByCategory() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.allocated(Category.PARAMETER, "weight", 3 * MIB);
    MemoryReport before = ledger.report();
    ledger.startTimeline();
    long out = ledger.allocated(Category.ACTIVATION, "out", 2 * MIB);
    long grad = ledger.allocated(Category.GRADIENT, "grad", MIB / 2);
    ledger.freed(out);
    ledger.freed(grad);
    Figure figure = MemoryFigures.timeline("a step", before, ledger.stopTimeline());
    assertEquals(Category.values().length, figure.series().size());
    for (Category c : Category.values()) {
      double[] expected =
          switch (c) {
            case PARAMETER -> new double[] {3, 3, 3, 3, 3};
            case ACTIVATION -> new double[] {0, 2, 2, 0, 0};
            case GRADIENT -> new double[] {0, 0, 0.5, 0.5, 0};
            default -> new double[5];
          };
      Series series = figure.series().get(c.ordinal());
      assertEquals(c.key().replace('_', ' '), series.name());
      assertArrayEquals(expected, series.y(), c.key());
    }
  }

  @Test
  void aLongTimelineIsDrawnWithFewerPointsAndKeepsItsPeak() {
    MemoryLedger ledger = new MemoryLedger();
    MemoryReport before = ledger.report();
    ledger.startTimeline();
    for (int i = 0; i < 5000; i++) {
      long bytes = (i == 3333 ? 7 : 1) * MIB;
      ledger.freed(ledger.allocated(Category.ACTIVATION, "out", bytes));
    }
    Figure figure = MemoryFigures.timeline("a step", before, ledger.stopTimeline());
    Series activations = figure.series().get(Category.ACTIVATION.ordinal());
    assertTrue(activations.x().length < 1000, "points: " + activations.x().length);
    assertEquals(7, Arrays.stream(activations.y()).max().orElseThrow());
    assertEquals(0, activations.y()[activations.y().length - 1]);
    assertEquals(10000, activations.x()[activations.x().length - 1]);
  }

  @Test
  void theTableHasNowAndPeakOfEachCategoryAndTheirSum() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.allocated(Category.PARAMETER, "weight", 3 * MIB);
    ledger.freed(ledger.allocated(Category.ACTIVATION, "out", MIB));
    Table table = MemoryFigures.table(ledger.report());
    assertEquals(Category.values().length + 1, table.rowCount());
    assertEquals("3", table.getString(Category.PARAMETER.ordinal(), 1));
    assertEquals("75.0 %", table.getString(Category.PARAMETER.ordinal(), 3));
    assertEquals("0", table.getString(Category.ACTIVATION.ordinal(), 1));
    assertEquals("1", table.getString(Category.ACTIVATION.ordinal(), 2));
    assertEquals("25.0 %", table.getString(Category.ACTIVATION.ordinal(), 3));
    int total = table.rowCount() - 1;
    assertEquals("total", table.getString(total, 0));
    assertEquals("3", table.getString(total, 1));
    assertEquals("4", table.getString(total, 2));
  }
}
