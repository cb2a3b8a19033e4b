package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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
        Network network = Models.build(recipe.model().spec(), backend)) {
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
        Network network = Checkpoint.network(file, backend)) {
      float sum = 0;
      for (var p : network.state().parameters().values()) {
        for (float value : backend.ops().floats(p.value())) sum = 31 * sum + value;
      }
      return Checkpoint.recipe(file).hash() + sum;
    }
  }

  @Test
  void damageIsNoticed() throws IOException {
    assertTrue(Fuzz.of(checkpoint()).sealed(100, CheckpointTest::everything) > 70);
  }

  @Test
  void oneWithoutChecksumsIsRefused() throws IOException {
    Path file = checkpoint();
    byte[] bytes = Files.readAllBytes(file);
    int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    String header = new String(bytes, 8, length, StandardCharsets.UTF_8);
    String without =
        header.replaceFirst("\"slimvox.format\":\"1\",\"slimvox.crc32c\":\"[^\"]*\",", "");
    byte[] text =
        (without + " ".repeat(length - without.length())).getBytes(StandardCharsets.UTF_8);
    System.arraycopy(text, 0, bytes, 8, length);
    bytes[bytes.length - 1] ^= (byte) 0x80;
    Files.write(file, bytes);
    String message = assertThrows(InputException.class, () -> Checkpoint.recipe(file)).getMessage();
    assertTrue(message.startsWith(file + ": header is damaged (checksum missing)"), message);
  }
}
