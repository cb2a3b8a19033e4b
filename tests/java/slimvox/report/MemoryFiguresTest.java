package slimvox.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.plot.Figure;
import slimvox.plot.Series;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
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
    var used = List.of(Category.PARAMETER, Category.GRADIENT, Category.ACTIVATION);
    assertEquals(used.size(), figure.series().size(), "what nothing uses is left out");
    for (Category c : used) {
      double[] expected =
          switch (c) {
            case PARAMETER -> new double[] {3, 3, 3, 3, 3};
            case ACTIVATION -> new double[] {0, 2, 2, 0, 0};
            case GRADIENT -> new double[] {0, 0, 0.5, 0.5, 0};
            default -> throw new AssertionError(c);
          };
      Series series = figure.series().get(used.indexOf(c));
      assertEquals(c.key().replace('_', ' '), series.name());
      assertArrayEquals(expected, series.y(), c.key());
    }
  }

  @Test
  void aBufferThatIsComputedAgainHasTwoLines() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.startTimeline();
    long first = ledger.allocated(Category.ACTIVATION, "layer1.0.conv1.out", MIB);
    ledger.freed(first);
    long second = ledger.allocated(Category.ACTIVATION, "layer2.0.conv1.out", MIB);
    long again = ledger.allocated(Category.ACTIVATION, "layer1.0.conv1.out", MIB);
    long gradient = ledger.allocated(Category.ACTIVATION_GRADIENT, "layer1.0.conv1.din", MIB);
    for (long id : new long[] {gradient, again, second}) ledger.freed(id);
    Figure figure = MemoryFigures.lives("a step", ledger.stopTimeline());
    Series activation = figure.series().getFirst();
    assertEquals("activation", activation.name());
    double gap = Double.NaN;
    assertArrayEquals(new double[] {0, 1, gap, 3, 6, gap, 2, 7, gap}, activation.x());
    assertArrayEquals(new double[] {0, 0, 0, 0, 0, 0, -1, -1, -1}, activation.y());
    Series gradients = figure.series().get(1);
    assertArrayEquals(new double[] {4, 5, gap}, gradients.x());
    assertArrayEquals(new double[] {0, 0, 0}, gradients.y(), "in the row of its layer");
    assertArrayEquals(new String[] {"stage 1", "stage 2"}, figure.y().tickLabels());
    assertEquals("a step: an activation is there for 38 % of the step", figure.title());
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
    Series activations = figure.series().getFirst();
    assertTrue(activations.x().length < 1000, "points: " + activations.x().length);
    assertEquals(7, Arrays.stream(activations.y()).max().orElseThrow());
    assertEquals(0, activations.y()[activations.y().length - 1]);
    assertEquals(10000, activations.x()[activations.x().length - 1]);
  }

  @Test
  void forwardBackwardUpdateAndStagesAreMarked() {
    Recipe recipe = Recipe.shipped("wespeaker-resnet34", "model.name=ResNet18");
    MemoryAnalysis analysis = MemoryAnalysis.of(recipe, 10);
    Map<String, StepMemory> steps = new LinkedHashMap<>();
    for (MemoryScheme s : List.of(MemoryScheme.VANILLA, MemoryScheme.TYPE_II)) {
      steps.put(s.label(), analysis.price(recipe.model(), s, 2));
    }
    StepMemory vanilla = steps.get("vanilla");
    Figure figure = MemoryFigures.timeline("a step", vanilla.report(), vanilla.events());
    assertEquals(
        List.of("forward", "backward", "update"),
        figure.marks().stream().map(m -> m.text()).toList());
    int turn = (int) figure.marks().getFirst().to();
    var first = vanilla.events().stream().filter(e -> e.label().endsWith("din")).findFirst();
    assertEquals(turn, vanilla.events().indexOf(first.orElseThrow()));
    assertEquals(vanilla.events().size(), figure.marks().getLast().to());
    assertEquals("1, 2, 3, 4, 4, 3, 2, 1", String.join(", ", figure.x().tickLabels()));
    var all = MemoryFigures.timelines("a step", steps);
    assertEquals(
        List.of("vanilla", "type II", "vanilla, its own scale", "type II, its own scale"),
        all.labels());
    assertTrue(
        all.figures().get(1).title().matches("type II: [0-9,]+ MiB at the peak, a step"),
        all.figures().get(1).title());
    double same = all.figures().get(1).y().high();
    assertEquals(all.figures().get(0).y().high(), same);
    assertTrue(all.figures().get(3).y().high() < same);
    List<Series> areas = all.figures().getFirst().series();
    double[] totals = new double[areas.getFirst().y().length];
    for (Series area : areas) Arrays.setAll(totals, i -> totals[i] + area.y()[i]);
    assertEquals(Bytes.mib(vanilla.totalPeak()), Arrays.stream(totals).max().orElseThrow(), 0.05);
  }

  @Test
  void theTableHasNowAndPeakOfEachCategoryAndTheirSum() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.allocated(Category.PARAMETER, "weight", 3 * MIB);
    ledger.freed(ledger.allocated(Category.ACTIVATION, "out", MIB));
    Table table = MemoryFigures.table(ledger.report());
    assertEquals(Category.values().length + 1, table.rowCount());
    assertEquals("3.00", table.getString(Category.PARAMETER.ordinal(), 1));
    assertEquals("75.0 %", table.getString(Category.PARAMETER.ordinal(), 3));
    assertEquals("0.00", table.getString(Category.ACTIVATION.ordinal(), 1));
    assertEquals("1.00", table.getString(Category.ACTIVATION.ordinal(), 2));
    assertEquals("25.0 %", table.getString(Category.ACTIVATION.ordinal(), 3));
    int total = table.rowCount() - 1;
    assertEquals("total", table.getString(total, 0));
    assertEquals("3.00", table.getString(total, 1));
    assertEquals("4.00", table.getString(total, 2));
  }
}
