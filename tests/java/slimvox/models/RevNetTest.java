package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.models.ModelSpec.Order;
import slimvox.models.ModelSpec.Reversibility;
import slimvox.models.ModelSpec.Units;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.settings.Key;
import slimvox.storage.InputException;

class RevNetTest {
  @AutoClose private final Backend cpu = new Backend(CpuDevice.open(1));

  private static ModelSpec small(String name, Reversibility kind, Units units, Order order) {
    return ModelSpec.of(name, "width=4", "bins=24", "embeddingSize=6")
        .with("reversible=" + Key.of(kind), "units=" + Key.of(units), "order=" + Key.of(order));
  }

  private static String[] slices(int slice) {
    return new String[] {"slice=" + slice, "rebuild=" + (slice > 0)};
  }

  @ParameterizedTest
  @MethodSource("slimvox.models.Models#names")
  void parametersAreWithinFivePercentOfTheVanillaNetworks(String name) {
    long vanilla = parameters(ModelSpec.of(name));
    for (Reversibility kind : List.of(Reversibility.PARTIAL, Reversibility.FULL)) {
      for (Units units : Units.values()) {
        for (Order order : Order.values()) {
          ModelSpec spec =
              ModelSpec.of(
                  name,
                  "reversible=" + Key.of(kind),
                  "units=" + Key.of(units),
                  "order=" + Key.of(order));
          assertEquals(1.0, (double) parameters(spec) / vanilla, 0.05, spec.toString());
        }
      }
    }
  }

  private static long parameters(ModelSpec spec) {
    try (Backend dry = new Backend(new DryDevice());
        Network network = Models.build(spec, dry)) {
      return network.state().parameterCount();
    }
  }

  /** Bytes that a forward in training keeps, but for the embeddings. */
  private static long kept(ModelSpec spec, Category category) {
    try (Backend dry = new Backend(new DryDevice());
        Network network = Models.build(spec, dry);
        Tensor x = dry.allocate(Category.INPUT, "x", 2, spec.bins(), 200, 1)) {
      network.forward(x, Mode.TRAIN).close();
      return dry.ledger().bytes(category);
    }
  }

  @ParameterizedTest
  @EnumSource(Units.class)
  void activationsOfTypeTwoDoNotDependOnDepth(Units units) {
    // The state, the last convolution's output, the pooled vector; nothing of the trunk.
    long state = 2 * 80 * 200 * 32 * 4L * (units == Units.C ? 2 : 1);
    for (String shallowest : List.of("DF-ResNet56", "Gemini-DF-ResNet60")) {
      List<Long> kept = new ArrayList<>();
      for (String name : Models.family(shallowest)) {
        ModelSpec spec = ModelSpec.of(name).with("reversible=full", "units=" + Key.of(units));
        kept.add(kept(spec, Category.ACTIVATION));
      }
      assertEquals(4, kept.size());
      for (long bytes : kept) assertEquals(kept.getFirst(), bytes);
      assertTrue(kept.getFirst() < 2 * state, kept + " for a state of " + state);
    }
  }

  static List<ModelSpec> sliceable() {
    List<ModelSpec> specs = new ArrayList<>();
    for (String name : List.of("ResNet18", "DF-ResNet56", "Gemini-DF-ResNet60")) {
      for (Reversibility kind : List.of(Reversibility.PARTIAL, Reversibility.FULL)) {
        for (Units units : Units.values()) specs.add(small(name, kind, units, Order.PRE));
      }
    }
    return specs;
  }

  /**
   * Output, parameter gradients, running statistics and counters after one forward and backward.
   */
  private Map<String, float[]> step(ModelSpec spec, int frames) {
    return step(Models.build(spec, cpu), frames);
  }

  private Map<String, float[]> step(Network built, int frames) {
    Map<String, float[]> results = new LinkedHashMap<>();
    SplittableRandom random = new SplittableRandom(5);
    try (Network network = built;
        Tensor x = cpu.allocate(Category.INPUT, "x", 3, built.spec().bins(), frames, 1)) {
      network.initialize(random);
      float[] values = new float[(int) x.size()];
      for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
      cpu.ops().upload(values, x);
      Tensor y = network.forward(x, Mode.TRAIN);
      results.put("output", cpu.ops().floats(y));
      float[] up = new float[(int) y.size()];
      for (int i = 0; i < up.length; i++) up[i] = (float) random.nextGaussian();
      Tensor dy = cpu.allocateLike(y, Category.ACTIVATION_GRADIENT, "dy");
      y.close();
      cpu.ops().upload(up, dy);
      network.backward(dy);
      for (Parameter p : network.state().parameters().values()) {
        results.put(p.name() + ".grad", cpu.ops().floats(p.gradient()));
        p.dropGradient();
      }
      for (Tensor b : network.state().buffers().values()) {
        results.put(b.label(), cpu.ops().floats(b));
      }
      for (var c : network.state().counters().entrySet()) {
        assertEquals(1, c.getValue().get().getAsLong(), c.getKey() + " moves once");
      }
    }
    cpu.ledger().checkOnly();
    return results;
  }

  /** |a - b| / |b| over all parameter gradients. */
  private static double distance(Map<String, float[]> a, Map<String, float[]> b) {
    double difference = 0;
    double size = 0;
    for (String name : b.keySet()) {
      if (!name.endsWith(".grad")) continue;
      for (int i = 0; i < b.get(name).length; i++) {
        double d = a.get(name)[i] - b.get(name)[i];
        difference += d * d;
        size += b.get(name)[i] * b.get(name)[i];
      }
    }
    return Math.sqrt(difference / size);
  }

  /** In networks this small one ReLU that the inverse's rounding turns over is felt everywhere. */
  private static final double TURNED_OVER = 0.02;

  @ParameterizedTest
  @MethodSource("sliceable")
  void slicedGradientsAreTheWholeOnesToRounding(ModelSpec spec) {
    Map<String, float[]> whole = step(spec, 24);
    Map<String, float[]> sliced = step(spec.with(slices(3)), 24);
    assertTrue(distance(sliced, whole) < TURNED_OVER, spec + ": " + distance(sliced, whole));
    for (String name : whole.keySet()) {
      if (!name.contains("running")) continue;
      assertArrayEquals(whole.get(name), sliced.get(name), 1e-4f, name);
    }
  }

  @ParameterizedTest
  @MethodSource("sliceable")
  void rebuiltGradientsAreTheStoredOnesToRounding(ModelSpec spec) {
    for (Order order : Order.values()) {
      ModelSpec r = spec.with("order=" + Key.of(order));
      Map<String, float[]> stored = step(Models.build(r, cpu).storing(), 24);
      Map<String, float[]> rebuilt = step(r, 24);
      assertArrayEquals(stored.get("output"), rebuilt.get("output"));
      assertTrue(distance(rebuilt, stored) < TURNED_OVER, r + ": " + distance(rebuilt, stored));
    }
  }

  @ParameterizedTest
  @MethodSource("sliceable")
  void inFixedPointRebuiltGradientsAreTheStoredOnesToTheBit(ModelSpec spec) {
    ModelSpec fixed = spec.with("streams=fixed");
    Map<String, float[]> stored = step(Models.build(fixed, cpu).storing(), 24);
    Map<String, float[]> rebuilt = step(fixed, 24);
    for (String name : stored.keySet()) {
      assertArrayEquals(stored.get(name), rebuilt.get(name), name);
    }
  }

  @ParameterizedTest
  @MethodSource("sliceable")
  void whatIsKeptChangesNoBitOfGradientsInFixedPoint(ModelSpec spec) {
    for (Order order : Order.values()) {
      ModelSpec model = spec.with("order=" + Key.of(order));
      Map<String, float[]> again = step(model.with("streams=fixed"), 24);
      boolean slices = order == Order.PRE;
      for (boolean rebuild : new boolean[] {false, true}) {
        Map<String, float[]> kept =
            step(model.with("streams=fixed", "keep=2", "rebuild=" + rebuild), 24);
        for (String name : again.keySet()) {
          assertArrayEquals(again.get(name), kept.get(name), model + " " + name);
        }
      }
      if (!slices) continue;
      Map<String, float[]> lean = step(model.with(slices(3)), 24);
      Map<String, float[]> both = step(model.with(slices(3)).with("keep=1"), 24);
      assertTrue(distance(both, lean) < TURNED_OVER, model + ": " + distance(both, lean));
    }
  }

  @Test
  void asMuchIsKeptAsWasAskedForWhateverTheDepth() {
    long stream = 2 * 80 * 200 * 32 * 4L;
    for (String name : List.of("ResNet34", "DF-ResNet56", "DF-ResNet233")) {
      ModelSpec spec = ModelSpec.of(name).with("reversible=full");
      long nothing = kept(spec, Category.ACTIVATION);
      long kept = kept(spec.with("keep=1"), Category.ACTIVATION) - nothing;
      // A sixteenth of a stream for each of six functions in stage 2, next are quarters; DF-ResNets
      // have two inner convolutions of 128 channels: an eighth of a stream each in the last stage.
      assertEquals(
          name.equals("ResNet34") ? stream * (3 * 24 + 6 * 4 * 32 + 2 * 16 * 32) / 2048 : kept,
          kept);
      assertTrue(kept <= stream, name + " keeps " + kept);
      assertTrue(kept > stream / 2, name + " keeps " + kept);
    }
    ModelSpec all = ModelSpec.of("ResNet34").with("reversible=full");
    assertEquals(
        stream * (3 * 24 + 6 * 4 * 32 + 4 * 16 * 32 + 3 * 64 * 32) / 2048,
        kept(all.with("keep=100"), Category.ACTIVATION) - kept(all, Category.ACTIVATION));
  }

  @ParameterizedTest
  @ValueSource(strings = {"ResNet18", "ResNet50", "DF-ResNet56"})
  void rebuiltNormalizationsAndCheckpointsGiveTheSameBits(String name) {
    ModelSpec vanilla = ModelSpec.of(name, "width=4", "bins=24", "embeddingSize=6");
    Map<String, float[]> kept = step(vanilla, 21);
    for (String[] saving :
        new String[][] {
          {"rebuild=true"}, {"recompute=checkpoint"}, {"recompute=checkpoint", "rebuild=true"}
        }) {
      Map<String, float[]> again = step(vanilla.with(saving), 21);
      for (String key : kept.keySet()) assertArrayEquals(kept.get(key), again.get(key), key);
    }
  }

  @Test
  void framesThatAreNoMultipleOfEightAreFilledUpWithZeros() {
    ModelSpec spec = small("ResNet18", Reversibility.FULL, Units.A, Order.PRE);
    try (Network network = Models.build(spec, cpu)) {
      network.initialize(new SplittableRandom(3));
      float[] short21 = new float[2 * 24 * 21];
      float[] filled24 = new float[2 * 24 * 24];
      SplittableRandom random = new SplittableRandom(4);
      for (int row = 0; row < 2 * 24; row++) {
        for (int t = 0; t < 21; t++) {
          short21[row * 21 + t] = (float) random.nextGaussian();
          filled24[row * 24 + t] = short21[row * 21 + t];
        }
      }
      assertArrayEquals(embed(network, filled24, 24), embed(network, short21, 21));
    }
    assertEquals(24, spec.bins());
    ModelSpec oddBins = ModelSpec.of("ResNet18", "width=4", "bins=21", "embeddingSize=6");
    step(oddBins.with("reversible=full", "units=a"), 19);
  }

  private float[] embed(Network network, float[] features, int frames) {
    try (Tensor x = cpu.allocate(Category.INPUT, "x", 2, 24, frames, 1)) {
      cpu.ops().upload(features, x);
      try (Tensor y = network.forward(x, Mode.EVALUATE)) {
        return cpu.ops().floats(y);
      }
    }
  }

  @Test
  void whatCannotBeReversedOrSlicedIsNamed() {
    refused(
        ModelSpec.of("ResNet18", "width=3", "bins=24", "embeddingSize=6")
            .with("reversible=full", "units=a"),
        "ResNet18: layer1.0: 3 channels cannot be cut into two streams; choose an even width or"
            + " units c");
    DfResNet frames = new DfResNet(List.of(1, 1, 1, 1), List.of(1, 2, 1, 2), List.of(1, 2, 2, 2));
    InputException e =
        assertThrows(
            InputException.class,
            () -> frames.build(small("DF-ResNet56", Reversibility.FULL, Units.C, Order.PRE), cpu));
    assertEquals(
        "DF-ResNet56: type II needs strides of 1 x 1, 2 x 1 or 2 x 2 (frequency x frames), stage 2"
            + " has 1 x 2; choose type I (partial) or another model",
        e.getMessage());
    refused(
        small("ResNet50", Reversibility.FULL, Units.C, Order.PRE).with(slices(4)),
        "slice 4: layer1.0.f.conv2: cannot be sliced, its channels mix between the first and the"
            + " last convolution");
    refused(
        small("DF-ResNet56", Reversibility.PARTIAL, Units.A, Order.POST).with(slices(4)),
        "slice 4: stages.0.0.f.conv3: cannot be sliced, a batch normalization follows;"
            + " pre-activation order can");
    refused(
        ModelSpec.of("ResNet34").with(slices(4)),
        "ResNet34: slice, streams and keep concern reversible blocks, which this network has not;"
            + " set reversible to partial or full");
    refused(
        small("ResNet34", Reversibility.FULL, Units.C, Order.PRE).with("recompute=checkpoint"),
        "ResNet34: recompute: checkpoint concerns ordinary blocks, of which a fully reversible"
            + " network has none; set recompute to none");
    ModelSpec bottlenecks = small("ResNet50", Reversibility.PARTIAL, Units.C, Order.PRE);
    refused(
        Models.lean(bottlenecks.with(slices(4))),
        "slice 4: layer1.1.f.conv2: cannot be sliced, its channels mix between the first and the"
            + " last convolution");
  }

  @Test
  void leanTakesTheSlicesThatWereAskedFor() {
    ModelSpec spec = small("ResNet18", Reversibility.FULL, Units.C, Order.PRE);
    assertEquals(4, Models.lean(spec.with(slices(4))).slice());
    assertEquals(0, Models.lean(small("ResNet50", Reversibility.FULL, Units.C, Order.PRE)).slice());
  }

  private void refused(ModelSpec spec, String message) {
    var e = assertThrows(InputException.class, () -> Models.build(spec, cpu));
    assertEquals(message, e.getMessage());
  }
}
