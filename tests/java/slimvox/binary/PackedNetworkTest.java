package slimvox.binary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.cuda.HostBackend;
import slimvox.backend.dry.DryDevice;
import slimvox.backend.packed.PackedHead;
import slimvox.backend.packed.Plane;
import slimvox.backend.packed.PlaneMemory;
import slimvox.backend.packed.SignBits;
import slimvox.backend.packed.WeightForm;
import slimvox.memory.MemoryBudget;
import slimvox.memory.MemoryLedger;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.Binarization;
import slimvox.models.ModelSpec;
import slimvox.storage.InputException;

/** Packed networks against the evaluation of the networks that they were made of. */
class PackedNetworkTest {
  private static final ModelSpec SMALL =
      ModelSpec.of("ResNet18", "width=12", "bins=20", "embeddingSize=24", "pooling=gsp");

  static Stream<ModelSpec> specs() {
    String bwn = "binary.scheme=bwn";
    String w1a1 = "binary.scheme=w1a1";
    return Stream.of(
        SMALL.with(bwn),
        SMALL.with("pooling=tstp").with("binary.scheme=paper"),
        SMALL.with(bwn, "binary.activation=prelu"),
        SMALL.with(bwn, "binary.layers=[layer2, layer3.1.conv2]"),
        SMALL.with("width=16").with(w1a1),
        SMALL.with("width=33").with(w1a1, "binary.activation=prelu"),
        SMALL.with(w1a1, "binary.activation=none"),
        SMALL.with(w1a1, "binary.layers=[layer1.1.conv2, layer2.0, layer4.0.conv1]"),
        ModelSpec.of("ResNet34", "width=16", "bins=80", "embeddingSize=64").with(w1a1));
  }

  @ParameterizedTest
  @MethodSource("specs")
  void embeddingsAreThoseOfTheTrainedNetwork(ModelSpec spec) {
    try (Backend backend = Backends.open("cpu", 2, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, backend, 3)) {
      PackedModel model = Packer.pack(network, "test", WeightForm.FLOAT32, Map.of());
      try (PackedNetwork packed = new PackedNetwork(backend, model)) {
        for (int frames : new int[] {31, 57, 24}) {
          Features features = TrainedNetwork.features(new Random(frames), frames, spec.bins());
          float[] expected = TrainedNetwork.embed(network, features);
          float[] actual = packed.embed(features);
          assertArrayEquals(expected, actual, 1e-4f * largest(expected), frames + " frames");
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("specs")
  void activationsOfSignsAreTheSameBits(ModelSpec spec) throws Exception {
    Binarization binary = spec.binarization();
    // Others round differently: BN is folded, or a real 3x3 convolution sums in another order.
    if (!binary.signs() || !binary.layers().equals(Binarization.ALL_LAYERS)) return;
    try (Backend backend = Backends.open("cpu", 2, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, backend, 5)) {
      PackedModel model = Packer.pack(network, "test", WeightForm.FLOAT32, Map.of());
      try (PackedNetwork packed = new PackedNetwork(backend, model)) {
        Features features = TrainedNetwork.features(new Random(8), 70, spec.bins());
        packed.embed(features);
        assertArrayEquals(
            TrainedNetwork.activations(network, features),
            PlaneMemory.floats(packed.prepare(70).output()));
      }
    }
  }

  private static float largest(float[] x) {
    float most = 0;
    for (float v : x) most = Math.max(most, Math.abs(v));
    assertTrue(most > 0);
    return most;
  }

  @ParameterizedTest
  @MethodSource("specs")
  void aCardGivesTheBitsOfTheProcessor(ModelSpec spec) {
    if (spec.bins() > 20) return; // kernels are loops here: too large
    try (Backend cpu = Backends.open("cpu", 2, MemoryBudget.UNLIMITED);
        Backend card = HostBackend.open(spec.width() == 33);
        var network = TrainedNetwork.of(spec, cpu, 3)) {
      for (WeightForm head : List.of(WeightForm.FLOAT32, WeightForm.INT8, WeightForm.W1A32)) {
        PackedModel model = Packer.pack(network, "test", head, Map.of());
        try (PackedNetwork expected = new PackedNetwork(cpu, model);
            PackedNetwork packed = new PackedNetwork(card, model)) {
          for (int frames : new int[] {24, 31, 9}) { // buffers are used again
            Features features = TrainedNetwork.features(new Random(frames), frames, spec.bins());
            assertArrayEquals(expected.embed(features), packed.embed(features), head + " head");
          }
        }
      }
      HostBackend.checkOnly(card.ledger());
    }
  }

  @Test
  void threadsDoNotChangeABit() {
    ModelSpec spec = SMALL.with("width=40").with("binary.scheme=w1a1");
    Features features = TrainedNetwork.features(new Random(4), 45, spec.bins());
    float[] first = null;
    PackedModel model;
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, backend, 3)) {
      model = Packer.pack(network, "test", WeightForm.INT8, Map.of());
    }
    for (int threads : new int[] {1, 2, 3}) {
      try (Backend backend = Backends.open("cpu", threads, MemoryBudget.UNLIMITED);
          PackedNetwork packed = new PackedNetwork(backend, model)) {
        float[] embedding = packed.embed(features);
        if (first == null) first = embedding;
        assertArrayEquals(first, embedding);
        assertArrayEquals(first, packed.embed(features), "a second time");
      }
    }
  }

  @Test
  void everyFormOfTheHeadIsTheProductWithItsWeights() {
    ModelSpec spec = SMALL.with("pooling=tstp").with("binary.scheme=bwn");
    Features features = TrainedNetwork.features(new Random(4), 45, spec.bins());
    try (Backend backend = Backends.open("cpu", 2, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, backend, 3)) {
      for (WeightForm form : List.of(WeightForm.FLOAT32, WeightForm.INT8, WeightForm.W1A32)) {
        PackedModel model = Packer.pack(network, "test", form, Map.of());
        PackedHead head = model.head();
        try (PackedNetwork packed = new PackedNetwork(backend, model)) {
          float[] y = packed.embed(features);
          double[] pooled = pooled(packed.prepare(45).output());
          for (int o = 0; o < y.length; o++) {
            double sum = head.bias()[o];
            for (int i = 0; i < head.in(); i++) sum += weight(head, o, i) * pooled[i];
            assertEquals(sum, y[o], 2e-5 * Math.max(1, Math.abs(sum)), form + " " + o);
          }
        }
      }
    }
  }

  private static float weight(PackedHead head, int o, int i) {
    int n = o * head.in() + i;
    return switch (head.form()) {
      case FLOAT32 -> head.weights()[n];
      case INT8 -> head.scale()[o] * head.codes()[n];
      default ->
          head.scale()[o]
              * (1 - 2 * SignBits.get(head.codes(), SignBits.rowBytes(head.in()), o, i));
    };
  }

  /** Means, then deviations, over frames: value c H + h. */
  private static double[] pooled(Plane x) {
    float[] values = PlaneMemory.floats(x);
    int rows = x.elements() * x.height();
    double[] pooled = new double[2 * rows];
    for (int row = 0; row < rows; row++) {
      int first = row % x.height() * x.width() * x.elements() + row / x.height();
      double sum = 0;
      double squares = 0;
      for (int w = 0; w < x.width(); w++) sum += values[first + w * x.elements()];
      double mean = sum / x.width();
      for (int w = 0; w < x.width(); w++) {
        squares += Math.pow(values[first + w * x.elements()] - mean, 2);
      }
      pooled[row] = mean;
      pooled[rows + row] = Math.sqrt(squares / (x.width() - 1) + 1e-7);
    }
    return pooled;
  }

  /** What is allocated and freed, in order, on a backend and on its dry twin; same on a card. */
  @ParameterizedTest
  @MethodSource("specs")
  void aDryRunHasTheSameLedger(ModelSpec spec) {
    if (spec.bins() > 20) return; // kernels are loops on the card: too large
    try (Backend cpu = Backends.open("cpu", 2, MemoryBudget.UNLIMITED);
        Backend card = HostBackend.open(false);
        var network = TrainedNetwork.of(spec, cpu, 3)) {
      PackedModel model = Packer.pack(network, "test", WeightForm.INT8, Map.of());
      for (Backend real : List.of(cpu, card)) {
        try (Backend dry = new Backend(new DryDevice(real.device()))) {
          assertEquals(events(real, model), events(dry, model), real.name());
        }
      }
    }
  }

  private static List<String> events(Backend backend, PackedModel model) {
    backend.ledger().startTimeline();
    try (PackedNetwork packed = new PackedNetwork(backend, model)) {
      for (int frames : new int[] {24, 31, 9}) {
        Features features = TrainedNetwork.features(new Random(1), frames, model.spec().bins());
        assertEquals(24, packed.embed(features).length);
      }
    }
    return backend.ledger().stopTimeline().stream().map(MemoryLedger.Event::toString).toList();
  }

  @Test
  void aBudgetThatIsTooSmallLeavesNothing() {
    ModelSpec spec = SMALL.with("binary.scheme=w1a1");
    PackedModel model;
    long needed;
    try (Backend cpu = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, cpu, 3)) {
      model = Packer.pack(network, "test", WeightForm.INT8, Map.of());
      long before = cpu.ledger().totalBytes();
      try (PackedNetwork packed = new PackedNetwork(cpu, model)) {
        needed = cpu.ledger().totalBytes() - before;
        assertEquals(24, packed.embed(TrainedNetwork.features(new Random(1), 24, 20)).length);
      }
    }
    try (Backend small = Backends.open("cpu", 1, new MemoryBudget(needed - 1))) {
      assertThrows(OutOfBudgetException.class, () -> new PackedNetwork(small, model));
      assertEquals(0, small.ledger().totalBytes());
    }
    long room = needed + 100_000; // for a short utterance
    try (Backend small = Backends.open("cpu", 1, new MemoryBudget(room));
        PackedNetwork packed = new PackedNetwork(small, model)) {
      Features longer = TrainedNetwork.features(new Random(1), 2000, 20);
      assertThrows(OutOfBudgetException.class, () -> packed.embed(longer));
      assertEquals(needed, small.ledger().totalBytes());
      assertEquals(24, packed.embed(TrainedNetwork.features(new Random(1), 24, 20)).length);
    }
  }

  @Test
  void anUtteranceThatIsTooShortIsRefused() {
    ModelSpec spec = SMALL.with("pooling=tstp").with("binary.scheme=bwn");
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, backend, 3);
        PackedNetwork packed =
            new PackedNetwork(
                backend, Packer.pack(network, "test", WeightForm.FLOAT32, Map.of()))) {
      assertEquals(9, packed.fewestFrames());
      packed.embed(TrainedNetwork.features(new Random(1), 9, 20));
      InputException e =
          assertThrows(
              InputException.class,
              () -> packed.embed(TrainedNetwork.features(new Random(1), 8, 20)));
      assertEquals("an utterance of 8 frames is too short, the network needs 9", e.getMessage());
      e =
          assertThrows(
              InputException.class,
              () -> packed.embed(TrainedNetwork.features(new Random(1), 30, 19)));
      assertEquals("the features have 19 bins, the network was made for 20", e.getMessage());
    }
  }
}
