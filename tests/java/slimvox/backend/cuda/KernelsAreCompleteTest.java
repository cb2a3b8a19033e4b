package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.cuda.libraries.CudnnConvolutions;
import slimvox.backend.dry.DryDevice;

/**
 * No device forgets a kernel: one that is not overridden would silently compute nothing. Only
 * questions (workspaces, layouts, what memory there is) have an answer by default.
 */
class KernelsAreCompleteTest {
  /** A card reads weights as they are. */
  private static final List<String> PREPACKING =
      List.of("Convolutions.forwardPrepacked", "Convolutions.prepack");

  /** Nor has it tensors of another type of real numbers, which {@link Device#takes} refuses. */
  private static final List<String> OF_THE_CPU =
      List.of("Convolutions.forwardPrepacked", "Convolutions.prepack", "Elementwise.convert");

  /** A processor negates weights. */
  private static final List<String> DONE_BEFORE = List.of("Convolutions.forwardSubtract");

  @Test
  void everyOperationIsOverridden() throws Exception {
    try (Device cpu = CpuDevice.open(1)) {
      assertEquals(DONE_BEFORE, missing(cpu, false));
    }
    assertEquals(OF_THE_CPU, missing(new IdleCard().device(false), false));
    assertEquals(PREPACKING, missing(Convolutions.Kernels.class, CudnnConvolutions.class, false));
  }

  /** Else a step would be priced without a workspace that it needs. */
  @Test
  void theDryDeviceAsksTheOtherEveryQuestion() throws Exception {
    assertEquals(List.of(), missing(new DryDevice(), true));
  }

  private static List<String> missing(Device device, boolean questions) throws Exception {
    List<String> missing = new ArrayList<>();
    for (RecordComponent family : Device.Families.class.getRecordComponents()) {
      Object kernels = family.getAccessor().invoke(device.kernels());
      missing.addAll(missing(family.getType(), kernels.getClass(), questions));
    }
    return missing.stream().sorted().toList();
  }

  private static List<String> missing(Class<?> kernels, Class<?> implementation, boolean questions)
      throws Exception {
    List<String> missing = new ArrayList<>();
    for (Method m : kernels.getMethods()) {
      boolean asks = m.getReturnType() == long.class || m.getReturnType() == boolean.class;
      Method there = implementation.getMethod(m.getName(), m.getParameterTypes());
      if (asks == questions && there.getDeclaringClass() == kernels) {
        missing.add(kernels.getEnclosingClass().getSimpleName() + "." + m.getName());
      }
    }
    return missing.stream().sorted().toList();
  }
}
