package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import slimvox.plot.Figure;
import slimvox.verify.Verification;
import tech.tablesaw.api.Table;

class SeedResultsTest {
  private static Verification eer(double percent) {
    return new Verification(
        percent,
        percent,
        0,
        percent / 20,
        percent / 20,
        0,
        0.05,
        10,
        90,
        "list",
        "0123456789abcd",
        null);
  }

  private static SeedResults results() {
    SeedResults results = new SeedResults();
    results.add("float", 0, eer(5));
    results.add("float", 1, eer(7));
    results.add("float", 2, eer(9));
    results.add("binary", 0, eer(6));
    results.add("binary", 1, eer(6.5));
    return results;
  }

  @Test
  void meansAndRangesOfTheRuns() {
    SeedResults results = results();
    assertEquals(7, results.meanEer("float"));
    assertEquals("7.00 % (5.00 to 9.00, 3 runs)", results.text("float"));
    assertArrayEquals(new double[] {7, 6.25}, results.meanEers());
    Table table = results.table();
    assertEquals("float", table.getString(0, 0));
    assertEquals("6", table.getString(1, 3));
    assertEquals("0.35", table.getString(0, 5));
    assertArrayEquals(new String[] {"float", "binary"}, results.systems());
    Figure bars = results.bars("title");
    assertArrayEquals(new double[] {7, 6.25}, bars.series().getFirst().y());
    assertArrayEquals(
        new double[] {0.28, 0.28, 0.28, 1.28, 1.28}, bars.series().getLast().x(), 1e-12);
    assertArrayEquals(new double[] {5, 7, 9, 6, 6.5}, bars.series().getLast().y());
  }

  @Test
  void differencesAreTakenRunByRun() {
    assertEquals("+0.25 (-0.50 to +1.00, 2 runs)", results().difference("binary", "float"));
    SeedResults others = results();
    others.add("late", 7, eer(1));
    assertThrows(IllegalArgumentException.class, () -> others.difference("late", "float"));
  }

  @Test
  void runsThatAreThereAlreadyOrNotAtAllAreRefused() {
    SeedResults results = results();
    assertThrows(IllegalArgumentException.class, () -> results.add("float", 2, eer(1)));
    assertEquals(
        "no run of 'flaot'; there are float, binary",
        assertThrows(IllegalArgumentException.class, () -> results.text("flaot")).getMessage());
  }
}
