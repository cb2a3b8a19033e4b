package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import slimvox.memory.ArenaPlan;
import slimvox.memory.Category;
import slimvox.memory.MemoryLedger;
import slimvox.train.Listener;
import slimvox.train.Recipe;
import slimvox.train.TrainingStep;
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
            "EER 7.50 %")) {
      assertTrue(text.contains(part), part + " is missing in: " + text);
    }
  }

  private static void follow() {
    MemoryLedger ledger = new MemoryLedger();
    ledger.freed(ledger.allocated(Category.ACTIVATION, "a", 2 << 20));
    ArenaPlan plan = ArenaPlan.of(List.of());
    TrainingPanel panel = new TrainingPanel();
    panel.started(new Listener.Start(Recipe.defaults(), 10, 5, 2, 0, 2, plan, "test"));
    for (int i = 1; i <= 2; i++) {
      TrainingStep.Result result =
          new TrainingStep.Result(5 - i, 0.5, 0.75, 500_000_000, 900_000_000, 100_000_000);
      panel.stepped(
          new Listener.Step(i, 2, 1, result, 0.001, 0.1, 12, 500_000_000, ledger.report()));
    }
    Verification verification =
        new Verification(7.5, 7.5, 0, 0.5, 0.5, 0, 0.05, 10, 20, "list", "0123456789abcdef");
    panel.validated(2, verification);
    panel.finished(new Listener.End(2, false, 4, 1, verification, ledger.report()));
  }
}
