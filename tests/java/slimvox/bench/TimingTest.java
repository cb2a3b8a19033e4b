package slimvox.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class TimingTest {
  @Test
  void medianAndBestOfAnyOrder() {
    assertEquals(2, Timing.of(3, 1, 2).median());
    assertEquals(2.5, Timing.of(4, 3, 1, 2).median());
    assertEquals(1, Timing.of(4, 3, 1, 2).best());
  }

  @Test
  void formsTakeTurns() {
    StringBuilder order = new StringBuilder();
    List<Timing> timings =
        Timing.measure(Duration.ZERO, 2, 3, () -> order.append('a'), () -> order.append('b'));
    assertEquals("ab" + "aaabbb".repeat(2), order.toString());
    assertEquals(2, timings.size());
    for (Timing t : timings) {
      assertEquals(6, t.times().length);
      assertTrue(t.best() >= 0 && t.best() <= t.median());
    }
  }

  @Test
  void theWarmUpLastsAsLongAsAsked() {
    long start = System.nanoTime();
    Timing.measure(Duration.ofMillis(30), 1, () -> {});
    assertTrue(System.nanoTime() - start >= 30_000_000);
  }
}
