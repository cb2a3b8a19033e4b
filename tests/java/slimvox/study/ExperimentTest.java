package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.study.Claims.Expected.NO_WORSE;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import slimvox.Refusals;
import slimvox.cli.CommandLineTest;
import slimvox.models.Models;
import slimvox.plot.Gallery;
import slimvox.plot.Ticks;
import slimvox.study.Experiment.Run;
import slimvox.train.Checkpoint;
import slimvox.train.Listener;
import slimvox.train.TinyRuns;
import slimvox.verify.Comparison;
import slimvox.verify.Estimate;
import slimvox.verify.Measure;
import slimvox.verify.Variant;
import tech.tablesaw.api.Table;

/** Experiments of tiny runs. */
class ExperimentTest {
  private static final String TWO =
      """
      title: Two networks
      recipe: tiny.yaml
      seeds: 2
      lists: [tiny]
      accuracy: 0
      variants:
        - vanilla
        - type I  model.reversible=partial
      """;

  @TempDir Path folder;

  @BeforeEach
  void corpus() throws IOException {
    TinyRuns.corpus(folder);
    Files.createDirectories(folder.resolve("corpus/trials"));
    StringBuilder trials = new StringBuilder();
    for (int a = 0; a < 24; a++) {
      for (int b = a + 1; b < 24; b++) {
        trials.append(
            "%d s%d-u%d s%d-u%d\n".formatted(a / 6 == b / 6 ? 1 : 0, a / 6, a % 6, b / 6, b % 6));
      }
    }
    Files.writeString(folder.resolve("corpus/trials/tiny.txt"), trials);
    Files.writeString(
        folder.resolve("tiny.yaml"),
        TinyRuns.recipe(folder, "data.trials=null", "data.speeds=[1.0]", "run.length=6 steps")
            .toYaml());
  }

  private Experiment experiment(String name, String text, String... settings) throws IOException {
    Path file = folder.resolve(name + ".yaml");
    Files.writeString(file, text);
    return Experiment.read(file, settings);
  }

  private static final String HEARD =
      "tiny: 4 of its 4 speakers are trained on, such as s0; strangers have more errors";

  private ExperimentRuns runs(Experiment experiment, String places) {
    return new ExperimentRuns(experiment, Places.in(folder.resolve(places)));
  }

  private Path summary(String run) {
    return folder.resolve("here/notebooks/results/two/" + run + ".json");
  }

  @Test
  void listsBehindChannelsHaveRatesOfTheirOwn() throws Exception {
    String text = TWO.replace("[tiny]", "[tiny, tiny@channel]").replace("seeds: 2", "seeds: 1");
    Experiment experiment = experiment("two", text, "data.channel.probability=1");
    ExperimentResults results = runs(experiment, "here").run(List.of(), 1, RunsProgress.NONE);
    for (Run run : experiment.runs()) {
      var lists = results.summary(run).lists();
      assertNotEquals(lists.get("tiny").trials(), lists.get("tiny@channel").trials());
      assertEquals(lists.get("tiny").draws(), lists.get("tiny@channel").draws());
      if (run.candidate() == Candidate.WHITENED) continue; // tells these tones apart anyhow
      assertNotEquals(lists.get("tiny").eerDraws(), lists.get("tiny@channel").eerDraws());
    }
    Refusals.assertRefused(
        "two has no list 'other'; it has tiny, tiny@channel", () -> results.rows("other"));
  }

  /** Counts the steps that are taken. */
  private static final class Steps implements RunsProgress {
    final AtomicInteger taken = new AtomicInteger();

    @Override
    public void stepped(Run run, Listener.Step step) {
      taken.incrementAndGet();
    }
  }

  @Test
  void runsThatAreMissingAreMadeAndReadTheSecondTime() throws Exception {
    Experiment two = experiment("two", TWO);
    ExperimentResults none = runs(two, "here").results();
    assertEquals(6, none.missing().size(), "and two without a network");
    assertEquals("tiny: no run yet", title(ExperimentFigures.errors(none)));
    assertEquals(
        "tiny: no verdict yet, missing runs: 6", title(ExperimentFigures.differences(none)));
    Steps first = new Steps();
    ExperimentResults results = runs(two, "here").run(List.of(), 2, first);
    assertEquals(24, first.taken.get());
    assertEquals(List.of(), results.missing());
    assertEquals(List.of(HEARD), results.notes());
    FileTime written = Files.getLastModifiedTime(summary("type-i-2"));
    Steps second = new Steps();
    ExperimentResults again = runs(two, "here").run(List.of(), 1, second);
    assertEquals(0, second.taken.get());
    assertEquals(written, Files.getLastModifiedTime(summary("type-i-2")));
    assertEquals(results.table("tiny").text(), again.table("tiny").text());
    assertEquals(
        results.table("tiny").text(), runs(two, "here").results().table("tiny").text(), "read");
    List<ExperimentResults.Row> rows = results.rows("tiny");
    assertEquals("no network, whitened", rows.get(1).variant());
    assertEquals("baseline", rows.get(1).verdict());
    assertNotNull(rows.get(0).eer());
    assertNull(rows.get(0).comparison());
    assertEquals("reference", rows.get(2).verdict());
    assertEquals("vanilla", rows.get(3).comparison().reference());
    Summary.Training training = results.summary(run(two, "vanilla", 1)).training();
    assertEquals(6, training.steps());
    assertTrue(training.cpuSeconds() > 0 && training.peakBytes() > training.stateBytes());
    assertEquals(8 * (training.parameters() + 4 * 16), training.stateBytes(), "Adam, 4 speakers");
    assertTrue(
        title(ExperimentFigures.errors(results)).startsWith("tiny: lowest of the networks: "));
    ExperimentResults.Row row = results.row("tiny", "type I");
    Gallery differences = ExperimentFigures.differences(results);
    assertEquals("tiny — " + row.verdict() + ": type I", title(differences));
    String value = Ticks.number(Math.round(100 * row.difference()[0]) / 100.0);
    assertTrue(differences.caption().contains("type I: " + row.verdict() + " " + value + " ("));
  }

  private static String title(Gallery gallery) {
    return gallery.figures().getFirst().title();
  }

  @Test
  void aClaimIsJudgedByWhatTheRunsShow() throws Exception {
    Experiment two = experiment("two", TWO);
    runs(two, "here").run(List.of(), 2, RunsProgress.NONE);
    ExperimentResults results = runs(two, "here").results();
    ExperimentResults.Row row = results.row("tiny", "type I");
    Claims claims = new Claims().add("claim", "paper", results, "type I", NO_WORSE, "more");
    Files.delete(summary("vanilla-2"));
    claims.add("claim", "paper", runs(two, "here").results(), "type I", NO_WORSE, "more");
    Table table = claims.table();
    String measured = "tiny %s %%, %s".formatted(row.differenceText(), row.verdict());
    assertEquals(measured, table.getString(0, "measured here"));
    assertEquals(NO_WORSE.judge(row.comparison()), table.getString(0, "verdict"));
    assertEquals("vanilla: missing: seed 2", table.getString(1, "verdict"));
    assertEquals("", table.getString(1, "measured here"));
  }

  @Test
  void aClaimNeedsADifferenceBeyondTheMarginToBeContradicted() {
    assertEquals("supported, cannot tell, cannot tell", judged(1, -3, 5, 0.9, 0.01, 0.02));
    assertEquals("supported, supported, contradicted", judged(-5, -8, -2, 0.01, 0.001, 0.02));
    assertEquals("supported, supported, contradicted", judged(-20, -30, -9, 0.01, 0.001, 1));
    assertEquals("supported, cannot tell, cannot tell", judged(-8, -17, 1, 0.1, 0.001, 0.3));
    assertEquals("cannot tell, contradicted, supported", judged(7, 4, 9.5, 0.01, 0.06, 0.06));
    assertEquals("contradicted, contradicted, supported", judged(30, 15, 45, 0.01, 1, 1));
    assertEquals("cannot tell, cannot tell, cannot tell", judged(20, -3, 43, 0.2, 0.8, 0.8));
  }

  /** What a difference in % with its interval and p-values says of the claims. */
  private static String judged(
      double percent, double low, double high, double different, double notWorse, double equal) {
    Comparison comparison =
        new Comparison(
            "a",
            "b",
            Measure.EER,
            0.1,
            true,
            10,
            10 + percent / 10,
            new Estimate(percent / 10, 1, 5),
            1 + low / 100,
            1 + high / 100,
            different,
            notWorse,
            equal);
    return Arrays.stream(Claims.Expected.values())
        .map(expected -> expected.judge(comparison))
        .collect(Collectors.joining(", "));
  }

  @Test
  void runsPairWhereTheExperimentSaysSo() throws Exception {
    Experiment two = experiment("two", TWO);
    ExperimentResults apart = runs(two, "here").run(List.of(), 2, RunsProgress.NONE);
    String text = TWO.replace("=partial", "=partial paired=true");
    ExperimentResults paired = runs(experiment("two", text), "here").results();
    assertEquals(List.of(), paired.missing(), "the same runs");
    Comparison known =
        Comparison.of(of(apart, "vanilla"), of(apart, "type I"), Measure.EER, 0.1, true);
    assertEquals(known, paired.row("tiny", "type I").comparison());
    assertNotEquals(known, apart.row("tiny", "type I").comparison());
    String refused =
        Refusals.refused(() -> experiment("two", TWO.replace("=partial", "=partial paired=no")));
    assertTrue(refused.endsWith("'type I': paired=no; give true, or leave it out"), refused);
  }

  private static Variant of(ExperimentResults results, String name) {
    Candidate candidate = results.experiment().candidate(name);
    return Variant.trained(
        name,
        results.experiment().runs(candidate).stream()
            .map(run -> results.summary(run).lists().get("tiny"))
            .toList());
  }

  @Test
  void aRunAloneGivesTheBitsOfOneBesideOthersAndAStoppedOneThoseOfAWholeOne() throws Exception {
    Experiment two = experiment("two", TWO);
    Thread caller = Thread.currentThread();
    AtomicBoolean once = new AtomicBoolean();
    RunsProgress stop =
        new RunsProgress() {
          @Override
          public void stepped(Run run, Listener.Step step) {
            if (step.step() == 5 && once.compareAndSet(false, true)) caller.interrupt();
          }
        };
    ExperimentRuns here = runs(two, "here");
    assertThrows(InterruptedException.class, () -> here.run(List.of(), 2, stop));
    Path run = folder.resolve("here/runs/study").resolve(two.recipe(run(two, "vanilla", 1)).hash());
    assertTrue(Checkpoint.latest(run).isPresent());
    assertFalse(Files.exists(summary("vanilla-1")));
    Steps rest = new Steps();
    ExperimentResults resumed = runs(two, "here").run(List.of(), 2, rest);
    assertTrue(rest.taken.get() < 24, "it went on");
    ExperimentResults whole = runs(two, "there").run(List.of(), 1, RunsProgress.NONE);
    for (Run r : two.runs()) {
      Summary a = resumed.summary(r);
      Summary b = whole.summary(r);
      assertEquals(b.lists(), a.lists());
      if (r.candidate().isBaseline()) continue;
      assertEquals(b.training().loss(), a.training().loss());
      assertEquals(b.training().accuracy(), a.training().accuracy());
    }
  }

  @Test
  void summariesOfSomethingElseAreLeftOutWithASentence() throws Exception {
    Experiment two = experiment("two", TWO);
    runs(two, "here").run(List.of(), 2, RunsProgress.NONE);
    Path file = summary("vanilla-2");
    String good = Files.readString(file);
    String hash = two.hash(new Run(two.candidate("vanilla"), 2));
    String[][] faults = {
      {hash, "0123456789ab", "made with recipe 0123456789ab, that of the experiment is " + hash},
      {"\"seed\" : 2", "\"seed\" : 3", "of 'vanilla', seed 3"},
      {"\"corpus\" : \"", "\"corpus\" : \"ff", "made with corpus ff"},
      {"\"trials\" : \"", "\"trials\" : \"ff", "measured on another list tiny (ff"},
      {"\"draws\" : \"", "\"draws\" : \"ff", "tiny has other statistics (draws ff"},
      {"\"tiny\" :", "\"other\" :", "lacks tiny"},
    };
    for (String[] fault : faults) {
      Files.writeString(file, good.replace(fault[0], fault[1]));
      ExperimentResults results = runs(two, "here").results();
      assertEquals(2, results.notes().size(), fault[2]);
      String note = results.notes().getFirst();
      assertTrue(note.startsWith("two/vanilla-2.json: " + fault[2]), note);
      assertTrue(note.endsWith("; left out, the run is to be made again"), note);
      assertEquals(List.of("vanilla-2"), results.missing().stream().map(Run::name).toList());
      assertEquals("missing: seed 2", results.rows("tiny").get(2).verdict());
      assertEquals("vanilla: missing: seed 2", results.rows("tiny").get(3).verdict());
      assertNull(results.rows("tiny").get(3).comparison());
    }
    Files.writeString(file, good.replace("\"revision\" : \"", "\"revision\" : \"old"));
    ExperimentResults mixed = runs(two, "here").results();
    assertEquals(List.of(), mixed.missing());
    assertTrue(
        mixed.notes().getFirst().contains(": made by several versions of the program: "),
        mixed.notes()::toString);
    Files.writeString(file.resolveSibling("stray-1.json"), good);
    assertTrue(runs(two, "here").results().notes().getFirst().contains("stray-1.json: of no run"));
    Files.writeString(file, "null");
    assertTrue(
        Refusals.refused(() -> runs(two, "here").results())
            .contains(" is no summary of a run (null)"));
    Files.writeString(file, good.substring(0, good.length() / 2));
    String damaged = Refusals.refused(() -> runs(two, "here").results());
    assertTrue(damaged.startsWith(file + ":"), damaged);
    assertTrue(damaged.contains(" is no summary of a run ("), damaged);
    assertTrue(damaged.endsWith("restore it, or remove it to have the run made again"), damaged);
  }

  @Test
  void aChangedSettingMakesItsRunsAnewAndFreshMakesThoseThatAreNamed() throws Exception {
    Experiment two = experiment("two", TWO);
    runs(two, "here").run(List.of(), 2, RunsProgress.NONE);
    Steps changed = new Steps();
    Experiment other = experiment("two", TWO.replace("=partial", "=partial model.rebuild=true"));
    runs(other, "here").run(List.of(), 2, changed);
    assertEquals(12, changed.taken.get());
    ExperimentRuns fresh = runs(other, "here");
    fresh.remove(List.of("vanilla"));
    assertEquals(2, runs(other, "here").results().missing().size(), "the others stay");
    Steps anew = new Steps();
    fresh.run(List.of(), 2, anew);
    assertEquals(12, anew.taken.get());
    Refusals.assertRefused(
        "two has no variant 'type X'; it has no network, no network, whitened, vanilla, type I",
        () -> fresh.remove(List.of("type X")));
  }

  @Test
  void anotherExperimentTakesTheSameRunOver() throws Exception {
    runs(experiment("two", TWO), "here").run(List.of(), 2, RunsProgress.NONE);
    Steps steps = new Steps();
    String text = TWO.replace("- vanilla", "- plain").replace("seeds: 2", "seeds: 1");
    ExperimentResults results = runs(experiment("three", text), "here").run(List.of(), 1, steps);
    assertEquals(0, steps.taken.get());
    assertEquals("plain", results.rows("tiny").get(2).variant());
    assertEquals("one seed: not tested", results.rows("tiny").get(3).verdict());
  }

  @Test
  void whatHasNotConvergedHasNoNumber() throws Exception {
    String text =
        TWO.replace("accuracy: 0", "accuracy: 95").replace("seeds: 2", "seeds: 1")
            + "  - longer  twice=vanilla\n";
    Experiment experiment = experiment("two", text);
    Run longer = run(experiment, "longer", 1);
    assertEquals("12 steps", experiment.recipe(longer).run().length().toString());
    ExperimentRuns here = runs(experiment("two", text, "accuracy=0"), "here");
    here.run(List.of("vanilla", "type I"), 2, RunsProgress.NONE);
    assertEquals(
        "tiny: no verdict yet, missing runs: 3",
        title(ExperimentFigures.differences(here.results())));
    for (var row : here.results().rows("tiny").subList(2, 4)) {
      String verdict = row.verdict().replaceFirst("^vanilla: ", "");
      assertEquals("convergence not tested, missing: longer", verdict);
      assertNull(row.comparison());
    }
    ExperimentResults results = runs(experiment, "here").run(List.of(), 2, RunsProgress.NONE);
    for (var row : results.rows("tiny").subList(2, 5)) {
      assertTrue(row.verdict().startsWith("not converged: accuracy "), row.verdict());
      assertNull(row.eer());
      assertNull(row.minDcf());
      assertNull(row.comparison());
      assertNotNull(row.accuracy());
    }
    String none = title(ExperimentFigures.differences(results));
    assertTrue(none.startsWith("tiny: no verdict, not converged: accuracy "), none);
    // The same runs judged by the second rule alone: more steps have to change little.
    double once = eer(results, run(experiment, "vanilla", 1));
    double twice = eer(results, longer);
    String verdict =
        runs(experiment("two", text, "accuracy=0", "margin=0.0001"), "here")
            .results()
            .rows("tiny")
            .get(2)
            .verdict();
    assertEquals(once > twice, verdict.startsWith("not converged: twice the steps"), verdict);
    double less = 100 * (once - twice) / once;
    for (double margin : new double[] {0.99 * less, 1.01 * less}) {
      if (!(less > 0)) continue;
      Experiment judged = experiment("two", text, "accuracy=0", "margin=" + margin);
      verdict = runs(judged, "here").results().rows("tiny").get(2).verdict();
      assertEquals(margin < less, verdict.startsWith("not converged"), verdict);
    }
  }

  private static double eer(ExperimentResults results, Run run) {
    return results.summary(run).lists().get("tiny").eerPercent();
  }

  @Test
  void aRunThatStartsFromAnotherIsKnownByIt() throws Exception {
    String text =
        TWO.replace("seeds: 2", "seeds: 1")
            + "  - binary  from=vanilla model.binary.scheme=paper\n"
            + "  - calibrated  from=vanilla model.binary.scheme=paper calibrate=2\n";
    Experiment experiment = experiment("two", text);
    Run vanilla = run(experiment, "vanilla", 1);
    Run binary = run(experiment, "binary", 1);
    Run calibrated = run(experiment, "calibrated", 1);
    assertEquals(
        experiment.hash(vanilla), experiment.recipe(binary).transfer().from(), "not a path");
    assertEquals(experiment.hash(binary) + "+2", experiment.hash(calibrated));
    Steps steps = new Steps();
    ExperimentResults results =
        runs(experiment, "here").run(List.of("binary", "calibrated"), 2, steps);
    assertEquals(12, steps.taken.get(), "vanilla, and one run for both of them");
    assertNull(results.summary(vanilla));
    assertFalse(
        results.summary(binary).lists().equals(results.summary(calibrated).lists()),
        "statistics anew");
  }

  @Test
  void theCommandMakesRunsAndPrintsTables() throws IOException {
    experiment("two", TWO);
    Object[] words = {
      "experiment",
      folder.resolve("two.yaml"),
      "--set",
      "seeds=1",
      "run.length=4 steps",
      "--results",
      folder.resolve("results"),
      "--runs",
      folder.resolve("runs")
    };
    CommandLineTest.Run made = run(words, "--jobs", "1");
    assertEquals(0, made.code(), made::toString);
    assertTrue(made.out().contains("type-i-1: accuracy "), made.out());
    assertTrue(made.out().contains("Two networks\n\ntiny\nvariant "), made.out());
    assertTrue(Files.exists(folder.resolve("results/two/type-i-1.json")));
    JsonNode read = run(words, "--table", "--json").json();
    assertEquals(0, read.get("missing").size());
    assertEquals("baseline", read.at("/lists/tiny/0/verdict").asText());
    assertEquals("reference", read.at("/lists/tiny/2/verdict").asText());
    assertEquals("one seed: not tested", read.at("/lists/tiny/3/verdict").asText());
    run(words, "--table", "--fresh").isRefusedAsUsage("experiment", "--fresh makes runs");
    run(words, "--table", "--only", "x").isRefusedAsUsage("experiment", "--only makes runs");
    run(words, "--only", "x").failsWith("two has no variant 'x'; it has no network,");
    CommandLineTest.run("experiment", "none")
        .failsWith("none: no such experiment; the nearest is ");
  }

  private static CommandLineTest.Run run(Object[] words, Object... more) {
    return CommandLineTest.run(Stream.concat(Arrays.stream(words), Arrays.stream(more)).toArray());
  }

  @ParameterizedTest
  @FieldSource("slimvox.study.Experiment#SHIPPED")
  void whatShipsCanBeRead(String name) {
    Experiment experiment = Experiment.shipped(name, "seeds=2", "model.embeddingSize=64");
    assertEquals(name, experiment.name());
    assertEquals(64, experiment.base().model().embeddingSize());
    assertTrue(experiment.runs().size() >= 2 * 4, name);
    assertTrue(experiment.statement().lists().getFirst().contains("@channel"), name);
    assertNull(experiment.against(experiment.candidate(experiment.statement().reference())));
  }

  @Test
  void equalVariantsOfWhatShipsAreOneRun() {
    Experiment depth = Experiment.shipped("depth");
    Experiment reversible = Experiment.shipped("reversible-resnet");
    Experiment together = Experiment.shipped("together-resnet");
    assertEquals(hash(reversible, "vanilla"), hash(depth, "vanilla 18"));
    assertEquals(
        hash(reversible, "vanilla, twice the steps"), hash(depth, "vanilla 18, twice the steps"));
    assertEquals(hash(reversible, "type II"), hash(depth, "type II 18"));
    Experiment eight = Experiment.shipped("eight-bit");
    assertEquals(hash(eight, "AdamW"), hash(depth, "vanilla 18"));
    assertEquals(hash(eight, "AdamW, 8 bits"), hash(together, "8 bits"));
    Experiment bits = Experiment.shipped("bits");
    assertEquals(hash(bits, "vanilla"), hash(depth, "vanilla 18"));
    assertEquals(hash(bits, "type II"), hash(reversible, "type II"));
    for (String name : List.of("together-df", "reversible-df")) {
      Experiment df = Experiment.shipped(name);
      assertEquals(hash(df, "vanilla"), hash(depth, "vanilla DF 56"));
      assertEquals(
          hash(df, "vanilla, twice the steps"), hash(depth, "vanilla DF 56, twice the steps"));
      assertEquals(hash(df, "type II"), hash(depth, "type II DF 56"));
    }
    assertEquals(hash(reversible, "type II"), hash(together, "type II"));
    assertFalse(hash(reversible, "type II").equals(hash(reversible, "type I")));
    Experiment layers = Experiment.shipped("layers");
    assertEquals(hash(Experiment.shipped("binary"), "float"), hash(layers, "float"));
    List<String> one = layers.candidates().stream().map(Candidate::name).toList();
    assertEquals(Models.convolutions("ResNet18"), one.subList(4, one.size() - 1));
  }

  private static String hash(Experiment experiment, String variant) {
    return experiment.hash(run(experiment, variant, 1));
  }

  private static Run run(Experiment experiment, String variant, int seed) {
    return new Run(experiment.candidate(variant), seed);
  }

  @Test
  void faultsOfAStatementAreNamed() {
    refused("margin: 0", "margin: 0 is not possible; allowed is anything above 0");
    refused("reference: other", "reference: other is not possible; allowed is vanilla, type I");
    refused(
        "margin: 100", "margin: 100 is not possible; allowed is anything above 0 and below 100");
    refused("seeds: 0", "seeds: 0 is not possible");
    refused("lists: []", "lists: is not set");
    refusedVariant("- Vanilla", "'Vanilla' has the name of another");
    refusedVariant("- x  against=later", "'x' needs 'later', which is not above it");
    refusedVariant("- x  seed=1", "'x': seed is not a setting of a recipe, nor one of against");
    refusedVariant("- model.width=4", "'model.width=4' begins with no name");
    refusedVariant("- x  seeds=0", "'x': seeds=0; give 1 to 9999");
    refusedVariant("- x  model.widht=4", "two, variant 'x': setting model.widht=4");
  }

  private void refused(String line, String message) {
    String key = line.substring(0, line.indexOf(':'));
    String text = TWO.replaceFirst("(?m)^" + key + ":.*\n", "") + line + "\n";
    String said = Refusals.refused(() -> experiment("two", text));
    assertTrue(said.contains(message), said);
  }

  private void refusedVariant(String line, String message) {
    String said = Refusals.refused(() -> experiment("two", TWO + "  " + line + "\n"));
    assertTrue(said.contains(message), said);
  }
}
