package slimvox.binary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import slimvox.audio.Features;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.backend.packed.WeightForm;
import slimvox.gpu.Gpu;
import slimvox.memory.MemoryBudget;
import slimvox.models.ModelSpec;

/** Packed networks on a card give the bits that they give on the processor. */
@Gpu
class PackedCardTest {
  @ParameterizedTest
  @MethodSource("slimvox.binary.PackedNetworkTest#specs")
  void embeddingsAreTheProcessorsBits(ModelSpec spec) {
    try (Backend cpu = Backends.open("cpu", 0, MemoryBudget.UNLIMITED);
        Backend card = Backends.open("cuda", 0, MemoryBudget.UNLIMITED);
        var network = TrainedNetwork.of(spec, cpu, 3)) {
      PackedModel model = Packer.pack(network, "test", WeightForm.INT8, Map.of());
      try (PackedNetwork expected = new PackedNetwork(cpu, model);
          PackedNetwork packed = new PackedNetwork(card, model)) {
        for (int frames : new int[] {31, 300, 57}) {
          Features features = TrainedNetwork.features(new Random(frames), frames, spec.bins());
          assertArrayEquals(expected.embed(features), packed.embed(features), frames + " frames");
        }
      }
    }
  }
}
