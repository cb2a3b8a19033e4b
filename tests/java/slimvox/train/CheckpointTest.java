package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.Fuzz;
import slimvox.backend.Backend;
import slimvox.backend.Backends;
import slimvox.memory.MemoryBudget;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.models.Weights;
import slimvox.recipe.Recipe;
import slimvox.step.CheckpointFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** A checkpoint that was damaged is not taken, whatever was damaged. */
class CheckpointTest {
  @TempDir Path folder;

  private Path checkpoint() {
    Recipe recipe =
        Recipe.defaults().with("model.name=ResNet18", "model.width=4", "model.embeddingSize=8");
    SafetensorsWriter writer = Safetensors.writer();
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = Models.build(recipe.model(), backend)) {
      network.initialize(new Random(1));
      Weights.save(network.state(), "", writer);
    }
    writer.metadata("recipe", recipe.toYaml()).metadata("steps", "7");
    Path file = folder.resolve("checkpoint-0000007.safetensors");
    writer.write(file);
    return file;
  }

  private static Object everything(Path file) {
    try (Backend backend = Backends.open("cpu", 1, MemoryBudget.UNLIMITED);
        Network network = CheckpointFile.network(file, backend)) {
      float sum = 0;
      for (var p : network.state().parameters().values()) {
        for (float value : backend.ops().floats(p.value())) sum = 31 * sum + value;
      }
      return CheckpointFile.recipe(file).hash() + sum;
    }
  }

  @Test
  void damageIsNoticed() throws IOException {
    assertTrue(Fuzz.of(checkpoint()).sealed(100, CheckpointTest::everything) > 70);
  }

  @Test
  void oneWithoutChecksumsIsRefused() throws IOException {
    Path file = checkpoint();
    Fuzz.withoutChecksums(file);
    String message =
        assertThrows(InputException.class, () -> CheckpointFile.recipe(file)).getMessage();
    assertTrue(message.startsWith(file + ": header is damaged (checksum missing)"), message);
  }
}
