package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class LivePanelTest {
  /** Keeps what a kernel would be sent. */
  private static final class Recorder implements Display {
    final List<Map<String, String>> shown = new ArrayList<>();
    final List<Map<String, String>> updates = new ArrayList<>();

    @Override
    public void show(Map<String, String> data) {
      shown.add(data);
    }

    @Override
    public void show(String id, Map<String, String> data) {
      shown.add(data);
    }

    @Override
    public void update(String id, Map<String, String> data) {
      updates.add(data);
    }

    @Override
    public String kernel() {
      return "test";
    }
  }

  private final Recorder display = new Recorder();
  private final AtomicLong clockMs = new AtomicLong();

  @Test
  void thePanelIsDrawnTwiceASecondAndAtTheEnd() {
    try (LivePanel panel = new LivePanel("Training", 0, 1000, display, clockMs::get)) {
      for (int step = 1; step <= 1000; step++) {
        clockMs.addAndGet(10);
        panel.metric("loss", "" + step).point("loss", "training", step, 1.0 / step).step(step);
      }
    }
    assertEquals(1, display.shown.size());
    assertEquals(19 + 1, display.updates.size());
    String last = display.updates.getLast().get("text/html");
    assertTrue(last.contains("step 1,000 of 1,000, 0:10, finished"), last);
    assertTrue(last.contains("width:100.0%"), last);
    assertTrue(last.contains("data:image/svg+xml;base64,"), last);
    assertTrue(last.length() < 20_000, "the stored panel has " + last.length() + " characters");
  }

  @Test
  void aPanelThatEndsEarlySaysWhereAndLooksSo() {
    LivePanel panel = new LivePanel("Training", 0, 10, display, clockMs::get);
    clockMs.set(4000);
    panel.step(4);
    assertTrue(display.shown.getLast().get("text/html").contains("background:#0072b2"));
    panel.message("run the cell again to go on").close();
    panel.close();
    assertEquals(1, display.updates.size());
    assertEquals(
        "Training: stopped at step 4 of 10, 0:04 | run the cell again to go on",
        display.updates.getLast().get("text/plain"));
    assertTrue(display.updates.getLast().get("text/html").contains("background:#e69f00"));
  }

  @Test
  void theFirstEstimateLeavesOutWarmUpAndWhatWasDoneBefore() {
    LivePanel panel = new LivePanel("Training", 100, 200, display, clockMs::get);
    clockMs.set(30_000); // compiling and planning
    panel.step(101);
    assertEquals("Training: step 101 of 200, 0:30", display.shown.getLast().get("text/plain"));
    for (int step = 102; step <= 110; step++) {
      clockMs.addAndGet(1000);
      panel.step(step);
    }
    assertEquals(
        "Training: step 110 of 200, 0:39, about 1:30 left",
        display.updates.getLast().get("text/plain"));
  }

  @Test
  void aLongRunIsDrawnLessOften() {
    LivePanel panel = new LivePanel("Training", 0, 100_000, display, clockMs::get);
    for (int step = 1; step <= 80_000; step++) {
      clockMs.addAndGet(500);
      panel.step(step);
    }
    int drawn = display.updates.size();
    assertTrue(drawn > 1_000 && drawn < 2_000, drawn + " times in 11 hours");
  }

  @Test
  void aPanelOfARunThatFailedSaysWhy() {
    LivePanel panel = new LivePanel("Training", 0, 10, display, clockMs::get);
    panel.step(3);
    panel.fail("the loss is not finite");
    assertEquals(
        "Training: failed at step 3 of 10 | the loss is not finite",
        display.updates.getLast().get("text/plain"));
  }

  @Test
  void manyPointsStaySmall() {
    try (LivePanel panel = new LivePanel("Training", 0, 1_000_000, display, clockMs::get)) {
      for (int step = 1; step <= 1_000_000; step++) {
        panel.point("loss", "training", step, Math.sin(step * 1e-4));
        panel.point("memory", "all", step, Math.cos(step));
      }
    }
    String last = display.shown.getLast().get("text/html");
    assertTrue(last.length() < 20_000, "the stored panel has " + last.length() + " characters");
  }

  @Test
  void aPanelOfNoStepsIsRejected() {
    var e = assertThrows(IllegalArgumentException.class, () -> new LivePanel("Training", 0));
    assertEquals("a panel needs at least 1 step, not 0", e.getMessage());
  }
}
