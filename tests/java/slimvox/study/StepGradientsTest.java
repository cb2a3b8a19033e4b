package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import slimvox.backend.Backend;
import slimvox.backend.cpu.CpuDevice;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.optim.UpdateTime;
import slimvox.storage.InputException;

class StepGradientsTest {
  private static final ModelSpec VANILLA =
      ModelSpec.of("DF-ResNet56", "width=4", "bins=24", "embeddingSize=6");
  private static final ModelSpec REVERSIBLE = VANILLA.with("reversible=full");
  private static final StepGradients.Input INPUT = new StepGradients.Input(3, 24, 5, 0.2, 7);

  @AutoClose private static final Backend cpu = new Backend(CpuDevice.open(1));

  @Test
  void everyParameterHasAGradientAndNothingStays() {
    StepGradients gradients = StepGradients.of(VANILLA, INPUT, cpu);
    try (var network = Models.build(VANILLA, cpu)) {
      assertEquals(network.state().parameters().size() + 1, gradients.values().size());
    }
    float[] classifier = gradients.values().get("projection.weight");
    assertEquals(INPUT.classes() * VANILLA.embeddingSize(), classifier.length);
    assertTrue(gradients.loss() > 0);
    cpu.ledger().checkOnly();
  }

  @Test
  void sameSeedSameBitsWheneverGradientsAreTaken() {
    StepGradients after = StepGradients.of(VANILLA, INPUT, cpu);
    StepGradients within = StepGradients.of(VANILLA, INPUT, cpu, UpdateTime.IN_BACKWARD);
    assertEquals(0, within.distance(after));
    for (String name : after.values().keySet()) {
      assertArrayEquals(after.values().get(name), within.values().get(name), name);
    }
    StepGradients other = StepGradients.of(VANILLA, new StepGradients.Input(3, 24, 5, 0.2, 8), cpu);
    assertTrue(other.distance(after) > 0.1);
  }

  @Test
  void fixedPointRebuildsWithoutNoiseAndFloatWithSome() {
    double floats = StepGradients.rebuildingNoise(REVERSIBLE, INPUT, cpu);
    assertTrue(floats > 0 && floats < 0.05, "noise " + floats);
    String[] fixed = {"streams=fixed"};
    assertEquals(0, StepGradients.rebuildingNoise(REVERSIBLE.with(fixed), INPUT, cpu));
  }

  @Test
  void differentNetworksAreNotCompared() {
    StepGradients vanilla = StepGradients.of(VANILLA, INPUT, cpu);
    StepGradients reversible = StepGradients.of(REVERSIBLE, INPUT, cpu);
    var names = assertThrows(IllegalArgumentException.class, () -> vanilla.distance(reversible));
    assertEquals("these are gradients of different networks", names.getMessage());
    StepGradients wide = StepGradients.of(VANILLA.with("width=8"), INPUT, cpu);
    var sizes = assertThrows(IllegalArgumentException.class, () -> vanilla.distance(wide));
    assertTrue(
        sizes.getMessage().endsWith(": these are gradients of different networks"),
        sizes.getMessage());
    assertThrows(InputException.class, () -> StepGradients.rebuildingNoise(VANILLA, INPUT, cpu));
  }
}
