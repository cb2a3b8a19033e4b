package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;

/** Commands that a notebook runs in a process of their own. */
class CommandLineIT {
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
