package slimvox.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MarginScheduleTest {
  @Test
  void increaseIsWeSpeakers() throws Exception {
    JsonNode cases =
        new ObjectMapper()
            .readTree(Path.of("tests/data/optim/schedules.json").toFile())
            .get("margin");
    int values = 0;
    for (JsonNode c : cases) {
      long epoch = c.get("epoch_iter").longValue();
      MarginSchedule margin =
          new MarginSchedule(
              c.get("initial_margin").doubleValue(),
              c.get("final_margin").doubleValue(),
              (c.get("increase_start_epoch").longValue() - 1) * epoch,
              (c.get("fix_start_epoch").longValue() - 1) * epoch,
              c.get("increase_type").textValue().equals("exp")
                  ? MarginSchedule.Increase.EXPONENTIAL
                  : MarginSchedule.Increase.LINEAR);
      for (int i = 0; i < c.get("iterations").size(); i++, values++) {
        long iteration = c.get("iterations").get(i).longValue();
        assertEquals(
            c.get("margin").get(i).doubleValue(),
            margin.at(iteration),
            1e-14,
            c + " at " + iteration);
      }
    }
    assertTrue(values > 60, values + " values");
  }

  @Test
  void constantMarginNeverChanges() {
    assertEquals(0.2, constant(0.2).at(0));
    assertEquals(0.2, constant(0.2).at(1_000_000));
  }

  @Test
  void impossibleSettingsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> constant(4));
    assertThrows(IllegalArgumentException.class, () -> constant(Double.NaN));
    assertThrows(
        IllegalArgumentException.class,
        () -> new MarginSchedule(0, 0.2, 5, 4, MarginSchedule.Increase.LINEAR));
  }

  private static MarginSchedule constant(double margin) {
    return new MarginSchedule(margin, margin, 0, 0, MarginSchedule.Increase.LINEAR);
  }
}
