package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.memory.MemoryReport;
import slimvox.recipe.Recipe;
import slimvox.step.TrainingStep;
import slimvox.train.History;
import slimvox.train.Listener;
import slimvox.verify.Verification;

class TrainingPanelTest {
  @Test
  void theLastStateHasLossAccuraciesRatesDataWaitMemoryAndEer() {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      follow();
    } finally {
      System.setOut(before);
    }
    String text = bytes.toString(StandardCharsets.UTF_8);
    for (String part :
        List.of(
            "step 2 of 2",
            "loss 3.487 (mean of 20 steps)", // (0.95 x 4 + 3) / 1.95
            "accuracy 50.0 %",
            "without margin 75.0 %",
            "learning rate 1.00e-03",
            "margin 0.100",
            "utterances/s 6 (25.0 % waiting for data)",
            "activation 2.0 MiB",
            "memory at the peak 2.0 MiB (0.0 MiB planned for a step; validation takes more)",
            "EER 7.50 % (best 7.50 % at step 2)",
            "finished | loss")) {
      assertTrue(text.contains(part), part + " is missing in: " + text);
    }
  }

  @Test
  void aLongValidationIsSeenWhileItGoesOn() {
    List<String> drawn = new ArrayList<>();
    AtomicLong clockMs = new AtomicLong();
    TrainingPanel panel =
        new TrainingPanel(
            (title, first, steps) -> new LivePanel(title, first, steps, kept(drawn), clockMs::get));
    panel.started(start(1, 2, new History(null)));
    for (int done = 0; done <= 400; done++) {
      clockMs.addAndGet(10);
      panel.validating(done, 400);
    }
    assertEquals(1 + 8, drawn.size());
    assertTrue(drawn.get(4).contains("step 1 of 2"), drawn.get(4));
    assertTrue(drawn.get(4).contains("| validating: 199 of 400 utterances"), drawn.get(4));
  }

  @Test
  void aRunThatGoesOnKeepsItsCurveAndSaysHow() {
    History history = new History(null);
    Listener.Start start = start(0, 3, history);
    history.started(start);
    for (int i = 1; i <= 2; i++) history.stepped(step(i));
    history.validated(2, eer(6));
    history.finished(new Listener.End(2, true, 4, 1, eer(6), memory()));
    List<String> drawn = new ArrayList<>();
    TrainingPanel panel =
        new TrainingPanel(
            (title, first, steps) -> new LivePanel(title, first, steps, kept(drawn), () -> 0));
    panel.draw(history);
    String last = drawn.getLast();
    assertTrue(last.contains("stopped at step 2 of 3, 0:04 | loss 3.487"), last);
    assertTrue(last.contains("| EER 6.00 % (best 6.00 % at step 2)"), last);
    assertTrue(last.endsWith("| run the cell again to go on"), last);
  }

  @Test
  void aRunThatFailedIsDrawnSoAndARunningOneWithItsTime() throws Exception {
    History history = new History(null);
    Listener.Start start = start(0, 3, history);
    history.started(start);
    history.stepped(step(1));
    Thread.sleep(1100);
    List<String> drawn = new ArrayList<>();
    TrainingPanel panel =
        new TrainingPanel(
            (title, first, steps) -> new LivePanel(title, first, steps, kept(drawn), () -> 0));
    panel.draw(history);
    assertTrue(drawn.getLast().matches(".*: step 1 of 3, 0:0[1-9] .*"), drawn.getLast());
    history.failed(new IllegalStateException("the loss is not finite"));
    panel.draw(history);
    String last = drawn.getLast();
    assertTrue(last.matches(".*: failed at step 1 of 3, 0:0[1-9] .*"), last);
    assertTrue(last.endsWith("| the loss is not finite"), last);
  }

  @Test
  void allNotesOfARunAreSeenAndNoneOfTheOneBefore() {
    List<String> drawn = new ArrayList<>();
    TrainingPanel panel =
        new TrainingPanel(
            (title, first, steps) -> new LivePanel(title, first, steps, kept(drawn), () -> 0));
    for (int run = 1; run <= 2; run++) {
      panel.started(start(0, 2, new History(null)));
      panel.noted("note " + run);
      panel.noted("another");
      panel.finished(new Listener.End(2, false, 4, 1, Map.of(), memory()));
      assertTrue(drawn.getLast().endsWith("| note " + run + "; another"), drawn.getLast());
    }
  }

  private static Display kept(List<String> drawn) {
    return new Display() {
      @Override
      public void show(Map<String, String> data) {
        drawn.add(data.get("text/plain"));
      }

      @Override
      public void show(String id, Map<String, String> data) {
        show(data);
      }

      @Override
      public void update(String id, Map<String, String> data) {
        show(data);
      }

      @Override
      public String kernel() {
        return "test";
      }
    };
  }

  private static Listener.Start start(long first, long steps, History history) {
    ArenaPlan plan = ArenaPlan.of(List.of());
    return new Listener.Start(Recipe.defaults(), 10, 5, 2, first, steps, plan, "test", history);
  }

  private static Listener.Step step(int number) {
    TrainingStep.Result result =
        new TrainingStep.Result(5 - number, 0.5, 0.75, 500_000_000, 900_000_000, 100_000_000);
    return new Listener.Step(number, 2, 1, result, 0.001, 0.1, 12, 500_000_000, memory());
  }

  private static MemoryReport memory() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.freed(ledger.allocated(Category.ACTIVATION, "a", 2 << 20));
    return ledger.report();
  }

  private static Map<String, Verification> eer(double percent) {
    return Map.of(
        "list",
        new Verification(
            percent, percent, 0, 0.5, 0.5, 0, 0.05, 10, 20, "list", "0123456789abcdef", "cosine"));
  }

  private static void follow() {
    TrainingPanel panel = new TrainingPanel();
    panel.started(start(0, 2, new History(null)));
    for (int i = 1; i <= 2; i++) panel.stepped(step(i));
    panel.validated(2, eer(7.5));
    panel.finished(new Listener.End(2, false, 4, 1, eer(7.5), memory()));
  }
}
