package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.Refusals;
import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.nn.StateDict;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.step.TrainingStep;

/** Full-size networks on the dry backend against PyTorch's counts and measured bytes. */
class ModelMemoryTest {
  private static final Path DATA = Path.of("tests/data/models");

  /** WeSpeaker's networks and how many parameters they have. */
  static Stream<Arguments> parameterCounts() {
    return Stream.of(
        arguments("ResNet18", 4105440L),
        arguments("ResNet34", 6634336L),
        arguments("ResNet50", 11131360L),
        arguments("ResNet101", 15892448L),
        arguments("ResNet152", 19814880L),
        arguments("ResNet221", 23792224L),
        arguments("ResNet293", 28626016L),
        arguments("DF-ResNet56", 4703200L),
        arguments("DF-ResNet110", 7186912L),
        arguments("DF-ResNet179", 9851744L),
        arguments("DF-ResNet233", 12335456L),
        arguments("Gemini-DF-ResNet60", 4047840L),
        arguments("Gemini-DF-ResNet114", 6531552L),
        arguments("Gemini-DF-ResNet183", 9196384L),
        arguments("Gemini-DF-ResNet237", 11680096L));
  }

  @ParameterizedTest
  @MethodSource("parameterCounts")
  void parameterCountsAreWeSpeakers(String name, long count) {
    try (Backend dry = new Backend(new DryDevice());
        Network network = Models.build(ModelSpec.of(name), dry)) {
      assertEquals(count, network.state().parameterCount());
    }
  }

  /**
   * The normalization after the last block is what pre-activation adds; of a bottleneck it moves.
   */
  @ParameterizedTest
  @CsvSource({
    "ResNet18, 512",
    "ResNet34, 512",
    "DF-ResNet56, 512",
    "ResNet50, 2048",
    "ResNet101, 2048"
  })
  void preActivationKeepsTheConvolutions(String name, int added) {
    try (Backend dry = new Backend(new DryDevice());
        Network vanilla = Models.build(ModelSpec.of(name), dry);
        Network pre = Models.build(ModelSpec.of(name, "preActivation=true"), dry)) {
      assertEquals(convolutions(vanilla), convolutions(pre));
      assertEquals(vanilla.state().parameterCount() + added, pre.state().parameterCount());
    }
    for (String other : List.of("reversible=partial", "binary.scheme=bwn", "activation=gelu")) {
      if (name.startsWith("DF") && !other.startsWith("rev")) continue;
      ModelSpec spec = ModelSpec.of(name, "preActivation=true", other);
      Refusals.refused(() -> Models.build(spec, new Backend(new DryDevice())));
    }
  }

  private static Map<String, String> convolutions(Network network) {
    Map<String, String> shapes = new TreeMap<>();
    network
        .state()
        .parameters()
        .forEach(
            (name, parameter) -> {
              if (name.contains("conv")) shapes.put(name, parameter.value().shape().toString());
            });
    return shapes;
  }

  static List<String> stateDicts() throws IOException {
    List<String> models = new ArrayList<>();
    stateDictNames().fieldNames().forEachRemaining(models::add);
    return models;
  }

  private static JsonNode stateDictNames() throws IOException {
    return new ObjectMapper()
        .readTree(DATA.resolve("state_dict_names.json").toFile())
        .get("state_dicts");
  }

  /** Where a name of WeSpeaker's stands here: what leads into a stage is next to its blocks. */
  private static int place(String line) {
    String[] parts = line.split("[. ]");
    return switch (parts[0]) {
      case "downsample_layers" -> 2 * Integer.parseInt(parts[1]);
      case "stages" -> 2 * Integer.parseInt(parts[1]) + 3;
      case "seg_1", "projection" -> 100;
      default -> 1; // of a ResNet
    };
  }

  @ParameterizedTest
  @MethodSource("stateDicts")
  void namesAndShapesAreWeSpeakersStateDict(String model) throws IOException {
    List<String> expected = new ArrayList<>();
    for (JsonNode entry : stateDictNames().get(model)) {
      expected.add(entry.get(0).asText() + " " + entry.get(1).toString().replace(",", ", "));
    }
    expected.sort(Comparator.comparingInt(ModelMemoryTest::place));
    String name = model.replace('_', '-');
    List<String> actual = new ArrayList<>();
    try (Backend dry = new Backend(new DryDevice());
        Network network = Models.build(ModelSpec.of(name), dry);
        AamSoftmax classifier = new AamSoftmax(dry, 256, 17982, 32)) {
      StateDict state = new StateDict();
      network.describe(state);
      classifier.describe(state);
      for (String n : state.names()) {
        String shape = "[]";
        if (state.parameters().containsKey(n)) {
          shape = state.parameters().get(n).value().shape().toString();
        } else if (state.buffers().containsKey(n)) {
          shape = state.buffers().get(n).shape().toString();
        }
        actual.add(n + " " + shape);
      }
    }
    assertEquals(expected, actual);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ResNet18",
        "ResNet34",
        "ResNet50",
        "ResNet101",
        "ResNet152",
        "ResNet221",
        "ResNet293",
        "DF-ResNet56",
        "DF-ResNet233",
        "Gemini-DF-ResNet237"
      })
  void bytesKeptForBackwardArePyTorchs(String name) throws IOException {
    JsonNode reference = new ObjectMapper().readTree(DATA.resolve("memory.json").toFile());
    JsonNode measured = reference.get("models").get(name);
    try (Backend dry = new Backend(new DryDevice())) {
      try (TrainingStep step = step(dry, name, 0)) {
        for (int batch : new int[] {2, 4}) {
          step.run(new float[batch * 80 * 200], new int[batch], 0, 0);
          double pytorch = measured.get("batch" + batch).get("saved").asDouble();
          assertEquals(1, step.keptForBackwardBytes() / pytorch, 0.005);
        }
      }
      dry.ledger().checkOnly();
    }
  }

  @Test
  void staticBytesArePyTorchsAndNothingElseRemainsAfterAStep() throws IOException {
    JsonNode reference = new ObjectMapper().readTree(DATA.resolve("memory.json").toFile());
    JsonNode fixed = reference.get("models").get("ResNet34").get("static");
    try (Backend dry = new Backend(new DryDevice());
        TrainingStep step = step(dry, "ResNet34", 0)) {
      step.run(new float[2 * 80 * 200], new int[2], 0, 0);
      long parameters = fixed.get("parameters").asLong() + bufferBytes(step.state());
      assertEquals(parameters, dry.ledger().bytes(Category.PARAMETER));
      assertEquals(
          fixed.get("sgd_momentum").asLong(), dry.ledger().bytes(Category.OPTIMIZER_STATE));
      assertEquals(
          fixed.get("gradients").asLong(), dry.ledger().report().peak().get(Category.GRADIENT));
      dry.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
    }
  }

  private static long bufferBytes(StateDict state) {
    return state.buffers().values().stream().mapToLong(b -> b.bytes()).sum();
  }

  @Test
  void theClassifierIsCountedWithItsGradientAndState() {
    try (Backend dry = new Backend(new DryDevice());
        TrainingStep step = step(dry, "ResNet18", 1000)) {
      step.run(new float[2 * 80 * 200], new int[2], 0, 0);
      long values = 4105440 + 1000 * 256;
      assertEquals(4 * values, dry.ledger().bytes(Category.OPTIMIZER_STATE));
      assertEquals(4 * values, dry.ledger().report().peak().get(Category.GRADIENT));
    }
  }

  private static TrainingStep step(Backend backend, String name, int classes) {
    return new TrainingStep(
        Models.build(ModelSpec.of(name), backend),
        classes == 0 ? null : new AamSoftmax(backend, 256, classes, 32),
        (b, parameters) ->
            new Sgd(b, parameters, 0.9, 0, 1e-4, true, OptimizerStateFormat.FLOAT32));
  }
}
