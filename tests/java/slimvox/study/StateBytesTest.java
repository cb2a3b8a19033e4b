package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import slimvox.models.ModelSpec;
import slimvox.optim.OptimizerStateFormat;

class StateBytesTest {
  /** Counted by hand for the classifier, which is one tensor; the rest is the network's. */
  @Test
  void theClassifierAndBothMomentsAreCounted() {
    ModelSpec spec = ModelSpec.of("ResNet34");
    StateBytes network = StateBytes.of(spec, 0, false, OptimizerStateFormat.EIGHT_BIT);
    assertEquals(4 * 6634336, network.full());
    assertEquals(74.5, network.savedPercent(), 0.05);
    StateBytes whole = StateBytes.of(spec, 17982, false, OptimizerStateFormat.EIGHT_BIT);
    long classifier = 17982 * 256;
    assertEquals(network.full() + 4 * classifier, whole.full());
    assertEquals(network.quantized() + classifier + 4 * 17982, whole.quantized());
    StateBytes adam = StateBytes.of(spec, 17982, true, OptimizerStateFormat.EIGHT_BIT);
    assertEquals(2 * whole.full(), adam.full());
    assertEquals(2 * whole.quantized(), adam.quantized());
  }

  @Test
  void aQuantizedTensorSavesAlmostThreeQuarters() {
    assertEquals(74.61, 100 * (1 - (1 + 4.0 / 256) / 4), 0.01);
    ModelSpec spec = ModelSpec.of("DF-ResNet233");
    assertEquals(
        73.4, StateBytes.of(spec, 0, true, OptimizerStateFormat.EIGHT_BIT).savedPercent(), 0.05);
  }
}
