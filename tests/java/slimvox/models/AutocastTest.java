package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.backend.Backend;
import slimvox.backend.DataType;
import slimvox.backend.cpu.CpuDevice;
import slimvox.loss.AamSoftmax;
import slimvox.nn.Parameter;
import slimvox.optim.UpdateTime;
import slimvox.step.StepBuilder;
import slimvox.step.TrainingStep;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.study.StepGradients;

/**
 * Gradients in bfloat16 against PyTorch's autocast where it is far from float64: wide networks at
 * their initial weights, two utterances.
 */
class AutocastTest {
  private static final StepGradients.Input INPUT = StepGradients.Input.small(3);

  static List<ModelSpec> networks() {
    return List.of(
        ModelSpec.of("ResNet34"),
        ModelSpec.of("ResNet34", "reversible=partial"),
        ModelSpec.of("ResNet34", "reversible=full"),
        ModelSpec.of("DF-ResNet56", "reversible=partial"),
        ModelSpec.of("DF-ResNet56", "reversible=full"));
  }

  private static String name(ModelSpec spec) {
    return spec.name() + "." + spec.reversible();
  }

  /**
   * On a processor without AMX ours are 0.89 to 0.96 of autocast's, which rounds weights and the
   * classifier's products as well; on one with AMX, where weights are rounded here too, 0.90 to
   * 1.04. A tenth is left for chance: each is one draw of rounding errors.
   */
  @ParameterizedTest
  @MethodSource("networks")
  void gradientsAreNoFurtherFromFloat64ThanAutocasts(ModelSpec spec) throws IOException {
    JsonNode answers = new ObjectMapper().readTree(Path.of("tests/data/models/bf16.json").toFile());
    double autocast = answers.get(name(spec)).get("all").asDouble();
    List<String> streams =
        spec.hasReversibleBlocks() ? List.of("float", "fixed16") : List.of("float");
    try (Backend cpu = new Backend(CpuDevice.open(2))) {
      StepGradients exact = gradients(spec, DataType.FLOAT32, cpu); // to 2 % of its norm
      for (String held : streams) {
        ModelSpec s = spec.with("streams=" + held);
        double all = gradients(s, DataType.BFLOAT16, cpu).distance(exact);
        assertTrue(
            all <= 1.1 * autocast && all > autocast / 100,
            name(spec) + ", streams " + held + ": " + all + " of autocast's " + autocast);
      }
    }
  }

  private static StepGradients gradients(ModelSpec spec, DataType type, Backend cpu) {
    Network network = Models.build(spec, cpu).withActivations(type);
    return StepGradients.of(network, INPUT, UpdateTime.AFTER_BACKWARD);
  }

  /** Writes for bf16.py what each network starts from, into a folder. */
  public static void main(String[] folder) {
    try (Backend cpu = new Backend(CpuDevice.open(2))) {
      for (ModelSpec spec : networks()) {
        SafetensorsWriter out = Safetensors.writer();
        out.metadata("model", spec.name()).metadata("kind", spec.reversible().name());
        out.metadata("units", spec.units().name()).metadata("order", spec.order().name());
        gradients(spec, DataType.FLOAT32, cpu)
            .values()
            .forEach((name, g) -> out.put("float32." + name, new long[] {g.length}, g));
        SplittableRandom random = new SplittableRandom(INPUT.seed());
        AamSoftmax classifier = new AamSoftmax(cpu, spec.embeddingSize(), INPUT.classes(), 32);
        try (TrainingStep step =
            new TrainingStep(Models.build(spec, cpu), classifier, StepBuilder::optimizer)) {
          step.initialize(random);
          for (Parameter p : step.state().parameters().values()) {
            long[] shape = Arrays.stream(p.value().shape().toArray()).asLongStream().toArray();
            out.put("param." + p.name(), shape, cpu.ops().floats(p.value()));
          }
        }
        float[] features = new float[INPUT.batch() * INPUT.frames() * spec.bins()];
        for (int i = 0; i < features.length; i++) features[i] = (float) random.nextGaussian();
        out.put("features", new long[] {INPUT.batch(), spec.bins(), INPUT.frames()}, features);
        out.write(Path.of(folder[0], name(spec) + ".safetensors"));
      }
    }
  }
}
