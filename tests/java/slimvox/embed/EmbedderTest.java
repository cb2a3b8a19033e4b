package slimvox.embed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.cpu.CpuDevice;
import slimvox.backend.dry.DryDevice;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.nn.Parameter;
import slimvox.verify.Embeddings;

class EmbedderTest {
  private static final int BINS = 24;

  private static Network network(String name, Backend backend) {
    String[] words = name.split(" ");
    ModelSpec spec =
        ModelSpec.of(words[words.length - 1], "width=12", "bins=" + BINS, "embeddingSize=8");
    if (words.length > 1) spec = spec.with("reversible=full");
    Network network = Models.build(spec, backend);
    network.initialize(new Random(1));
    return network;
  }

  private static List<Features> utterances(int count, int frames) {
    Random random = new Random(31L * count + frames);
    List<Features> utterances = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      float[] values = new float[frames * BINS];
      for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
      utterances.add(new Features(values, frames, BINS));
    }
    return utterances;
  }

  @ParameterizedTest
  @ValueSource(strings = {"ResNet18", "ResNet50", "DF-ResNet56", "reversible DF-ResNet56"})
  void aFrozenNetworkGivesTheSameWhateverTheOrderOfLengths(String name) {
    try (Backend backend = new Backend(CpuDevice.open(2));
        Network network = network(name, backend)) {
      long before = backend.ledger().totalBytes();
      List<List<Features>> batches = new ArrayList<>();
      for (int frames : new int[] {40, 300, 40, 17, 300, 64}) {
        batches.add(utterances(1 + frames % 3, frames));
      }
      List<List<float[]>> expected;
      try (Embedder embedder = new Embedder(network)) {
        expected = batches.stream().map(embedder::embed).toList();
        assertEquals(before, backend.ledger().totalBytes(), "nothing is kept");
      }
      try (Embedder embedder = Embedder.frozen(network)) {
        for (int i = 0; i < batches.size(); i++) {
          List<float[]> embeddings = embedder.embed(batches.get(i));
          assertNear(expected.get(i), embeddings); // normalizations are folded into convolutions
          assertSame(embeddings, embedder.embed(batches.get(i)));
        }
        backend.ledger().checkOnly(Category.PARAMETER);
        assertTrue(
            backend.ledger().liveLabels(Category.PARAMETER).stream()
                .anyMatch(label -> label.endsWith(".laid_out")));
      }
      assertEquals(before, backend.ledger().totalBytes(), "all is given back");
    }
  }

  /** To float32 rounding. */
  private static void assertNear(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      float[] e = expected.get(i);
      double size = 0;
      for (float v : e) size += v * v;
      assertTrue(size > 0, "zeros");
      assertArrayEquals(e, actual.get(i), (float) (1e-5 * Math.sqrt(size)));
    }
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertFalse(Arrays.equals(expected.get(i), new float[expected.get(i).length]), "zeros");
      assertArrayEquals(expected.get(i), actual.get(i));
    }
  }

  @Test
  void theDryLedgerHasTheBytesOfLaidOutWeights() {
    try (Backend cpu = new Backend(CpuDevice.open(2));
        Backend dry = new Backend(new DryDevice(cpu.device()));
        Network network = network("ResNet18", cpu);
        Network predicted = network.on(dry);
        Embedder onCpu = Embedder.frozen(network);
        Embedder onDry = Embedder.frozen(predicted)) {
      long weights = cpu.ledger().totalBytes();
      for (int frames : new int[] {50, 200, 50}) {
        onDry.embed(utterances(2, frames));
        onCpu.embed(utterances(2, frames));
        assertEquals(dry.ledger().report(), cpu.ledger().report(), frames + " frames");
        assertTrue(cpu.ledger().bytes(Category.PARAMETER) > weights);
      }
    }
  }

  @Test
  void parametersSetAfterwardsAreUsed() {
    try (Backend backend = new Backend(CpuDevice.open(1));
        Network network = network("ResNet18", backend)) {
      List<Features> utterances = utterances(1, 60);
      List<float[]> old;
      try (Embedder embedder = Embedder.frozen(network)) {
        old = embedder.embed(utterances);
      }
      Parameter parameter = network.state().parameters().get("layer2.0.conv1.weight");
      backend.ops().elementwise.axpy(-3, parameter.value(), parameter.value());
      List<float[]> now;
      try (Embedder embedder = Embedder.frozen(network)) {
        now = embedder.embed(utterances);
      }
      assertFalse(Arrays.equals(old.getFirst(), now.getFirst()));
      try (Embedder embedder = new Embedder(network)) {
        assertNear(embedder.embed(utterances), now);
      }
    }
  }

  /** A batch that has no room is embedded in parts, to float32 rounding the same. */
  @ParameterizedTest
  @ValueSource(strings = {"ResNet18", "reversible DF-ResNet56"})
  void aBatchWithoutRoomIsEmbeddedInParts(String name) {
    List<Features> utterances = utterances(5, 60);
    List<float[]> expected;
    long one;
    try (Backend backend = new Backend(CpuDevice.open(1));
        Network network = network(name, backend);
        Embedder embedder = new Embedder(network)) {
      embedder.embed(utterances.subList(0, 1));
      one = backend.ledger().totalBytes() + backend.blockBytes();
      expected = embedder.embed(utterances);
    }
    for (boolean enough : new boolean[] {true, false}) {
      MemoryBudget budget = new MemoryBudget(enough ? one : one - 1);
      try (Backend backend = Backends.open("cpu", 1, budget);
          Network network = network(name, backend);
          Embedder embedder = new Embedder(network)) {
        if (!enough) {
          assertThrows(OutOfBudgetException.class, () -> embedder.embed(utterances));
          continue;
        }
        List<float[]> parts = embedder.embed(utterances);
        assertEquals(expected.size(), parts.size());
        for (int i = 0; i < parts.size(); i++) {
          assertArrayEquals(expected.get(i), parts.get(i), 1e-5f);
        }
      }
    }
  }

  @Test
  void laidOutWeightsCountAgainstTheBudget() {
    long parameters;
    try (Backend dry = new Backend(new DryDevice());
        Network network = network("ResNet18", dry)) {
      assertEquals("ResNet18", network.spec().name());
      parameters = dry.ledger().totalBytes();
    }
    try (Backend backend = Backends.open("cpu", 1, new MemoryBudget(parameters + 100));
        Network network = network("ResNet18", backend)) {
      List<Features> utterances = utterances(1, 16);
      try (Embedder embedder = Embedder.frozen(network)) {
        var e = assertThrows(OutOfBudgetException.class, () -> embedder.embed(utterances));
        assertEquals(Category.PARAMETER, e.category());
        assertTrue(e.getMessage().contains(".laid_out"), e.getMessage());
      }
    }
  }

  /** All of other lengths, so that none fills a batch of its length. */
  @Test
  void fewFramesWaitHoweverManyUtterancesThereAre() throws Exception {
    try (Backend dry = new Backend(new DryDevice());
        Network network = network("ResNet18", dry);
        Embedder embedder = new Embedder(network)) {
      List<String> ids = new ArrayList<>();
      for (int i = 0; i < 420; i++) ids.add(Integer.toString(i));
      long[] read = {0};
      long[] most = {0};
      long[] done = {0};
      Embeddings embeddings =
          embedder.embed(
              ids,
              id -> {
                Features features = utterances(1, 700 + Integer.parseInt(id)).getFirst();
                read[0] += features.frames();
                most[0] = Math.max(most[0], read[0] - done[0]);
                return features;
              },
              (_, _) -> done[0] = read[0]);
      assertEquals(420, embeddings.size());
      assertTrue(most[0] <= 240_000 + 1120, most[0] + " frames");
    }
  }
}
