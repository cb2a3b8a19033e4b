package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.OutOfBudgetException;

/** A network that could not be built leaves nothing in the ledger. */
class FailedBuildTest {
  static List<String> networks() {
    return Models.names();
  }

  @ParameterizedTest
  @MethodSource("networks")
  void ofEveryNetwork(String name) {
    ModelSpec spec = ModelSpec.of(name);
    long bytes;
    try (Backend dry = new Backend(new DryDevice())) {
      Models.build(spec, dry);
      bytes = dry.ledger().totalBytes();
    }
    for (long budget : new long[] {bytes - 1, bytes / 2, 0}) {
      try (Backend small =
          new Backend(new DryDevice(), new MemoryLedger(new MemoryBudget(budget)))) {
        assertThrows(OutOfBudgetException.class, () -> Models.build(spec, small));
        assertEquals(0, small.ledger().liveBuffers(), "budget " + budget);
      }
    }
  }

  @Test
  void soThatASmallerOneFitsAndTensorsOfOthersStay() {
    MemoryLedger ledger = new MemoryLedger(new MemoryBudget(1_200_000));
    try (Backend cpu = new Backend(CpuDevice.open(1), ledger)) {
      cpu.allocate(Category.INPUT, "another's", 1000);
      ModelSpec spec = ModelSpec.of("ResNet18");
      for (int i = 0; i < 3; i++) {
        assertThrows(OutOfBudgetException.class, () -> Models.build(spec.with("width=8"), cpu));
        assertEquals(List.of("another's"), ledger.liveLabels(Category.values()));
      }
      Models.build(spec.with("width=4"), cpu).close();
      ledger.checkOnly(Category.INPUT);
    }
  }
}
