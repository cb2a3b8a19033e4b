package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import slimvox.memory.MemoryLedger;
import slimvox.step.TrainingStep;
import slimvox.train.Listener;
import slimvox.verify.Replicates;
import slimvox.verify.SpeakerDraws;

class RunsPanelTest {
  private static Listener.Step step(long step) {
    var result = new TrainingStep.Result(2.5, 0.5, 0.5, 1, 1, 1);
    return new Listener.Step(step, 9, 1, result, 0.1, 0, 4, 1, new MemoryLedger().report());
  }

  private static Experiment.Run run(String name) {
    return new Experiment.Run(Candidate.parse(name), 1);
  }

  @Test
  void itTellsWhatIsFinishedAndWhereTheOtherRunsAre() {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    String draws = Base64.getEncoder().encodeToString(new byte[2 * SpeakerDraws.DRAWS]);
    var rates = new Replicates("list", "draws", 3, 1.5, 0.1, draws, draws);
    var summary = new Summary("float", 1, List.of(), "", "", "", null, Map.of("list", rates));
    try (RunsPanel panel = new RunsPanel("Two networks")) {
      panel.began(2);
      panel.stepped(run("float"), step(7));
      panel.stepped(run("binary"), step(8));
      panel.finished(run("float"), summary, 1);
    } finally {
      System.setOut(before);
    }
    String[] lines = bytes.toString(StandardCharsets.UTF_8).split("\\R");
    assertTrue(lines[0].contains("going on float-1 7/9, loss 2.50"), lines[0]);
    String last = lines[lines.length - 1];
    assertTrue(last.startsWith("Two networks: runs: stopped at step 1 of 2"), last);
    assertTrue(last.contains("last finished float-1 | its EER 1.50 %"), last);
    assertTrue(last.contains("binary-1 8/9, loss 2.50"), last);
    assertFalse(last.contains("float-1 7/9"), last);
  }
}
