package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Commands that a notebook runs in a process of their own. */
class CommandLineTest {
  @BeforeEach
  void jar() {
    Path jar = Path.of("lib/target/slimvox-all.jar");
    assumeTrue(Files.exists(jar), jar + " has not been built");
  }

  @Test
  void theResultOfACommandIsRead() throws Exception {
    JsonNode json =
        CommandLine.json("memory", "--model=ResNet18", "--width=4", "--batch=2", "--classes=0");
    assertEquals("ResNet18", json.get("model").asText());
    assertTrue(json.get("total_peak_bytes").asLong() > 0);
  }

  @Test
  void aFailureCarriesTheCommandsOwnMessage() {
    var e =
        assertThrows(
            IllegalStateException.class, () -> CommandLine.json("memory", "--model=ResNet35"));
    assertTrue(e.getMessage().contains("--model ResNet35: no such model"), e.getMessage());
  }
}
