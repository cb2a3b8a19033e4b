package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.cpu.CpuDevice;
import slimvox.models.ModelSpec.Order;
import slimvox.models.ModelSpec.Reversibility;
import slimvox.models.ModelSpec.Units;
import slimvox.settings.Key;
import slimvox.storage.Safetensors;
import slimvox.study.StepGradients;

/** Reversible networks against PyTorch's autograd in float64, stored, rebuilt and lean. */
class RevNetKnownAnswerTest {
  private static final Safetensors KNOWN =
      Safetensors.read(Path.of("tests/data/models/revnet.safetensors"));

  static List<ModelSpec> networks() {
    List<ModelSpec> specs = new ArrayList<>();
    for (String name : List.of("ResNet18", "DF-ResNet56")) {
      for (Reversibility kind : List.of(Reversibility.PARTIAL, Reversibility.FULL)) {
        specs.add(network(name, kind, Units.A, Order.PRE));
        specs.add(network(name, kind, Units.B, Order.POST));
        specs.add(network(name, kind, Units.C, Order.PRE));
        specs.add(network(name, kind, Units.C, Order.POST));
      }
    }
    for (Units units : Units.values()) { // one axis is squeezed at a time
      specs.add(network("Gemini-DF-ResNet60", Reversibility.FULL, units, Order.PRE));
    }
    return specs;
  }

  private static ModelSpec network(String name, Reversibility kind, Units units, Order order) {
    return ModelSpec.of(name, "width=4", "bins=24", "embeddingSize=6")
        .with("reversible=" + Key.of(kind), "units=" + Key.of(units), "order=" + Key.of(order));
  }

  @ParameterizedTest
  @MethodSource("networks")
  void lossAndGradientsAreThoseOfPyTorch(ModelSpec spec) {
    check(spec, StepGradients::storing);
    check(spec, StepGradients::of);
    if (spec.order() == Order.PRE) check(Models.lean(spec), StepGradients::of);
  }

  private interface Step {
    StepGradients of(ModelSpec spec, StepGradients.Input input, Backend backend);
  }

  private static void check(ModelSpec spec, Step step) {
    String name =
        "%s.%s.%s.%s".formatted(spec.name(), spec.reversible(), spec.units(), spec.order());
    try (Backend cpu = new Backend(CpuDevice.open(1))) {
      StepGradients gradients = step.of(spec, new StepGradients.Input(3, 21, 5, 0.2, 7), cpu);
      assertEquals(KNOWN.doubles(name + ".loss")[0], gradients.loss(), 1e-4, name);
      double[] rows = KNOWN.doubles(name + ".gradients");
      List<String> parameters = parameters(spec, cpu);
      assertEquals(rows.length, 5 * parameters.size(), name);
      for (int i = 0; i < parameters.size(); i++) {
        float[] values = gradients.values().get(parameters.get(i));
        // A ReLU that rounding turns over is felt in all gradients below it: see StepGradients.
        double tolerance = 0.01 * rows[5 * i] + 3e-4;
        assertEquals(rows[5 * i], norm(values), tolerance, name + " " + parameters.get(i));
        for (int k = 0; k < Math.min(4, values.length); k++) {
          assertEquals(rows[5 * i + 1 + k], values[k], tolerance, name + " " + parameters.get(i));
        }
      }
    }
  }

  private static List<String> parameters(ModelSpec spec, Backend cpu) {
    try (Network network = Models.build(spec, cpu)) {
      List<String> names = new ArrayList<>(network.state().parameters().keySet());
      names.add("projection.weight");
      return names;
    }
  }

  private static double norm(float[] values) {
    double sum = 0;
    for (float v : values) sum += (double) v * v;
    return Math.sqrt(sum);
  }
}
