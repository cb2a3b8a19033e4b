package slimvox.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import slimvox.backend.Backend;
import slimvox.backend.Tensor;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.models.Binarization.Activation;
import slimvox.nn.BinaryScheme;
import slimvox.nn.Mode;
import slimvox.nn.Parameter;
import slimvox.settings.Key;
import slimvox.storage.InputException;

class BinaryResNetTest {
  private static final ModelSpec SMALL =
      ModelSpec.of("ResNet18", "width=4", "bins=16", "embeddingSize=8", "pooling=gsp");

  private static Set<String> names(ModelSpec spec) {
    try (Network network = Models.build(spec, new Backend(new DryDevice()))) {
      return new TreeSet<>(network.state().names());
    }
  }

  @Test
  void binaryWeightsHaveTheNamesAndShapesOfTheFloatNetwork() {
    for (String name : List.of("ResNet18", "ResNet34", "ResNet50")) {
      ModelSpec spec = ModelSpec.of(name);
      for (BinaryScheme scheme : List.of(BinaryScheme.BWN, BinaryScheme.PAPER)) {
        try (Network real = Models.build(spec, new Backend(new DryDevice()));
            Network binary =
                Models.build(
                    spec.with("binary.scheme=" + Key.of(scheme)), new Backend(new DryDevice()))) {
          assertEquals(
              List.copyOf(real.state().names()), List.copyOf(binary.state().names()), name);
          for (Map.Entry<String, Parameter> p : real.state().parameters().entrySet()) {
            assertEquals(
                p.getValue().value().shape(),
                binary.state().parameters().get(p.getKey()).value().shape());
          }
        }
      }
    }
  }

  @Test
  void globalPoolingShrinksTheEmbeddingLayerToATenth() {
    try (Network tstp = Models.build(ModelSpec.of("ResNet34"), new Backend(new DryDevice()));
        Network gsp =
            Models.build(
                ModelSpec.of("ResNet34").with("pooling=gsp"), new Backend(new DryDevice()))) {
      assertEquals(1_310_720, tstp.state().parameters().get("seg_1.weight").value().size());
      assertEquals(131_072, gsp.state().parameters().get("seg_1.weight").value().size());
      assertEquals(5_454_688, gsp.state().parameterCount());
    }
  }

  @Test
  void geluTakesThePlaceOfEveryReLU() {
    ModelSpec spec = SMALL.with("activation=gelu");
    assertEquals(names(SMALL), names(spec));
    try (Backend dry = new Backend(new DryDevice());
        Network network = Models.build(spec, dry);
        Tensor x = dry.allocate(Category.INPUT, "x", 2, 16, 20, 1)) {
      Tensor y = network.forward(x, Mode.TRAIN);
      long kept =
          dry.ledger().liveLabels(Category.ACTIVATION).stream()
              .filter(l -> l.contains(".act"))
              .count();
      assertEquals(16, kept); // two a block, beside act1 of the stem
      network.backward(y);
    }
    for (String other :
        List.of("reversible=partial", "rebuild=true", "binary.scheme=bwn", "name=DF-ResNet56")) {
      assertThrows(
          InputException.class,
          () -> Models.build(spec.with(other), new Backend(new DryDevice())).close());
    }
  }

  @Test
  void signsAddShiftsAndActivationsOnly() {
    Set<String> added = names(SMALL.with("binary.scheme=w1a1"));
    assertTrue(added.containsAll(names(SMALL)));
    added.removeAll(names(SMALL));
    assertTrue(added.contains("layer3.0.conv1.shift"));
    assertTrue(added.contains("layer3.0.act2.bias"));
    assertTrue(added.contains("act1.weight"));
    // 16 convolutions with a shift; the stem and 16 units with three values.
    assertEquals(16 + 17 * 3, added.size());
    ModelSpec bare =
        SMALL.with(
            "binary.scheme=w1a1",
            "binary.shortcuts=false",
            "binary.shifts=false",
            "binary.activation=none");
    assertEquals(names(SMALL), names(bare));
    assertEquals(
        names(SMALL.with("binary.scheme=w1a1")),
        names(SMALL.with("binary.scheme=w32a1")),
        "so that the second of two steps can start from the first");
  }

  /** A ReLU before signs would make them all +1; elsewhere a float block keeps its own. */
  @Test
  void withoutActivationsAReLUStandsWhereNoSignFollows() {
    Binarization binary =
        SMALL
            .with(
                "binary.scheme=w1a1",
                "binary.activation=none",
                "binary.layers=[layer3, layer4.1.conv2]")
            .binarization();
    assertTrue(binary.endsWithReLU(false, "layer1.1"));
    assertFalse(binary.endsWithReLU(false, "layer3.0"));
    assertFalse(binary.endsWithReLU(true, "layer3.1"));
    assertTrue(binary.endsWithReLU(true, "layer4.0"));
    assertFalse(binary.endsWithReLU(false, "layer4.1"));
    assertFalse(binary.endsWithReLU(true, null), "what is pooled");
    assertTrue(binary.endsWithReLU(false, null));
  }

  @Test
  void onlyTheLayersAskedForAreBinary() {
    String[] settings = {"binary.scheme=bwn", "binary.layers=[layer2, layer3.1.conv2]"};
    Binarization binary = SMALL.with(settings).binarization();
    assertTrue(binary.takes("layer2.0.conv1"));
    assertTrue(binary.takes("layer2.0.shortcut.0"));
    assertTrue(binary.takes("layer3.1.conv2"));
    assertFalse(binary.takes("layer3.1.conv1"));
    assertFalse(binary.takes("layer20.conv1"), "a longer number is another layer");
    assertFalse(Binarization.NONE.takes("layer2.0.conv1"));
    InputExceptionMessage.of(
        () -> Models.build(SMALL.with("binary.scheme=bwn", "binary.layers=[layer9]"), dry()),
        "layer9 is no convolution or group of convolutions of ResNet18 that can be binary; the"
            + " nearest is layer1");
    InputExceptionMessage.of(
        () -> Models.build(ModelSpec.of("DF-ResNet56").with(settings), dry()),
        "DF-ResNet56 has no binary form; the ResNets have");
  }

  private static Backend dry() {
    return new Backend(new DryDevice());
  }

  /** Asserts the message of bad input. */
  private interface InputExceptionMessage {
    static void of(org.junit.jupiter.api.function.Executable work, String message) {
      assertEquals(message, assertThrows(slimvox.storage.InputException.class, work).getMessage());
    }
  }

  /** Every scheme, activation and choice of layers that is allowed. */
  private static List<ModelSpec> everyForm() {
    List<ModelSpec> forms = new ArrayList<>();
    for (BinaryScheme scheme : BinaryScheme.values()) {
      for (Activation activation : Activation.values()) {
        boolean signs = scheme.binaryActivations();
        if (activation == (signs ? Activation.RELU : Activation.NONE)) continue;
        ModelSpec form =
            SMALL.with(
                "binary.scheme=" + Key.of(scheme), "binary.activation=" + Key.of(activation));
        forms.add(form);
        if (scheme == BinaryScheme.NONE) continue;
        forms.add(form.with("binary.layers=[layer1, layer3]"));
        forms.add(form.with("binary.layers=[layer2.0.conv1, layer4.1.conv2]"));
      }
    }
    return forms;
  }

  @Test
  void everyFormLearnsAndReturnsItsMemory() {
    try (Backend cpu = new Backend(CpuDevice.open(1))) {
      for (ModelSpec form : everyForm()) {
        try (Network network = Models.build(form, cpu);
            Tensor x = cpu.allocate(Category.INPUT, "x", 2, 16, 17, 1)) {
          network.initialize(new SplittableRandom(2));
          float[] features = new float[2 * 16 * 17];
          SplittableRandom random = new SplittableRandom(3);
          for (int i = 0; i < features.length; i++) features[i] = (float) random.nextGaussian();
          cpu.ops().upload(features, x);
          Tensor y = network.forward(x, Mode.TRAIN);
          assertEquals(2 * 8, y.size());
          network.backward(y);
          for (Parameter p : network.state().parameters().values()) {
            assertTrue(p.hasGradient(), form + ": " + p.name());
            boolean some = false;
            for (float g : cpu.ops().floats(p.gradient())) {
              assertTrue(Float.isFinite(g), form + ": " + p.name());
              some |= g != 0;
            }
            assertTrue(some, form + ": no gradient of " + p.name());
            p.dropGradient();
          }
          network.forward(x, Mode.EVALUATE).close();
        }
        cpu.ledger().checkOnly();
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = BinaryScheme.class,
      names = {"BWN", "PAPER", "W1A1"})
  void evaluationSeesSignsAndScalesOfTheWeightsOnly(BinaryScheme scheme) {
    try (Backend cpu = new Backend(CpuDevice.open(1));
        Network network = Models.build(SMALL.with("binary.scheme=" + Key.of(scheme)), cpu);
        Tensor x = cpu.allocate(Category.INPUT, "x", 1, 16, 20, 1)) {
      network.initialize(new SplittableRandom(2));
      cpu.ops().upload(new float[320], x);
      cpu.ops().elementwise.fill(x, 0.7f);
      float[] before = embedding(network, x);
      Set<String> changed = new HashSet<>();
      for (Parameter p : network.state().parameters().values()) {
        String convolution = p.name().replace(".weight", "");
        boolean taken = network.spec().binarization().takes(convolution);
        if (!taken || p.value().shape().rank() != 4) continue;
        float[] w = cpu.ops().floats(p.value());
        int n = w.length / p.value().shape().get(0);
        for (int filter = 0; filter < w.length; filter += n) {
          double sum = 0;
          for (int i = 0; i < n; i++) sum += Math.abs(w[filter + i]);
          for (int i = 0; i < n; i++) {
            w[filter + i] = (float) (Math.signum(w[filter + i]) * sum / n);
          }
        }
        cpu.ops().upload(w, p.value());
        changed.add(p.name());
      }
      assertEquals(19, changed.size());
      float[] after = embedding(network, x);
      for (int i = 0; i < before.length; i++) assertEquals(before[i], after[i], 1e-4);
      assertArrayEquals(after, embedding(network, x));
    }
  }

  private static float[] embedding(Network network, Tensor x) {
    try (Tensor y = network.forward(x, Mode.EVALUATE)) {
      return y.backend().ops().floats(y);
    }
  }
}
