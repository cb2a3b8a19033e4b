package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import slimvox.models.ModelSpec;
import slimvox.plot.Figure;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryScheme;
import slimvox.step.StepMemory;
import tech.tablesaw.api.Table;

class MemoryIdeasTest {
  private static final ModelSpec MODEL = ModelSpec.of("DF-ResNet56");

  private final MemoryAnalysis analysis =
      MemoryAnalysis.of(Recipe.shipped("wespeaker-resnet34"), 17_982);
  private final MemoryIdeas ideas = MemoryIdeas.of(analysis, MODEL, 64);

  @Test
  void meansOfAllIdeasMultiplyToTheWholeFactor() {
    StepMemory vanilla = analysis.price(MODEL, MemoryScheme.VANILLA, 64);
    StepMemory lean = analysis.price(MODEL, MemoryScheme.LEAN_II, 64);
    double whole = lean.timesLessThan(vanilla);
    assertEquals(whole, ideas.timesLess(), 1e-12);
    Table table = ideas.table();
    double product =
        Arrays.stream(table.doubleColumn(3).asDoubleArray()).reduce(1, (a, b) -> a * b);
    assertEquals(whole, product, 1e-9 * whole);
    assertEquals("mean over the 20 orders", table.column(3).name());
  }

  @Test
  void anIdeaThatNeedsAnotherIsNeverFirstAndOneThatIsNeededNeverLast() {
    Table table = ideas.table();
    double[] first = table.doubleColumn(1).asDoubleArray();
    double[] last = table.doubleColumn(2).asDoubleArray();
    assertTrue(first[0] > 1.7 && first[0] < 1.75, "16,879 / 9,786 MiB: " + first[0]);
    assertTrue(Double.isNaN(first[3]) && Double.isNaN(first[4]), "from outputs, in slices");
    assertTrue(Double.isNaN(last[2]) && Double.isNaN(last[3]), "slices need both");
    assertTrue(last[4] > 2.2 && last[4] < 2.3, "2,075 / 919 MiB: " + last[4]);
  }

  @Test
  void everyWaterfallGoesFromVanillaToLean() {
    for (Figure figure : ideas.waterfalls().figures()) {
      double[] left = figure.series().getFirst().x();
      assertEquals(16_879, left[0], 0.5);
      assertEquals(919, left[5], 0.5);
      assertEquals(6, figure.marks().size());
      assertTrue(figure.title().startsWith("18.4 times less = "), figure.title());
    }
  }
}
