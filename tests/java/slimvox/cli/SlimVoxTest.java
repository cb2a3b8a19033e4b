package slimvox.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import slimvox.recipe.Recipe;
import slimvox.report.Values;

class SlimVoxTest extends CommandLineTest {
  @Test
  void helpListsEveryCommand() {
    String help = run("--help").succeeds().out();
    for (String command :
        List.of(
            "train",
            "features",
            "shards",
            "average",
            "embed",
            "join",
            "score",
            "evaluate",
            "compare",
            "memory",
            "settings",
            "recipe",
            "bench",
            "info")) {
      assertTrue(help.contains("\n  " + command + " "), help);
      assertTrue(run(command, "--help").succeeds().out().contains("Usage: slimvox " + command));
    }
    for (String what :
        List.of("step", "optimizer", "embed", "binary", "features", "loader", "metrics")) {
      assertTrue(run("bench", what, "--help").succeeds().out().contains("slimvox bench " + what));
    }
  }

  @Test
  void theHelpSaysWhatListsTheShippedRecipes() {
    String help = run("train", "--help").succeeds().out();
    assertTrue(help.contains("'slimvox recipe'"), help);
    assertTrue(run("average", "--help").succeeds().out().contains("checkpoints. Default 10.\n"));
    assertEquals(Recipe.SHIPPED, run("recipe").succeeds().out().lines().toList());
  }

  @Test
  void settingsListsEveryKeyInColumnsThatLineUp() {
    String out = run("settings").succeeds().out();
    List<String> lines = out.lines().toList();
    assertEquals(1 + Recipe.SETTINGS.settings("").size(), lines.size());
    int column = lines.getFirst().indexOf("default");
    for (String line : lines) assertEquals(' ', line.charAt(column - 1), line);
    assertTrue(out.contains("model.width"), out);
    assertTrue(out.contains("1 to 4096"), out);
    JsonNode json = run("settings", "optimizer.state", "--json").succeeds().json();
    assertEquals(5, json.get("settings").size());
    assertEquals("may change", json.get("settings").get(0).get("may_change").asText());
    JsonNode seed = run("settings", "seed", "--json").succeeds().json().get("settings").get(0);
    assertEquals("stays", seed.get("may_change").asText());
    assertEquals("optimizer.state.block", json.at("/settings/1/key").asText());
    assertEquals("256", json.at("/settings/1/default").asText());
    run("settings", "modle").failsWith("modle: no setting begins so; the nearest are model");
  }

  @Test
  void recipeListsAndPrintsWhatShips() {
    assertEquals(Recipe.SHIPPED, run("recipe").succeeds().out().lines().toList());
    for (String name : Recipe.SHIPPED) {
      String yaml = run("recipe", name).succeeds().out();
      assertEquals(Recipe.shipped(name), Recipe.parse(yaml, name));
      assertTrue(yaml.startsWith("#"), "with its comments");
    }
    run("recipe", "quick")
        .failsWith("quick: no such recipe; the nearest is quick-start; SlimVox ships quick-start");
  }

  @Test
  void versionIsOneLine() {
    assertEquals("SlimVox development\n", run("--version").succeeds().out().replace("\r", ""));
  }

  @Test
  void noCommandAndUnknownCommandsAreRefused() {
    run().isRefusedAsUsage(null, "a command is needed");
    for (String more : List.of("quick-start", "--help")) {
      run("trian", more).isRefusedAsUsage(null, "'trian': no such command; the nearest is train");
    }
    run("bench").isRefusedAsUsage("bench", "bench step");
  }

  @Test
  void anEmptyArgumentIsNoName() {
    String said = "an empty argument; is a variable of the shell not set?";
    run("features", "--check", "").isRefusedAsUsage("features", "(CORPUS): " + said);
    run("train", "quick-start", "--check", "").isRefusedAsUsage("train", said);
    run("train", "quick-start", "--out=").isRefusedAsUsage("train", "'--out': " + said);
    run("").isRefusedAsUsage(null, said);
  }

  @Test
  void unknownOptionsNameTheNearestKnownOnes() {
    run("memory", "--modle", "ResNet18").isRefusedAsUsage("memory", "'--modle'", "--model");
    run("train", "quick-start", "--resum").isRefusedAsUsage("train", "'--resum'", "--resume");
    run("train", "--rsume=1")
        .isRefusedAsUsage("train", "'--rsume=1': no such option; the nearest is --resume");
    for (String option : List.of("--batch", "--batch=4")) {
      run("train", "quick-start", option, "4")
          .isRefusedAsUsage(
              "train", option + "': no such option; it is a setting: --set run.batch=");
    }
    run("train", "quick-start", "--reversible=full")
        .isRefusedAsUsage("train", "it is a setting: --set model.reversible=...");
    run("info", "x").isRefusedAsUsage("info", "'x' is one argument too many");
  }

  @Test
  void valuesThatOptionsCannotTakeAreNamedAsRecipesNameThem() {
    run("embed", "m", "c", "o", "--precision=bf16")
        .isRefusedAsUsage("embed", "'bf16' is not possible; allowed is float32, bfloat16");
    run("score", "e", "t", "o", "--format=kaldi")
        .isRefusedAsUsage("score", "'kaldi' is not possible; allowed is voxsrc, wespeaker");
    run("average", "r", "--last=1.5")
        .isRefusedAsUsage("average", "'1.5' is no whole number of 32 bits");
    run("evaluate", "s", "t", "--p-target=x").isRefusedAsUsage("evaluate", "'x' is not a number");
  }

  @Test
  void infoSaysWhatIsThereAndWhyTheRestIsNot() {
    Run text = run("info").succeeds();
    assertTrue(text.out().contains("training runs on the CPU"), text.out());
    assertTrue(text.out().contains("with run.math bfloat16: factors "), text.out());
    JsonNode json = run("info", "--json").succeeds().json();
    assertEquals(Runtime.version().toString(), json.get("java_version").asText());
    assertTrue(json.get("cores").asInt() > 0);
    assertTrue(json.get("vector_bits").asInt() >= 128);
    assertTrue(json.get("memory_bytes").asLong() > 0);
    assertTrue(json.get("onednn_version").asText().startsWith("3."), json.toString());
    List<String> names = new ArrayList<>();
    for (JsonNode backend : json.get("backends")) {
      names.add(backend.get("name").asText());
      assertEquals(!backend.get("name").asText().equals("cuda"), backend.get("usable").asBoolean());
      assertFalse(backend.get("description").asText().isEmpty());
    }
    assertTrue(names.containsAll(List.of("cuda", "cpu", "dry")), names.toString());
  }

  @Test
  void aMistakeWithinSlimVoxIsOneLineAndExitCodeOne() {
    Run run = failing(new IllegalStateException("first\n  second"));
    assertEquals(1, run.code());
    assertEquals(
        "slimvox: internal error: java.lang.IllegalStateException: first; second;"
            + " please report it with what --debug shows\n",
        run.err().replace("\r", ""));
  }

  @Test
  void runningOutOfMemoryIsOneLineWithTheRemedy() {
    failing(new OutOfMemoryError("Java heap space"))
        .failsWith("out of memory (Java heap space)", "SLIMVOX_XMX=8g", " MiB is too small");
    failing(new OutOfMemoryError("cannot reserve 9 bytes"))
        .failsWith("out of memory (cannot reserve 9 bytes)", "take a smaller batch");
  }

  private static Run failing(Throwable e) {
    var err = new java.io.StringWriter();
    CommandLine line = new CommandLine(new InfoCommand());
    line.setErr(new java.io.PrintWriter(err, true));
    return new Run(Failures.report(e, line), "", err.toString());
  }

  @Test
  void detailsBesideABarKeepWhatFits() {
    assertEquals("loss 3.2, wait 1 %", Progress.fitting("loss 3.2, wait 1 %, 9 MiB", 20));
    assertEquals("", Progress.fitting("loss 3.2, wait 1 %", -1));
  }

  @Test
  void jsonEscapesAndNests() {
    Values values = new Values();
    values.put("text", "a \"b\"\n\u00e9");
    values.put("nan", Double.NaN);
    values.put("none", null);
    values.put("list", List.of(1, 2.5, true));
    values.put("map", Map.of("x", 10_000_000_000L));
    assertEquals(
        "{\"text\":\"a \\\"b\\\"\\n\u00e9\",\"nan\":null,\"none\":null,\"list\":[1,2.5,true],"
            + "\"map\":{\"x\":10000000000}}",
        values.json());
  }
}
