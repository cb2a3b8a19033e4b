package slimvox.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.backend.Device.MathMode;
import slimvox.backend.cpu.onednn.OneDnn;
import slimvox.backend.cuda.Cuda;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;
import slimvox.storage.InputException;

class BackendsTest {
  @ParameterizedTest
  @CsvSource({"cpu, cpu", "dry, dry", "best,", "auto,"})
  void namesAreOpened(String name, String opened) {
    if (opened == null) opened = Cuda.find().usable() ? "cuda" : "cpu";
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
        "no backend 'gpu'; there are cuda, cpu, dry and best (the fastest here)", e.getMessage());
  }

  @Test
  void bfloat16IsForTheProcessor() {
    MathMode math = MathMode.BFLOAT16;
    for (String name : List.of("cpu", "best")) {
      try (Backend backend = Backends.open(name, 1, math, MemoryBudget.UNLIMITED)) {
        String said = backend.device().description();
        assertTrue(said.endsWith(", " + OneDnn.bfloat16Math()), said);
      }
    }
    InputException e =
        assertThrows(
            InputException.class, () -> Backends.open("cuda", 0, math, MemoryBudget.UNLIMITED));
    assertEquals(
        "backend cuda: a card does not round factors to bfloat16, but to TF32; or use backend cpu",
        e.getMessage());
  }

  @Test
  void everyKindIsListedTheFastestFirst() {
    List<Backends.Choice> choices = Backends.choices();
    assertEquals(
        List.of("cuda", "cpu", "dry"), choices.stream().map(Backends.Choice::name).toList());
    assertEquals(Cuda.find().description(), choices.getFirst().description());
    assertTrue(choices.get(1).usable(), choices.get(1).description());
  }

  @Test
  void withoutACardTheCpuSaysWhyItWasTaken() {
    Cuda.Finding found = Cuda.find();
    assumeFalse(found.usable(), "this machine has a card");
    InputException e =
        assertThrows(InputException.class, () -> Backends.open("cuda", 0, MemoryBudget.UNLIMITED));
    assertEquals("backend cuda: " + found.description() + "; or use backend cpu", e.getMessage());
    try (Backend best = Backends.best()) {
      assertEquals(
          best.device().description() + "; CUDA is not used: " + found.description(),
          best.description());
    }
    try (Backend cpu = Backends.open("cpu", 0, MemoryBudget.UNLIMITED)) {
      assertEquals(cpu.device().description(), cpu.description());
      assertEquals(Map.of(), cpu.device().driverMemory());
    }
  }

  @Test
  void theBlockOfAStepCountsAgainstTheBudget() {
    try (Backend backend = Backends.open("dry", 0, new MemoryBudget(1000));
        Tensor _ = backend.allocate(Category.PARAMETER, "weight", 100)) {
      backend.reserve(600);
      OutOfBudgetException e = assertThrows(OutOfBudgetException.class, () -> backend.reserve(601));
      assertTrue(e.getMessage().contains("activation block of the planned step"), e.getMessage());
    }
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  /** Memory that has 1 MiB in one piece at most. */
  private static Object small(Object self, Method method, Object[] arguments) {
    if (!method.getName().equals("allocate")) return null;
    if ((long) arguments[0] <= 1 << 20) return 0L;
    throw new OutOfDeviceMemoryException("out of device memory: the card is full");
  }

  @Test
  void outOfDeviceMemoryComesWithTheLedger() {
    Device dry = new DryDevice();
    Device full =
        proxy(
            Device.class,
            (_, method, arguments) ->
                method.getName().equals("memory")
                    ? proxy(Device.Memory.class, BackendsTest::small)
                    : method.invoke(dry, arguments));
    try (Backend backend = new Backend(full);
        Tensor _ = backend.allocate(Category.PARAMETER, "weight", 1 << 18)) {
      OutOfDeviceMemoryException e =
          assertThrows(OutOfDeviceMemoryException.class, () -> backend.reserve(3 << 20));
      assertEquals(
          "out of device memory: the card is full; the ledger holds parameter 1.0 MiB, the block of"
              + " the planned step takes 3.0 MiB; use a smaller batch or fewer frames, or a"
              + " reversible model; what was saved can be resumed",
          e.getMessage());
      assertThrows(
          OutOfDeviceMemoryException.class, () -> backend.allocate(Category.INPUT, "x", 1 << 20));
      assertEquals(1 << 20, backend.ledger().totalBytes());
    }
  }
}
