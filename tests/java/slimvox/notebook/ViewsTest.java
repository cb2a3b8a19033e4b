package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.audio.Waveform;
import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.data.FeatureSource;
import slimvox.memory.MemoryReport;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.plot.Figure;
import slimvox.recipe.Recipe;
import slimvox.recipe.RunSettings;
import slimvox.report.MemoryFigures;
import slimvox.report.NetworkSummary;
import slimvox.report.Results;
import slimvox.report.Tables;
import slimvox.step.MemoryAnalysis;
import slimvox.train.Listener;
import slimvox.train.TinyRuns;
import slimvox.train.Trainer;
import slimvox.verify.Scores;
import tech.tablesaw.api.DoubleColumn;
import tech.tablesaw.api.Table;

class ViewsTest {
  /** A hash code, an array's type or a missing value, as no reader wants them. */
  private static final Pattern DUMP = Pattern.compile("@[0-9a-f]{4,}|\\[[FDIJ]\\b|\\bnull\\b|NaN");

  @TempDir Path folder;

  private static void check(Object object) {
    for (Map<String, String> output : Views.of(object)) {
      String text = output.get("text/plain");
      assertFalse(text.isBlank(), () -> "nothing of " + object.getClass());
      output.forEach(
          (type, content) ->
              assertFalse(
                  !type.equals("image/png")
                      && DUMP.matcher(
                              content.replaceAll("base64,[^\"]*|(?s:<script>.*?</script>)", ""))
                          .find(),
                  () -> object.getClass() + " as " + type + ": " + content));
    }
    if (object instanceof ModelSpec || object instanceof RunSettings) return; // Recipe prints them
    boolean ours = object.getClass().getName().startsWith("slimvox.");
    if (ours && !(object instanceof Figure)) {
      assertFalse(DUMP.matcher(object.toString()).find(), () -> "printed: " + object);
      assertTrue(Views.of(object).getLast().containsKey("text/html"), object::toString);
    }
  }

  @Test
  void nothingShowsAHashCodeOrADump() throws Exception {
    TinyRuns.corpus(folder);
    Recipe recipe = TinyRuns.recipe(folder);
    try (Trainer trainer = Trainer.of(recipe)) {
      List<Object> all = new ArrayList<>();
      all.add(trainer.toString());
      Listener.End end = trainer.run(new Listener() {});
      assertTrue(trainer.toString().matches("ResNet18, step 12 of 12, batch 4 on cpu, loss .*"));
      Scores scores = trainer.score(FeatureSource.Progress.NONE);
      Results results = new Results();
      all.add(results.add("tiny", scores));
      var network = trainer.network();
      var parameter = network.state().parameters().values().iterator().next();
      var corpus = trainer.data().train();
      all.addAll(
          List.of(
              recipe,
              trainer,
              trainer.history(),
              trainer.history().start(),
              end,
              end.memory(),
              trainer.data(),
              trainer.training(),
              trainer.ledger(),
              trainer.embedder(),
              network));
      all.addAll(
          List.of(
              network.state(),
              network.parts().getFirst(),
              parameter,
              parameter.value(),
              network.backend(),
              scores,
              scores.trials(),
              results,
              corpus));
      all.addAll(
          List.of(
              corpus.sound("s0-u0"),
              trainer.data().batches().batch(0, 0),
              MemoryAnalysis.of(recipe, 8).price(recipe.model(), 4),
              Figure.of("t").line("loss", 1, 2),
              Table.create("t", DoubleColumn.create("x", new double[] {1, 2})),
              new float[] {1, 2},
              new double[0],
              new int[][] {{1}, {2, 3}},
              new boolean[] {true},
              new Object(),
              recipe.model(),
              recipe.run()));
      all.forEach(ViewsTest::check);
    }
  }

  @Test
  void arraysShowTheirEndsAndRange() {
    float[] values = {0.125f, -0.03f, 0.2f, 9, -9, 0.5f, 0.75f, 0.4f};
    assertEquals(
        "float[8] 0.1250 -0.03000 0.2000 ... 0.5000 0.7500 0.4000; min -9.000, mean 0.2431, max"
            + " 9.000",
        Views.array(values));
    assertEquals(
        "float[2][] (float[1] 1.000; min 1.000, mean 1.000, max 1.000) (float[0])",
        Views.array(new float[][] {{1}, {}}));
    assertEquals("Object[2] 1 a", Views.array(new Object[] {1, "a"}));
  }

  /** One table has one look, whether it is printed, shown, or the last expression. */
  @Test
  void aReportHasOneTable() {
    MemoryReport report =
        MemoryAnalysis.of(Recipe.defaults(), 10).price(Recipe.defaults().model(), 2).report();
    String shown = Tables.text(MemoryFigures.table(report));
    assertEquals(shown, Views.of(report).getFirst().get("text/plain"));
    assertEquals(numbers(shown.replaceFirst("\n[- ]+", "")), numbers(report.toString()));
  }

  private static String numbers(String table) {
    return table.strip().replaceAll(" {2,}", " | ").replaceAll(" +%", "%");
  }

  @Test
  void aNetworkIsSummarizedWithoutBeingRun() {
    Backend dry = new Backend(new DryDevice());
    Network network = Models.build(ModelSpec.of("ResNet18", "width=8"), dry);
    long before = dry.ledger().totalBytes();
    Table table = NetworkSummary.of(network, 200);
    assertEquals(before, dry.ledger().totalBytes());
    int last = table.rowCount() - 1;
    assertEquals(network.state().parameterCount(), table.doubleColumn("parameters").get(last));
    assertEquals("layer1.0 to layer1.1 (2)", table.stringColumn("layer").get(2));
    assertEquals("[1, 256]", table.stringColumn("output").get(last - 1));
    double millions = Models.multiplyAdds(network.spec(), 200) / 1e6;
    assertEquals(millions, table.doubleColumn("multiply-adds (M)").get(last), 1e-9);
    assertEquals(2 * millions, table.doubleColumn("multiply-adds (M)").sum(), 1e-9);
  }

  @Test
  void soundIsStoredInShort() {
    var output = Views.of(new Waveform(new float[160_000], 16000)).getFirst();
    assertEquals("10.00 s at 16,000 Hz", output.get("text/plain"));
    assertTrue(output.get("text/html").contains("<audio controls"));
    assertTrue(output.get("text/html").length() < 70_000, "at most 1.5 s can be heard");
  }
}
