package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.train.TinyRuns.SILENT;
import static slimvox.train.TinyRuns.resume;
import static slimvox.train.TinyRuns.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.recipe.Recipe;
import slimvox.storage.InputException;
import slimvox.verify.Verification;

/** Runs that validate on several lists of trials. */
class TrialListsTest {
  @TempDir static Path folder;
  private static Path first;
  private static Path second;

  @BeforeAll
  static void corpus() throws IOException {
    TinyRuns.corpus(folder);
    first = folder.resolve("trials.txt");
    second = folder.resolve("second.txt");
    Files.writeString(second, Files.readString(first).replace("-u5", "-u3"));
  }

  private static Recipe recipe(String trials) {
    return TinyRuns.recipe(folder, "data.trials=" + trials);
  }

  private static Recipe both() {
    return recipe("[%s, %s]".formatted(first, second));
  }

  @Test
  void eachListIsScoredFromOneEmbeddingOfItsUtterances() throws Exception {
    List<Map<String, Verification>> told = new ArrayList<>();
    List<Integer> totals = new ArrayList<>();
    Listener listener =
        new Listener() {
          @Override
          public void validating(int done, int total) {
            totals.add(total);
          }

          @Override
          public void validated(long step, Map<String, Verification> verifications) {
            told.add(verifications);
          }
        };
    Path out = folder.resolve("both");
    try (Trainer trainer = start(both(), out)) {
      Listener.End end = trainer.run(listener);
      assertEquals(2, told.size());
      assertEquals(told.getLast(), end.verifications());
      assertEquals(List.of(first + "", second + ""), List.copyOf(told.getLast().keySet()));
      assertEquals(
          told.getLast().get(first + ""),
          end.verifications().values().iterator().next(),
          "the first is the result");
      assertEquals(12, totals.getLast(), "eight utterances in each list, four of them in both");
      for (Path list : List.of(first, second)) {
        assertEquals(
            told.getLast().get(list + "").eerPercent(),
            Verification.of(trainer.score(trainer.data().trialLists().get(list + ""), (_, _) -> {}))
                .eerPercent(),
            1e-9);
      }
    }
    List<String> lines = Files.readAllLines(out.resolve("validation.csv"));
    assertEquals(5, lines.size());
    for (int i = 1; i < 5; i++) {
      assertTrue(lines.get(i).startsWith(i < 3 ? "6," : "12,"), lines.get(i));
      assertTrue(lines.get(i).contains(i % 2 == 1 ? "trials.txt" : "second.txt"), lines.get(i));
    }
    RunLog.LastQuarter last = RunLog.lastQuarter(out);
    double sum = 0;
    List<String> steps = Files.readAllLines(out.resolve("log.csv"));
    for (String step : steps.subList(10, 13)) sum += Double.parseDouble(step.split(",")[2]);
    assertEquals(3, last.steps());
    assertEquals(sum / 3, last.loss(), 1e-12);
  }

  /** A list of the corpus lies in a file of it; its name is what data.trials says. */
  @Test
  void aResumedRunKnowsItsListsByTheSameNames() throws Exception {
    Path lists = Files.createDirectories(folder.resolve("corpus/trials"));
    Files.copy(first, lists.resolve("own.txt"));
    Path out = folder.resolve("named");
    try (Trainer trainer = start(recipe("[own, own@channel]"), out)) {
      trainer.run(SILENT);
    }
    List<String> told = new ArrayList<>();
    Listener listener =
        new Listener() {
          @Override
          public void started(Start start) {
            start.history().eers().forEach(eer -> told.add(eer.list()));
          }
        };
    try (Trainer trainer = resume(recipe("[own, own@channel]"), out)) {
      trainer.run(listener);
    }
    assertEquals(List.of("own", "own@channel", "own", "own@channel"), told);
  }

  @Test
  void aValidationOfWhichAListIsMissingIsMadeAgain() throws Exception {
    Path out = folder.resolve("killed");
    try (Trainer trainer = start(both(), out)) {
      trainer.run(SILENT);
    }
    Path log = out.resolve("validation.csv");
    String whole = Files.readString(log);
    Files.writeString(log, whole.substring(0, whole.lastIndexOf("12,")));
    try (Trainer trainer = resume(both(), out)) {
      assertEquals(2, trainer.run(SILENT).verifications().size());
    }
    assertEquals(whole, Files.readString(log));
  }

  @Test
  void aLogOfMoreListsThanTheRunHasIsRefused() throws Exception {
    Path out = folder.resolve("one");
    try (Trainer trainer = start(recipe(first + ""), out)) {
      trainer.run(SILENT);
    }
    Path log = out.resolve("validation.csv");
    List<String> lines = Files.readAllLines(log);
    assertEquals(3, lines.size(), "as before there were several lists");
    lines.add(2, lines.get(1));
    Files.write(log, lines);
    try (Trainer trainer = resume(recipe(first + ""), out)) {
      assertEquals(
          log + ", line 3: not a line that a run writes there; repair it, or move the file away",
          assertThrows(InputException.class, () -> trainer.run(SILENT)).getMessage());
    }
    assertTrue(
        assertThrows(InputException.class, () -> resume(both(), out).close())
            .getMessage()
            .contains("data.trials=["));
  }

  @Test
  void aListAloneIsWrittenAsItWasAndNoneTwice() {
    Recipe one = recipe("[" + first + "]");
    assertEquals(one, recipe(first + ""));
    assertTrue(one.toYaml().contains("\n  trials: " + first + "\n"), one.toYaml());
    assertTrue(one.with("data.trials=null").toYaml().contains("\n  trials: null\n"));
    assertEquals(both(), Recipe.parse(both().toYaml(), "r.yaml"));
    assertEquals(
        "setting data.trials=[a, a]: data.trials: [a, a] holds a value twice",
        assertThrows(InputException.class, () -> recipe("[a, a]")).getMessage());
    assertEquals(
        "r.yaml: line 1: data.trials: needs a text or a list of texts, found {\"a\":1}",
        assertThrows(InputException.class, () -> Recipe.parse("data: {trials: {a: 1}}", "r.yaml"))
            .getMessage());
  }
}
