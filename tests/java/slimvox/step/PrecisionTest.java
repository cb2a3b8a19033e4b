package slimvox.step;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.DataType;
import slimvox.backend.Device;
import slimvox.backend.Device.MathMode;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.embed.Embedder;
import slimvox.loss.AamSoftmax;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.Sgd;
import slimvox.optim.UpdateTime;
import slimvox.storage.InputException;

/** Training with activations of bfloat16 and streams of whole numbers. */
class PrecisionTest {
  private static final int BINS = 24;
  private static final int FRAMES = 24;
  private static final int[] LABELS = {0, 1, 4};

  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  /** A network and the type of its activations. */
  private record Case(ModelSpec spec, DataType type) {
    @Override
    public String toString() {
      return spec + ", " + type;
    }

    Network network(Backend backend) {
      return Models.build(spec, backend).withActivations(type);
    }

    Function<Backend, TrainingStep> step(UpdateTime update) {
      return b ->
          new TrainingStep(
              network(b),
              new AamSoftmax(b, spec.embeddingSize(), 5, 32),
              (backend, parameters) ->
                  new Sgd(backend, parameters, 0.9, 0, 1e-4, true, OptimizerStateFormat.EIGHT_BIT),
              update);
    }
  }

  private static ModelSpec small(String name, String... settings) {
    return ModelSpec.of(name, "width=8", "bins=" + BINS, "embeddingSize=8").with(settings);
  }

  /** What works in bfloat16: blocks, poolings, activations and ways to save memory. */
  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    List<String[]> ordinary =
        List.of(
            new String[0],
            new String[] {"pooling=astp"},
            new String[] {"pooling=gsp", "recompute=checkpoint", "rebuild=true"});
    for (String name : List.of("ResNet18", "ResNet50", "DF-ResNet56")) {
      for (String[] settings : ordinary) {
        cases.add(new Case(small(name, settings), DataType.BFLOAT16));
      }
    }
    cases.add(new Case(small("ResNet18", "activation=gelu"), DataType.BFLOAT16));
    cases.add(new Case(small("ResNet18", "preActivation=true"), DataType.BFLOAT16));
    for (String scheme : List.of("bwn", "paper", "w1a1", "w32a1")) {
      cases.add(bfloat16("ResNet18", "binary.scheme=" + scheme));
      cases.add(bfloat16("ResNet34", "binary.scheme=" + scheme, "recompute=checkpoint"));
    }
    cases.add(bfloat16("ResNet50", "binary.scheme=bwn", "binary.activation=prelu"));
    for (String streams : List.of("float", "fixed", "fixed16", "fixed8")) {
      String s = "streams=" + streams;
      cases.add(bfloat16("ResNet18", "reversible=partial", "units=c", s));
      cases.add(
          bfloat16("DF-ResNet56", "reversible=full", "units=a", "slice=3", "rebuild=true", s));
      cases.add(bfloat16("ResNet18", "reversible=full", "units=c", "slice=3", "keep=1", s));
      cases.add(bfloat16("ResNet50", "reversible=partial", "units=b", "order=post", s));
    }
    for (String streams : List.of("fixed16", "fixed8")) {
      ModelSpec spec = small("ResNet18", "reversible=full", "units=a", "streams=" + streams);
      cases.add(new Case(spec, DataType.FLOAT32));
    }
    return cases;
  }

  private static Case bfloat16(String name, String... settings) {
    return new Case(small(name, settings), DataType.BFLOAT16);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void dryLedgerIsTheRealOneAndTwoRunsGiveTheSameBits(Case c) {
    List<float[]> before = null;
    for (UpdateTime update : UpdateTime.values()) {
      try (PlannedTraining training = new PlannedTraining(cpu, c.step(update))) {
        training.step().initialize(new SplittableRandom(1));
        List<String> planned = events(training.timeline(LABELS.length, FRAMES));
        training.run(features(), LABELS, 0.2, 0); // finds the steps of streams, moves nothing
        cpu.ledger().startTimeline();
        double loss = training.step().run(features(), LABELS, 0.2, 0.01).loss();
        assertTrue(Double.isFinite(loss) && loss > 0, "loss " + loss);
        assertEquals(planned, events(cpu.ledger().stopTimeline()));
        cpu.ledger().checkOnly(Category.PARAMETER, Category.OPTIMIZER_STATE);
        List<float[]> after = new ArrayList<>();
        for (Parameter p : training.step().state().parameters().values()) {
          after.add(cpu.ops().floats(p.value()));
        }
        for (int i = 0; before != null && i < after.size(); i++) {
          assertArrayEquals(before.get(i), after.get(i));
        }
        before = after;
      }
    }
  }

  private static List<String> events(List<MemoryLedger.Event> timeline) {
    return timeline.stream().map(e -> e + " total " + e.totalBytes()).toList();
  }

  private static float[] features() {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[LABELS.length * BINS * FRAMES];
    for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
    return values;
  }

  /** Gradients of all parameters, and the output. */
  private Map<String, float[]> gradients(Network built) {
    Map<String, float[]> results = new LinkedHashMap<>();
    try (Network network = built;
        Tensor x = cpu.allocate(Category.INPUT, "x", LABELS.length, BINS, FRAMES, 1)) {
      network.initialize(new SplittableRandom(5));
      cpu.ops().upload(features(), x);
      Tensor y = network.forward(x, Mode.TRAIN);
      results.put("output", cpu.ops().floats(y));
      Tensor dy = cpu.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
      float[] up = new float[Math.toIntExact(y.size())];
      for (int i = 0; i < up.length; i++) up[i] = (i % 7 - 3) / 8f;
      y.close();
      cpu.ops().upload(up, dy);
      network.backward(dy);
      for (Parameter p : network.state().parameters().values()) {
        results.put(p.name(), cpu.ops().floats(p.gradient()));
        p.dropGradient();
      }
    }
    cpu.ledger().checkOnly();
    return results;
  }

  static Stream<Case> fixed() {
    return Stream.of("fixed16", "fixed8")
        .flatMap(
            streams ->
                Stream.of("ResNet18", "DF-ResNet56")
                    .flatMap(
                        name ->
                            Stream.of("a", "c")
                                .map(
                                    units ->
                                        small(
                                            name,
                                            "reversible=full",
                                            "units=" + units,
                                            "streams=" + streams))))
        .flatMap(
            spec -> Stream.of(DataType.FLOAT32, DataType.BFLOAT16).map(t -> new Case(spec, t)));
  }

  @ParameterizedTest
  @MethodSource("fixed")
  void rebuiltGradientsAreTheStoredOnesToTheBit(Case c) {
    Map<String, float[]> stored = gradients(c.network(cpu).storing());
    Map<String, float[]> rebuilt = gradients(c.network(cpu));
    for (String name : stored.keySet()) {
      assertArrayEquals(stored.get(name), rebuilt.get(name), name);
    }
  }

  /** A range that is too small is doubled until the batch fits, and nothing else changes. */
  @ParameterizedTest
  @MethodSource("fixed")
  void anOverflowIsMetWithALargerStep(Case c) {
    List<float[]> parameters = new ArrayList<>();
    List<Long> steps = new ArrayList<>();
    for (int tooSmall : new int[] {0, 9}) {
      try (PlannedTraining training = new PlannedTraining(cpu, c.step(UpdateTime.IN_BACKWARD))) {
        training.step().initialize(new SplittableRandom(1));
        var counter = training.step().state().counters().get("trunk.step");
        training.run(features(), LABELS, 0.2, 0); // finds the step
        counter.set().accept(counter.get().getAsLong() - tooSmall);
        training.run(features(), LABELS, 0.2, 0.01);
        steps.add(counter.get().getAsLong());
        training.step().state().parameters().values().stream()
            .map(p -> cpu.ops().floats(p.value()))
            .forEach(parameters::add);
      }
    }
    // From below the step stops at the first that holds the batch, which is not more.
    assertTrue(steps.get(1) <= steps.get(0) && steps.get(1) >= steps.get(0) - 2, steps + "");
    int half = parameters.size() / 2;
    double difference = 0;
    double size = 0;
    for (int i = 0; i < half; i++) {
      for (int j = 0; j < parameters.get(i).length; j++) {
        difference += Math.pow(parameters.get(i)[j] - parameters.get(half + i)[j], 2);
        size += Math.pow(parameters.get(i)[j], 2);
      }
    }
    assertTrue(difference <= 0.05 * size, difference / size + "");
  }

  @Test
  void aBatchThatIsTriedAgainLeavesTheResultsOfTheStepBefore() {
    ModelSpec spec = small("ResNet18", "reversible=full", "units=a", "streams=fixed8");
    List<List<Double>> losses = new ArrayList<>();
    for (boolean asOne : new boolean[] {false, true}) {
      Case c = new Case(spec, DataType.FLOAT32);
      try (PlannedTraining training = new PlannedTraining(cpu, c.step(UpdateTime.IN_BACKWARD))) {
        training.step().initialize(new SplittableRandom(1));
        if (asOne) training.step().runAsOne();
        training.readEvery(2, LABELS.length);
        training.queue(features(), LABELS, 0.2, 0.01, null);
        var counter = training.step().state().counters().get("trunk.step");
        counter.set().accept(counter.get().getAsLong() - 9);
        training.queue(features(), LABELS, 0.2, 0.01, null);
        losses.add(training.results().stream().map(TrainingStep.Result::loss).toList());
      }
    }
    assertEquals(losses.get(0), losses.get(1));
  }

  @Test
  void whatCannotBeIsRefusedByName() {
    InputException e;
    try (Device card = Backends.workspaces("cuda", MathMode.FLOAT32);
        Backend dry = new Backend(new DryDevice(card))) {
      String sentence =
          "shapes and ledger of cuda has float32 activations and streams only; leave out"
              + " run.precision and fixed16 or fixed8 streams, or use backend cpu";
      Case c = new Case(small("ResNet18"), DataType.BFLOAT16);
      e = assertThrows(InputException.class, () -> c.network(dry));
      assertEquals(sentence, e.getMessage());
      ModelSpec fixed = small("ResNet18", "reversible=full", "streams=fixed16");
      Case streams = new Case(fixed, DataType.FLOAT32);
      e = assertThrows(InputException.class, () -> streams.network(dry));
      assertEquals(sentence, e.getMessage());
    }
    ModelSpec ordinary = small("ResNet18", "streams=fixed8");
    e = assertThrows(InputException.class, () -> Models.build(ordinary, cpu));
    assertTrue(e.getMessage().contains("streams and keep concern reversible blocks"));
  }

  /**
   * Embeddings with weights laid out before: the same bits, in float32 but for the normalizations
   * that are folded in; near those of float32.
   */
  @ParameterizedTest
  @ValueSource(strings = {"ResNet18", "DF-ResNet56"})
  void embeddingsAreThoseOfFloat32ToRounding(String name) {
    Features features = new Features(features(), 3 * FRAMES, BINS);
    for (String reversible : List.of("none", "full")) {
      ModelSpec spec = small(name, "reversible=" + reversible);
      List<float[]> embeddings = new ArrayList<>();
      for (DataType type : List.of(DataType.FLOAT32, DataType.BFLOAT16)) {
        for (boolean frozen : new boolean[] {false, true}) {
          try (Network network = new Case(spec, type).network(cpu)) {
            network.initialize(new SplittableRandom(2));
            try (Embedder e = frozen ? Embedder.frozen(network) : new Embedder(network)) {
              embeddings.add(e.embed(features));
            }
          }
        }
      }
      assertArrayEquals(embeddings.get(0), embeddings.get(1), 1e-5f);
      assertArrayEquals(embeddings.get(2), embeddings.get(3));
      double difference = 0;
      double size = 0;
      for (int i = 0; i < embeddings.get(0).length; i++) {
        difference += Math.pow(embeddings.get(0)[i] - embeddings.get(2)[i], 2);
        size += Math.pow(embeddings.get(0)[i], 2);
      }
      assertTrue(difference > 0 && difference < 4e-4 * size, name + " " + difference / size);
    }
  }

  /** Bytes kept for backward, at full size. */
  @Test
  void aboutHalfTheBytesAreKept() {
    for (String name : List.of("ResNet34", "DF-ResNet56")) {
      long[] kept = new long[2];
      for (DataType type : List.of(DataType.FLOAT32, DataType.BFLOAT16)) {
        try (Backend dry = new Backend(new DryDevice());
            Network network = Models.build(ModelSpec.of(name), dry).withActivations(type);
            Tensor x = dry.allocate(Category.INPUT, "x", 8, 80, 200, 1)) {
          network.forward(x, Mode.TRAIN).close();
          kept[type == DataType.FLOAT32 ? 0 : 1] =
              dry.ledger().bytes(Category.ACTIVATION) + dry.ledger().bytes(Category.STATISTIC);
        }
      }
      assertTrue(kept[1] <= 0.52 * kept[0], name + ": " + kept[1] + " of " + kept[0]);
    }
  }
}
