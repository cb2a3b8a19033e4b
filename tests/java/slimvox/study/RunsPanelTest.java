package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import slimvox.memory.MemoryLedger;
import slimvox.recipe.Recipe;
import slimvox.step.TrainingStep;
import slimvox.train.Listener;
import slimvox.verify.Scores;
import slimvox.verify.Trials;

class RunsPanelTest {
  private static Listener.Step step(long step) {
    var result = new TrainingStep.Result(2.5, 0.5, 0.5, 1, 1, 1);
    return new Listener.Step(step, 9, 1, result, 0.1, 0, 4, 1, new MemoryLedger().report());
  }

  private static TrainingRuns.Outcome outcome(String name) {
    Trials trials = Trials.builder("list").add("a", "b", true).add("a", "c", false).build();
    Scores scores = new Scores("test", trials, new double[] {1, 0});
    return new TrainingRuns.Outcome(
        name, Recipe.defaults(), new double[0], 0, Map.of("trials", scores), Path.of("x"));
  }

  @Test
  void itTellsWhatIsFinishedAndWhereTheOtherRunsAre() {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try (RunsPanel panel = new RunsPanel("Two networks", 2)) {
      panel.stepped("float", step(7));
      panel.stepped("binary", step(8));
      panel.finished(outcome("float"), 1, 2);
    } finally {
      System.setOut(before);
    }
    String[] lines = bytes.toString(StandardCharsets.UTF_8).split("\\R");
    assertTrue(lines[0].contains("going on float 7/9, loss 2.50"), lines[0]);
    String last = lines[lines.length - 1];
    assertTrue(last.startsWith("Two networks: runs: step 1 of 2"), last);
    assertTrue(last.contains("last finished float | its EER 0.00 %"), last);
    assertTrue(last.contains("binary 8/9, loss 2.50"), last);
    assertFalse(last.contains("float 7/9"), last);
  }
}
