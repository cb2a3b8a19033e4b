package slimvox.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryLedgerTest {
  private final MemoryLedger ledger = new MemoryLedger();

  @Test
  void categoriesAtTheTotalPeakAddUpToItAndTheirOwnPeaksNeedNot() {
    long a = ledger.allocated(Category.ACTIVATION, "a", 100);
    ledger.freed(a);
    ledger.allocated(Category.GRADIENT, "g", 60);
    ledger.allocated(Category.ACTIVATION, "b", 70);
    MemoryReport report = ledger.report();
    assertEquals(130, report.totalPeak());
    assertEquals(70, report.atTotalPeak().get(Category.ACTIVATION));
    assertEquals(60, report.atTotalPeak().get(Category.GRADIENT));
    assertEquals(100, report.peak().get(Category.ACTIVATION));
    assertEquals(
        report.totalPeak(), report.atTotalPeak().values().stream().mapToLong(v -> v).sum());
  }

  @Test
  void timelineListsEventsWithTotalsAndLabels() {
    ledger.allocated(Category.PARAMETER, "before", 8);
    ledger.startTimeline();
    long id = ledger.allocated(Category.WORKSPACE, "w", 24);
    ledger.freed(id);
    List<MemoryLedger.Event> events = ledger.stopTimeline();
    assertEquals(2, events.size());
    assertEquals(32, events.get(0).totalBytes());
    assertEquals(8, events.get(1).totalBytes());
    assertEquals("+ workspace w 24", events.get(0).toString());
  }

  @Test
  void leaksAreNamed() {
    ledger.allocated(Category.PARAMETER, "w", 8);
    ledger.checkOnly(Category.PARAMETER);
    long mark = ledger.mark();
    ledger.allocated(Category.ACTIVATION, "conv1.out", 8);
    var e = assertThrows(IllegalStateException.class, () -> ledger.checkOnly(Category.PARAMETER));
    assertEquals("1 buffers were not released, the first: activation conv1.out", e.getMessage());
    assertThrows(IllegalStateException.class, () -> ledger.checkNoneSince(mark));
    ledger.freeSince(mark);
    ledger.checkNoneSince(mark);
    assertEquals(8, ledger.totalBytes());
  }

  @Test
  void secondReleaseIsAnError() {
    long id = ledger.allocated(Category.INPUT, "x", 4);
    ledger.freed(id);
    assertThrows(IllegalStateException.class, () -> ledger.freed(id));
  }

  @Test
  void budgetNamesTheCategoryThatDidNotFitAndTheLargest() {
    MemoryLedger limited = new MemoryLedger(MemoryBudget.parse("1MiB"));
    limited.allocated(Category.ACTIVATION, "a", 1 << 19);
    var e =
        assertThrows(
            OutOfBudgetException.class,
            () -> limited.allocated(Category.GRADIENT, "conv1.weight.grad", (1 << 19) + 1));
    assertEquals(Category.GRADIENT, e.category());
    assertTrue(
        e.getMessage().contains("gradient conv1.weight.grad needs 0.50 MiB"), e.getMessage());
    assertTrue(e.getMessage().contains("most of it activation"), e.getMessage());
    assertEquals(1 << 19, limited.totalBytes());
  }

  @Test
  void resetPeakStartsFromWhatIsInUse() {
    long id = ledger.allocated(Category.ACTIVATION, "a", 100);
    ledger.allocated(Category.PARAMETER, "p", 10);
    ledger.freed(id);
    ledger.resetPeak();
    assertEquals(10, ledger.report().totalPeak());
    assertEquals(0, ledger.report().peak().get(Category.ACTIVATION));
  }
}
