package slimvox.step;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.cpu.CpuDevice;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.recipe.Recipe;
import slimvox.settings.Key;
import slimvox.storage.InputException;

/** Full-size training steps, priced; what fits into a budget, and what is said if nothing does. */
class MemoryAnalysisTest {
  private static final int VOXCELEB2_AT_THREE_SPEEDS = 17_982;

  private static Recipe recipe(String... settings) {
    return Recipe.shipped("wespeaker-resnet34", settings);
  }

  private static MemoryAnalysis analysis(int classes) {
    return MemoryAnalysis.of(recipe(), classes);
  }

  private static ModelSpec units(String name, ModelSpec.Units units) {
    return ModelSpec.of(name).with("units=" + Key.of(units));
  }

  /** The figures the project promises: SGD, batch 64, 200 frames, the CPU's workspaces counted. */
  @ParameterizedTest
  @CsvSource({
    "DF-ResNet233, C, CHECKPOINT, 11.5",
    "DF-ResNet233, C, TYPE_I,     12",
    "DF-ResNet233, C, TYPE_II,    16.2",
    "DF-ResNet233, C, LEAN_II,    40",
    "DF-ResNet233, A, TYPE_II,    20",
    "DF-ResNet233, A, LEAN_II,    60",
    "ResNet293,    C, CHECKPOINT, 2.9",
    "ResNet293,    C, TYPE_II,    20",
    "ResNet293,    C, LEAN_II,    20",
  })
  void fullSizeNetworksNeedThisManyTimesLess(
      String name, ModelSpec.Units units, MemoryScheme scheme, double times) {
    try (CpuDevice cpu = CpuDevice.open(0)) {
      MemoryAnalysis analysis = MemoryAnalysis.of(recipe(), VOXCELEB2_AT_THREE_SPEEDS, cpu, 0);
      ModelSpec model = units(name, units);
      StepMemory vanilla = analysis.price(model, 64);
      StepMemory saving = analysis.price(model, scheme, 64);
      assertTrue(saving.timesLessThan(vanilla) >= times, "only " + saving.timesLessThan(vanilla));
      assertEquals(1, (double) saving.parameters() / vanilla.parameters(), 0.05);
    }
  }

  @Test
  void fullyReversibleNetworksOfAnyDepthFitElevenGigabytes() {
    MemoryAnalysis analysis = analysis(VOXCELEB2_AT_THREE_SPEEDS);
    ModelSpec model = ModelSpec.of("DF-ResNet233");
    assertTrue(
        analysis.price(model, MemoryScheme.TYPE_II, 128).neededBytes() < 0.6 * 11e9,
        "with room to spare");
    assertTrue(analysis.price(model, 128).neededBytes() > 100e9);
  }

  /** Wide blocks are sliced, and as narrowly as is tried; those of ResNets only lose by it. */
  @ParameterizedTest
  @CsvSource({"ResNet34, full, 0", "DF-ResNet56, full, 8", "DF-ResNet56, partial, 8"})
  void leanTakesTheSlicesThatNeedLeast(String name, String reversible, int slice) {
    MemoryAnalysis analysis =
        new MemoryAnalysis(StepBuilder.of(recipe(), 100), UpdateTime.IN_BACKWARD, 200, null, 0);
    ModelSpec model = ModelSpec.of(name, "reversible=" + reversible);
    ModelSpec lean = Models.lean(model);
    assertEquals(slice, lean.slice());
    long least = analysis.price(lean, 64).totalPeak();
    for (int other : new int[] {0, 8, 16, 32}) {
      ModelSpec tried = lean.with("slice=" + other);
      assertTrue(least <= analysis.price(tried, 64).totalPeak(), "slices of " + other);
    }
  }

  @Test
  void activationsOfFullyReversibleNetworksDoNotGrowWithDepth() {
    MemoryAnalysis analysis = analysis(0);
    for (MemoryScheme scheme : new MemoryScheme[] {MemoryScheme.TYPE_II, MemoryScheme.LEAN_II}) {
      StepMemory shallow = analysis.price(ModelSpec.of("DF-ResNet56"), scheme, 4);
      StepMemory deep = analysis.price(ModelSpec.of("DF-ResNet233"), scheme, 4);
      assertEquals(
          shallow.report().peak().get(Category.ACTIVATION),
          deep.report().peak().get(Category.ACTIVATION));
    }
  }

  private static List<String> models() {
    return Models.names();
  }

  /**
   * PyTorch's checkpoint per block, measured: kept at the end of forward, and the peak of all but
   * the parameters. ResNets agree; of DF-ResNets PyTorch keeps more, as there the down-sampling
   * convolutions stand outside its checkpoints.
   */
  @ParameterizedTest
  @MethodSource("models")
  void checkpointedBlocksTakeWhatPyTorchsDo(String name) throws IOException {
    JsonNode measured =
        new ObjectMapper()
            .readTree(Path.of("tests/data/models/memory.json").toFile())
            .at("/models/" + name + "/batch4/live_checkpoint_per_block");
    StepMemory step = analysis(0).price(ModelSpec.of(name), MemoryScheme.CHECKPOINT, 4);
    double kept = step.keptForBackwardBytes() / measured.get("end_of_forward").asDouble();
    long fixed =
        step.report().now().get(Category.PARAMETER)
            + step.report().now().get(Category.OPTIMIZER_STATE);
    double peak = (step.totalPeak() - fixed) / measured.get("peak").asDouble();
    if (name.startsWith("ResNet")) {
      assertEquals(1, kept, 0.006);
      assertEquals(1, peak, 0.006);
    } else {
      assertTrue(kept < 1 && kept > 0.8, "kept " + kept);
      assertTrue(peak < 1 && peak > 0.8, "peak " + peak);
    }
  }

  @ParameterizedTest
  @EnumSource(MemoryScheme.class)
  void theLargestBatchFitsAndOneMoreDoesNot(MemoryScheme scheme) {
    MemoryAnalysis analysis = analysis(100);
    ModelSpec model = ModelSpec.of("DF-ResNet56").with("width=8");
    for (String size : new String[] {"20MB", "1GB", "11GB"}) {
      MemoryBudget budget = MemoryBudget.parse(size);
      int largest = analysis.largestBatch(model, scheme, budget);
      if (largest > 0) {
        assertTrue(analysis.price(model, scheme, largest).neededBytes() <= budget.bytes());
      }
      assertTrue(analysis.price(model, scheme, largest + 1).neededBytes() > budget.bytes());
    }
  }

  @Test
  void theDeepestModelOfTheFamilyFitsAndTheNextDoesNot() {
    MemoryAnalysis analysis = analysis(VOXCELEB2_AT_THREE_SPEEDS);
    MemoryBudget budget = MemoryBudget.parse("11GB");
    ModelSpec model = ModelSpec.of("ResNet293");
    assertEquals(Optional.of("ResNet101"), analysis.deepestModel(model, 32, budget));
    assertTrue(analysis.price(ModelSpec.of("ResNet101"), 32).fits(budget));
    assertFalse(analysis.price(ModelSpec.of("ResNet152"), 32).fits(budget));
    assertEquals(Optional.empty(), analysis.deepestModel(model, 4096, budget));
    ModelSpec reversible = MemoryScheme.TYPE_II.apply(ModelSpec.of("DF-ResNet56"));
    assertEquals(Optional.of("DF-ResNet233"), analysis.deepestModel(reversible, 128, budget));
  }

  @Test
  void aStepThatDoesNotFitSaysWhatWould() {
    MemoryFit fit = analysis(5994).fit(ModelSpec.of("DF-ResNet110"), 64, MemoryBudget.parse("4GB"));
    assertFalse(fit.fits());
    assertEquals(Category.ACTIVATION, fit.inTheWay());
    assertEquals(MemoryScheme.CHECKPOINT, fit.helps());
    var e = assertThrows(OutOfBudgetException.class, () -> fit.require(MemoryScheme::options));
    assertEquals(Category.ACTIVATION, e.category());
    String message = e.getMessage();
    assertTrue(
        message.matches(
            "out of the memory budget of 3,814\\.70 MiB \\(4 GB\\): DF-ResNet110 with batch 64 x"
                + " 200 frames needs 2\\d,\\d+\\.\\d+ MiB, \\d+ % of it activation; the largest"
                + " batch that fits is "
                + fit.largestBatch()
                + "; with batch 64 no model of its family fits;"
                + " --recompute checkpoint would make it fit"),
        message);
    analysis(5994)
        .fit(ModelSpec.of("DF-ResNet110"), fit.largestBatch(), fit.budget())
        .require(MemoryScheme::options);
  }

  @Test
  void aBudgetThatNothingFitsInNamesTheCategoryAndWhatToDo() {
    MemoryFit fit =
        analysis(1_000_000).fit(ModelSpec.of("ResNet18"), 8, MemoryBudget.parse("500MB"));
    assertEquals(0, fit.largestBatch());
    assertNull(fit.deepestModel());
    assertNull(fit.helps());
    var e = assertThrows(OutOfBudgetException.class, () -> fit.require(MemoryScheme::options));
    assertTrue(
        e.getMessage().contains("ResNet18 does not fit even with batch 1, which needs "),
        e.getMessage());
    String category = fit.inTheWay().key().replace('_', ' ');
    assertTrue(e.getMessage().contains(" % of it " + category + "; choose "), e.getMessage());
  }

  @ParameterizedTest
  @EnumSource(MemoryScheme.class)
  void theSettingsOfASchemeAreWhatItAppliesTo(MemoryScheme scheme) {
    for (String name : new String[] {"ResNet50", "DF-ResNet56"}) {
      Recipe plain = recipe("model.name=" + name);
      Recipe saving = plain.with(scheme.settings(plain.model()).toArray(String[]::new));
      assertEquals(scheme.apply(plain.model()), saving.model());
      assertEquals(scheme.update(plain.optimizer().update()), saving.optimizer().update());
    }
  }

  @Test
  void onlySettingsThatDifferAreNamed() {
    ModelSpec model = ModelSpec.of("DF-ResNet56");
    assertEquals(List.of(), MemoryScheme.VANILLA.settings(model));
    assertEquals(List.of("model.reversible=full"), MemoryScheme.TYPE_II.settings(model));
    assertEquals(
        List.of("model.reversible=none", "model.recompute=checkpoint"),
        MemoryScheme.CHECKPOINT.settings(MemoryScheme.TYPE_II.apply(model)));
  }

  @Test
  void aNetworkThatCannotBeTrainedSoIsRefused() {
    var e =
        assertThrows(
            InputException.class,
            () ->
                analysis(0)
                    .price(
                        ModelSpec.of("ResNet18", "preActivation=true"), MemoryScheme.TYPE_II, 2));
    assertTrue(e.getMessage().startsWith("ResNet18: preActivation is for networks without"));
  }
}
