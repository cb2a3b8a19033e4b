package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.plot.Figure;
import slimvox.plot.Gallery;
import slimvox.plot.Series;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
import tech.tablesaw.api.Table;

/** The tables of notebooks 01 and 05 against the dry runs they are made of. */
class SchemeTablesTest {
  private static final MemoryAnalysis ANALYSIS =
      MemoryAnalysis.of(Recipe.shipped("wespeaker-resnet34"), 100);
  private static final ModelSpec DEEP = ModelSpec.of("DF-ResNet56").with("width=8");
  private static final ModelSpec ORDINARY =
      ModelSpec.of("DF-ResNet56").with("width=8", "preActivation=true");

  @Test
  void ratiosAreVanillasTotalByTheOthers() {
    Table table = SchemeTables.ratios(ANALYSIS, List.of(DEEP, ORDINARY), 8);
    StepMemory vanilla = ANALYSIS.price(DEEP, MemoryScheme.VANILLA, 8);
    assertEquals(Bytes.mib(vanilla.totalPeak()), table.doubleColumn("vanilla (MiB)").get(0));
    for (MemoryScheme scheme : MemoryScheme.values()) {
      if (scheme == MemoryScheme.VANILLA) continue;
      double expected = (double) vanilla.totalPeak() / ANALYSIS.price(DEEP, scheme, 8).totalPeak();
      assertEquals(expected, table.doubleColumn(scheme.label()).get(0));
    }
    assertTrue(table.doubleColumn("type II").isMissing(1), "preActivation is of ordinary blocks");
    assertTrue(table.doubleColumn("checkpoint per block").get(1) > 1);
  }

  @Test
  void largestBatchesAreThoseOfTheAnalysis() {
    MemoryBudget budget = MemoryBudget.parse("200MB");
    Table table = SchemeTables.largestBatches(ANALYSIS, List.of(DEEP), budget);
    for (MemoryScheme scheme : MemoryScheme.values()) {
      int batch = ANALYSIS.largestBatch(DEEP, scheme, budget);
      assertEquals(batch, table.doubleColumn(scheme.label()).get(0));
    }
  }

  @Test
  void linesAgainstTheBatchRiseAndDotsAreTotals() {
    Figure lines = SchemeTables.againstBatch("", ANALYSIS, DEEP, new double[] {2, 4, 8});
    assertEquals(MemoryScheme.values().length, lines.series().size());
    for (Series s : lines.series()) assertTrue(s.y()[0] < s.y()[1] && s.y()[1] < s.y()[2]);
    Figure dots = SchemeTables.byModel("", ANALYSIS, List.of(DEEP, ORDINARY), 8);
    double vanilla = Bytes.mib(ANALYSIS.price(DEEP, MemoryScheme.VANILLA, 8).totalPeak());
    assertEquals(vanilla, dots.series().getFirst().x()[0]);
    assertTrue(Double.isNaN(dots.series().get(MemoryScheme.TYPE_II.ordinal()).x()[1]));
    long room = ANALYSIS.price(DEEP, MemoryScheme.TYPE_II, 8).totalPeak();
    Figure within =
        SchemeTables.byModel(ANALYSIS, List.of(DEEP, ORDINARY), 8, new MemoryBudget(room));
    assertTrue(within.title().startsWith("Of 2 networks fit: vanilla "), within.title());
    assertTrue(within.title().endsWith(", type II 1"), within.title());
    assertEquals(Bytes.mib(room), within.series().getLast().x()[0]);
  }

  @Test
  void sharesArePerCentOfThePeak() {
    Table shares = SchemeTables.shares("shares", ANALYSIS, DEEP, Category.ACTIVATION, 2, 8);
    var step = ANALYSIS.price(DEEP, MemoryScheme.VANILLA, 8);
    double share = 100.0 * step.report().atTotalPeak().get(Category.ACTIVATION) / step.totalPeak();
    assertEquals("%.1f".formatted(share), shares.getString(0, "batch 8"));
    assertEquals(MemoryScheme.values().length, shares.rowCount());
  }

  @Test
  void slidersGoThroughBudgetsAndBatches() {
    Gallery budgets = SchemeTables.byBudget(ANALYSIS, List.of(DEEP), List.of("1GB", "4GB"));
    MemoryBudget four = MemoryBudget.parse("4GB");
    assertEquals(
        ANALYSIS.largestBatch(DEEP, MemoryScheme.TYPE_II, four),
        budgets.figures().get(1).series().get(MemoryScheme.TYPE_II.ordinal()).x()[0]);
    Gallery batches = SchemeTables.byBatch(ANALYSIS, DEEP, new int[] {2, 4}, four);
    double all =
        batches.figures().get(1).series().stream()
            .filter(s -> s.kind() == Series.Kind.BAR)
            .mapToDouble(s -> s.y()[0])
            .sum();
    double vanilla = Bytes.mib(ANALYSIS.price(DEEP, MemoryScheme.VANILLA, 4).totalPeak());
    assertEquals(vanilla, all, 0.01);
    assertTrue(budgets.figures().get(1).title().startsWith("4GB, DF-ResNet"));
    assertTrue(batches.figures().get(1).title().contains("batch 4: "));
  }

  @Test
  void aStepTableAddsUpAndComparesWithItsFirstRow() {
    StepMemory vanilla = ANALYSIS.price(DEEP, MemoryScheme.VANILLA, 8);
    StepMemory reversible = ANALYSIS.price(DEEP, MemoryScheme.TYPE_II, 8);
    StepTable steps = new StepTable("step").add("vanilla", vanilla).add("type II", reversible);
    Table table = steps.table();
    assertEquals(List.of("vanilla", "type II"), table.stringColumn("step").asList());
    assertTrue(table.columnNames().stream().noneMatch("workspace"::equals), "none was counted");
    for (int row = 0; row < 2; row++) {
      double sum = 0;
      for (int c = 1; c < table.columnCount() - 2; c++) sum += table.doubleColumn(c).get(row);
      assertEquals(table.doubleColumn("total (MiB)").get(row), sum, 1e-9);
    }
    assertEquals(1, table.doubleColumn("times less than the first").get(0));
    assertEquals(
        reversible.timesLessThan(vanilla), table.doubleColumn("times less than the first").get(1));
    double[] tops = new double[2];
    for (Series s : steps.bars("").series()) Arrays.setAll(tops, i -> tops[i] + s.y()[i]);
    assertEquals(table.doubleColumn("total (MiB)").get(0), tops[0], 1e-9);
    assertTrue(Tables.text(table).contains(" 1.00\n"), Tables.text(table));
  }
}
