package slimvox.binary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.cuda.FakeCard;
import slimvox.backend.packed.WeightForm;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** {@code slimvox embed} with a packed model on a card, which stand-ins play. */
class PackedEmbedTest {
  @TempDir private Path folder;

  @Test
  void aCardWritesTheEmbeddingsOfTheProcessor() throws Exception {
    FakeCard card = new FakeCard(folder);
    ModelSpec spec =
        ModelSpec.of("ResNet18", "width=12", "bins=20", "embeddingSize=24", "pooling=gsp")
            .with("binary.scheme=w1a1");
    Path model = folder.resolve("net.packed");
    try (Backend cpu = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, cpu, 3)) {
      Packer.pack(network, "test", WeightForm.INT8, Map.of()).write(model);
    }
    SafetensorsWriter utterances = Safetensors.writer();
    for (int frames : new int[] {30, 47}) {
      Features f = TrainedNetwork.features(new Random(frames), frames, 20);
      float[] values = new float[frames * 20];
      for (int i = 0; i < values.length; i++) values[i] = f.get(i / 20, i % 20);
      utterances.put("u" + frames, new long[] {frames, 20}, values);
    }
    Path features = folder.resolve("features.safetensors");
    utterances.write(features);
    for (String backend : List.of("cuda", "cpu")) {
      FakeCard.Run run =
          card.slimvox(
              Map.of(),
              "embed",
              model.toString(),
              "--features=" + features,
              folder.resolve(backend).toString(),
              "--backend=" + backend);
      assertEquals(0, run.code(), run.output());
    }
    Safetensors expected = Safetensors.read(folder.resolve("cpu"));
    Safetensors actual = Safetensors.read(folder.resolve("cuda"));
    assertEquals(expected.names(), actual.names());
    for (String name : expected.names()) {
      assertArrayEquals(expected.floats(name), actual.floats(name), name);
    }
  }
}
