package slimvox.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class LearningRateTest {
  @Test
  void exponentialDecreaseIsWeSpeakers() throws Exception {
    JsonNode cases =
        new ObjectMapper()
            .readTree(Path.of("tests/data/optim/schedules.json").toFile())
            .get("exponential_decrease");
    int values = 0;
    for (JsonNode c : cases) {
      if (!c.get("warm_from_zero").booleanValue()) continue;
      long epoch = c.get("epoch_iter").longValue();
      LearningRate rate =
          LearningRate.exponential(
              c.get("initial_lr").doubleValue(),
              c.get("final_lr").doubleValue(),
              c.get("num_epochs").longValue() * epoch,
              c.get("warm_up_epoch").longValue() * epoch);
      for (int i = 0; i < c.get("iterations").size(); i++, values++) {
        double expected = c.get("lr").get(i).doubleValue() / c.get("scale_ratio").doubleValue();
        long iteration = c.get("iterations").get(i).longValue();
        assertEquals(expected, rate.at(iteration), 1e-12 * expected, c + " at " + iteration);
      }
    }
    assertTrue(values > 30, values + " values");
  }

  /** A user's log in WeSpeaker's issue 426: batch 64 on one device, 17,062 steps an epoch. */
  @Test
  void exponentialDecreaseGivesThePublishedLogOfATraining() {
    LearningRate rate = LearningRate.exponential(0.1, 5e-5, 150 * 17062, 6 * 17062);
    assertEquals(5.0113e-05, rate.at(149 * 17062 + 16299), 0.5e-9);
    assertEquals(5e-05, rate.at(150 * 17062 - 1), 0.5e-9);
  }

  @Test
  void cosineDecreaseFallsFromFirstToLastAndStays() {
    LearningRate rate = LearningRate.cosine(0.003, 0.00006, 1200);
    assertEquals(0.003, rate.at(0));
    assertEquals((0.003 + 0.00006) / 2, rate.at(600), 1e-15);
    assertEquals(0.00006 + 0.00294 * 0.75, rate.at(400), 1e-15);
    assertEquals(0.00006, rate.at(1200));
    assertEquals(0.00006, rate.at(5000));
    for (int i = 0; i < 1200; i++) assertTrue(rate.at(i + 1) < rate.at(i));
  }

  @Test
  void linearWarmupRisesToWhereTheNextScheduleBegins() {
    LearningRate rate = LearningRate.warmup(5, LearningRate.cosine(0.2, 0, 10));
    assertEquals(0, rate.at(0));
    assertEquals(0.08, rate.at(2), 1e-15);
    assertEquals(0.2, rate.at(5), 1e-15);
    assertEquals(0.1, rate.at(10), 1e-15);
    assertEquals(0, rate.at(15));
    assertEquals(0.7, LearningRate.warmup(0, LearningRate.constant(0.7)).at(0));
  }

  @Test
  void impossibleSettingsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> LearningRate.constant(-1));
    assertThrows(IllegalArgumentException.class, () -> LearningRate.constant(Double.NaN));
    assertThrows(IllegalArgumentException.class, () -> LearningRate.cosine(0.1, 0.01, 0));
    assertThrows(IllegalArgumentException.class, () -> LearningRate.exponential(0.1, 0, 10, 0));
    assertThrows(IllegalArgumentException.class, () -> LearningRate.exponential(0.1, 0.01, 10, -1));
    assertThrows(
        IllegalArgumentException.class, () -> LearningRate.warmup(-1, LearningRate.constant(1)));
  }
}
