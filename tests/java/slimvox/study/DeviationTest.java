package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import slimvox.optim.DynamicTree;
import slimvox.optim.LinearCode;

class DeviationTest {
  @Test
  void knownDeviations() {
    assertEquals(0, Deviation.of(DynamicTree.signed(), 1));
    assertEquals(1, Deviation.of(LinearCode.signed(), 0.003f), "becomes zero");
    assertEquals(1 / 3.0, Deviation.of(LinearCode.signed(), 0.75f / 128), 1e-7);
    assertEquals(0.0617, Deviation.worst(DynamicTree.signed(), 0.1, 1), 5e-4);
    assertEquals(1, Deviation.worst(LinearCode.signed(), 1e-3, 1));
    assertEquals(1 / 255e-3 - 1, Deviation.of(LinearCode.unsigned(), 1e-3f), 1e-6, "becomes 1/255");
    assertEquals(2.5, Deviation.largest(new float[] {1, -2}, new float[] {0, 0.5f}));
  }
}
