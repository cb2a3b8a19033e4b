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
import slimvox.recipe.Recipe;
import slimvox.step.TrainingStep;
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
            "loss 3.950", // 4, then 5 % of the way to 3
            "accuracy 50.0 %",
            "without margin 75.0 %",
            "learning rate 1.00e-03",
            "margin 0.100",
            "utterances/s 6",
            "data wait 25.0 %",
            "activation 2.00 MiB",
            "peak 2.00 MiB",
            "EER 7.50 % (cosine)")) {
      assertTrue(text.contains(part), part + " is missing in: " + text);
    }
  }

  @Test
  void aLongValidationIsSeenWhileItGoesOn() {
    List<String> drawn = new ArrayList<>();
    Display display =
        new Display() {
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
    AtomicLong clockMs = new AtomicLong();
    TrainingPanel panel =
        new TrainingPanel((title, steps) -> new LivePanel(title, steps, display, clockMs::get));
    panel.started(start(1));
    for (int done = 0; done <= 400; done++) {
      clockMs.addAndGet(10);
      panel.validating(done, 400);
    }
    assertEquals(1 + 8, drawn.size());
    assertTrue(drawn.get(4).contains("step 1 of 2"), drawn.get(4));
    assertTrue(drawn.get(4).contains("| validation 199 of 400 utterances"), drawn.get(4));
  }

  private static Listener.Start start(long first) {
    ArenaPlan plan = ArenaPlan.of(List.of());
    return new Listener.Start(Recipe.defaults(), 10, 5, 2, first, 2, plan, "test");
  }

  private static void follow() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.freed(ledger.allocated(Category.ACTIVATION, "a", 2 << 20));
    TrainingPanel panel = new TrainingPanel();
    panel.started(start(0));
    for (int i = 1; i <= 2; i++) {
      TrainingStep.Result result =
          new TrainingStep.Result(5 - i, 0.5, 0.75, 500_000_000, 900_000_000, 100_000_000);
      panel.stepped(
          new Listener.Step(i, 2, 1, result, 0.001, 0.1, 12, 500_000_000, ledger.report()));
    }
    Verification verification =
        new Verification(
            7.5, 7.5, 0, 0.5, 0.5, 0, 0.05, 10, 20, "list", "0123456789abcdef", "cosine");
    panel.validated(2, Map.of("list", verification));
    panel.finished(new Listener.End(2, false, 4, 1, Map.of("list", verification), ledger.report()));
  }
}
