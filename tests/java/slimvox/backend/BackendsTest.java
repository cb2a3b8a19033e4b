package slimvox.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;
import slimvox.storage.InputException;

class BackendsTest {
  @ParameterizedTest
  @CsvSource({"cpu, cpu", "dry, dry", "best, cpu", "auto, cpu"})
  void namesAreOpened(String name, String opened) {
    try (Backend backend = Backends.open(name, 1, MemoryBudget.UNLIMITED)) {
      assertEquals(opened, backend.name());
    }
  }

  @Test
  void budgetHolds() {
    try (Backend backend = Backends.open("dry", 0, new MemoryBudget(1000))) {
      assertThrows(OutOfBudgetException.class, () -> backend.allocate(Category.INPUT, "x", 251));
    }
  }

  @Test
  void unknownNameListsTheKnownOnes() {
    InputException e =
        assertThrows(InputException.class, () -> Backends.open("gpu", 0, MemoryBudget.UNLIMITED));
    assertEquals(
        "no backend 'gpu'; there are cpu, dry and best (the fastest here)", e.getMessage());
  }

  @Test
  void cudaSaysWhyItIsNotThere() {
    InputException e =
        assertThrows(InputException.class, () -> Backends.open("cuda", 0, MemoryBudget.UNLIMITED));
    assertEquals("backend cuda: not part of this version; use cpu", e.getMessage());
    List<Backends.Choice> choices = Backends.choices();
    assertEquals(
        List.of("cuda", "cpu", "dry"), choices.stream().map(Backends.Choice::name).toList());
    assertEquals("not part of this version", choices.getFirst().description());
    assertTrue(choices.get(1).usable(), choices.get(1).description());
  }
}
