package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The notebook kernel as a front end sees it: one kernel, asked through Jupyter's own client. */
@Tag("notebook")
class KernelIT {
  private static String python;
  private static Kernel kernel;

  @BeforeAll
  static void start() throws Exception {
    Script setUp = Script.run(Path.of("."), Map.of(), "notebooks/lab", "--setup");
    assertEquals(0, setUp.status(), setUp.output());
    python = setUp.output().replaceAll("(?s).*kernel slimvox in (.*), JDK.*", "$1/bin/python");
    kernel = new Kernel(python);
  }

  @AfterAll
  static void end() throws Exception {
    kernel.close();
  }

  private static JsonNode ask(Map<String, ?> request) {
    return kernel.ask(request);
  }

  private static JsonNode run(String... cells) {
    return kernel.run(cells);
  }

  private static String statuses(JsonNode cells) {
    List<String> all = new ArrayList<>();
    cells.forEach(cell -> all.add(cell.get("status").asText()));
    return String.join(" ", all);
  }

  private static String error(String cell) {
    JsonNode ran = run(cell).get(0);
    assertEquals("error", ran.get("status").asText(), cell);
    return ran.get("error").asText();
  }

  @Test
  void aNewNotebookHasEverythingImported() {
    JsonNode ran =
        run(
            "List.of(Trainer.class, Recipe.class, Corpus.class, Models.class, Table.class,"
                + " Figure.class, Conv2d.class, AamSoftmax.class, Path.of(\"a\"))");
    assertEquals("ok", statuses(ran), ran::toString);
  }

  // --- errors and Stop -----------------------------------------------------------------------

  @Test
  void cellsInTheQueueAreNotRunAfterAnError() {
    String after = "System.out.println(\"ran\");";
    String thrown = "throw new RuntimeException(\"boom\");";
    assertEquals("ok error aborted aborted", statuses(run("int q1 = 1;", thrown, after, after)));
    assertEquals("error aborted", statuses(run("int wrong = \"x\";", after)));
    assertEquals("ok", statuses(run(after)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "long n = 0; System.out.println(1); while (true) n++;",
        "System.out.println(1); Thread.sleep(100_000);",
        "System.out.println(1); for (;;) try { Thread.sleep(9); } catch (InterruptedException e) {}"
      })
  void stopEndsACellAndTheQueue(String cell) {
    JsonNode ran = ask(Map.of("stop", cell, "then", List.of("System.out.println(2);")));
    assertEquals("error aborted", statuses(ran), ran::toString);
    assertEquals("Stopped.", ran.get(0).get("error").asText());
    assertTrue(ran.get(0).get("seconds").asDouble() < 5, ran::toString);
    assertEquals("3", run("1 + 2").get(0).get("text").asText());
  }

  @Test
  void ownClassesMayMeetInCells() {
    JsonNode declared =
        run(
            "abstract class Shape {}",
            "class Round extends Shape { int corners() { return 0; } }",
            "class Square extends Shape { int corners() { return 4; } }",
            "class Pass implements Layer {\n"
                + "  public Tensor forward(Tensor x, Mode mode) { return x.retain(); }\n"
                + "  public Tensor backward(Tensor dy) { return dy; }\n"
                + "}",
            "class Same extends Pass {}",
            "record Left(int a) {}",
            "record Right(int b) {}",
            "boolean first = Math.random() < 2;");
    assertEquals("ok ok ok ok ok ok ok ok", statuses(declared), declared::toString);
    String[] cells = {
      "Shape shape = first ? new Round() : new Square(); shape.getClass().getSimpleName()",
      "Layer layer = first ? new Same() : new Pass(); layer.getClass().getSimpleName()",
      "int corners = 0;\n"
          + "for (int i = 0; i < 3; i++) {\n"
          + "  if (i == 0) { Round a = new Round(); corners += a.corners(); }\n"
          + "  else { Square b = new Square(); corners += b.corners(); }\n"
          + "}\n"
          + "corners",
      "Object side = new Right(3);\n"
          + "int value = switch (side) { case Left l -> l.a(); case Right(int b) -> b;"
          + " default -> 0; };\n"
          + "value",
      "Shape of(int n) {\n"
          + "  Shape found = null;\n"
          + "  for (int i = 0; i < n; i++) found = i % 2 == 0 ? new Round() : new Square();\n"
          + "  return found;\n"
          + "}\n"
          + "of(2).getClass().getSimpleName()"
    };
    List<String> texts = new ArrayList<>();
    run(cells).forEach(cell -> texts.add(cell.get("text").asText() + cell.get("error").asText()));
    assertEquals(List.of("Round", "Same", "8", "3", "Square"), texts);
  }

  @Test
  void stopEndsTrainingWithOwnLayersAfterAStep(@TempDir Path folder) {
    JsonNode made =
        run(
            "void turn(int times) { for (int i = 0; i < times; i++) Math.random(); }",
            "class Slow implements Layer {\n"
                + "  public Tensor forward(Tensor x, Mode mode) {\n"
                + "    turn(10_000_000);\n"
                + "    return x.retain();\n"
                + "  }\n"
                + "  public Tensor backward(Tensor dy) { turn(10_000_000); return dy; }\n"
                + "}",
            "Models.register(\"slow\", (spec, b) -> Network.of(spec, b, new Slow(),"
                + " new StatisticsPooling(b, \"pool\"),"
                + " new Linear(b, \"seg_1\", 2 * spec.bins(), spec.embeddingSize())));",
            "var slow = Trainer.start(Recipe.shipped(\"quick-start\","
                + " \"data.trainCorpus=../data-scripts/speech-commands\", \"data.trials=null\","
                + " \"run.length=10000 steps\", \"run.batch=4\", \"data.trainSpeakers=[val]\","
                + " \"model.name=slow\"), Path.of(\""
                + folder
                + "/run\"), (done, of) -> {});");
    assertEquals("ok ok ok ok", statuses(made), made::toString);
    String train =
        "slow.run(new Listener() {\n"
            + "  @Override public void stepped(Step step) { System.out.println(step.step()); }\n"
            + "});";
    JsonNode stopped = ask(Map.of("stop", train, "then", List.of()));
    assertEquals("Stopped.", stopped.get(0).get("error").asText());
    JsonNode after =
        run(
            "slow.close(); long taken = slow.step();",
            "var again = Trainer.resume(\"" + folder + "/run\");",
            "again.close(); again.step() == taken && taken > 0");
    assertEquals("ok ok ok", statuses(after), after::toString);
    assertEquals("true", after.get(2).get("text").asText());
  }

  @Test
  void sixtyThousandLinesComeWholeAndInOrder() {
    JsonNode ran = run("for (int i = 0; i < 60000; i++) System.out.println(\"line \" + i);").get(0);
    String all =
        IntStream.range(0, 60000).mapToObj(i -> "line " + i + "\n").collect(Collectors.joining());
    assertTrue(all.equals(ran.get("text").asText()), "lines are lost or out of order");
    assertTrue(ran.get("messages").asInt() < 100, ran.get("messages")::toString);
  }

  @Test
  void outputsKeepTheirOrder() {
    String cell =
        "System.out.print(1); System.err.print(2); Notebook.text(\"3\"); System.out.print(4);";
    assertEquals("1234", run(cell).get(0).get("text").asText());
  }

  @Test
  void plotsOfTablesawAreShown() {
    JsonNode added =
        run(
            "%maven tech.tablesaw:tablesaw-jsplot:0.44.4",
            "tech.tablesaw.plotly.api.LinePlot.create(\"mine\", Table.create(\"t\","
                + " DoubleColumn.create(\"a\", new double[] {1, 2})), \"a\", \"a\")");
    String error = added.get(0).get("error").asText();
    assumeFalse(error.contains("Error resolving dependency"), "Maven cannot fetch it: " + error);
    assertEquals("ok ok", statuses(added), added::toString);
    assertEquals(
        "a figure of Tablesaw's, which is seen in a trusted notebook",
        added.get(1).get("text").asText());
  }

  // --- errors in plain words -------------------------------------------------------------------

  @Test
  void wrongInputIsOneLine() {
    assertEquals(
        "setting run.batch=abc: run.batch: needs a whole number, found 'abc'\n"
            + "    in: Recipe.shipped(\"quick-start\", \"run.batch=abc\");",
        error("Recipe.shipped(\"quick-start\", \"run.batch=abc\");"));
    for (String wrong :
        List.of(
            "model.name=ResNet35",
            "model.reversible=yes",
            "optimizer.name=lion",
            "run.length=10",
            "optimizer.lr=0.1")) {
      String said = error("Recipe.shipped(\"quick-start\", \"" + wrong + "\");");
      assertTrue(said.startsWith("setting " + wrong + ": "), said);
      assertEquals(2, said.lines().count(), said);
    }
    String missing = error("Recipe.read(\"nix.yaml\");");
    assertTrue(missing.startsWith("nix.yaml: no such file\n    in: "), missing);
  }

  @Test
  void wrongCodeIsALineAndACaret() {
    assertEquals(
        "line 2: incompatible types: java.lang.String cannot be converted to int\n"
            + "    int b = \"x\";\n"
            + "            ^",
        error("int a = 1;\nint b = \"x\";"));
    assertTrue(error("Nix.of();").startsWith("line 1: cannot find symbol: variable Nix\n"));
    assertTrue(error("int c = 2\nint d = 3;").startsWith("line 1: ';' expected\n"));
    assertTrue(error("if (true) {").startsWith("line 1: the cell ends within a statement"));
  }

  @Test
  void whatIsNotExpectedComesWithItsTrace() {
    String error = error("void boom() { Object o = null; o.hashCode(); }\nboom();");
    assertTrue(error.startsWith("java.lang.NullPointerException: Cannot invoke"), error);
    assertTrue(error.contains("\n    in: void boom() {"), error);
    assertTrue(error.contains("\tat .boom(#"), error);
    assertFalse(error("Integer.parseInt(\"x\");").contains("incubating"));
  }

  @Test
  void trainersSayWhatToDo(@TempDir Path folder) {
    String run = "Path.of(\"" + folder + "/run\")";
    JsonNode made =
        run(
            "var small = Recipe.shipped(\"quick-start\","
                + " \"data.trainCorpus=../data-scripts/speech-commands\", \"data.trials=null\","
                + " \"run.length=2 steps\", \"run.batch=4\", \"data.trainSpeakers=[val]\","
                + " \"model.width=2\");",
            "var trainer = Trainer.start(small, " + run + ", (done, of) -> {});");
    assertEquals("ok ok", statuses(made), made::toString);
    assertTrue(
        error("trainer.score((done, of) -> {});")
            .startsWith("data.trials: is not set; name the trials to score\n"));
    assertTrue(
        error("Trainer.start(small, " + run + ", (done, of) -> {});").contains("Trainer.resume"));
    assertTrue(error("Trainer.resume(\"" + folder + "/run\");").contains("close it first"));
    assertEquals("ok", statuses(run("trainer.close();")));
    assertTrue(
        error("trainer.run(new Listener() {});")
            .startsWith("IllegalStateException: this trainer is closed; make a"));
  }

  // --- memory and processor ---------------------------------------------------------------------

  /** Alone and beside each other: threads that wait must not take what the other one needs. */
  @Test
  void twoNotebooksTrainBesideEachOther() throws Exception {
    try (Kernel other = new Kernel(python)) {
      assertTrue(residentMebibytes(other) < 300, "a fresh kernel");
      for (Kernel one : List.of(kernel, other)) secondsOf(one.run(TRAINING));
      assertTrue(residentMebibytes(other) < 600, "one with a trainer");
      double alone = secondsOf(kernel.run(TRAINING)) + secondsOf(other.run(TRAINING));
      kernel.send(Map.of("run", List.of(TRAINING)));
      other.send(Map.of("run", List.of(TRAINING)));
      double together = secondsOf(kernel.answer()) + secondsOf(other.answer());
      // Threads that spin cost a multiple; a machine that is busy with something else, less.
      assertTrue(together < 1.5 * alone, together + " s of processor time, alone " + alone);
    }
  }

  private static long residentMebibytes(Kernel kernel) {
    String cell =
        "Files.readString(Path.of(\"/proc/self/status\"))"
            + ".replaceAll(\"(?s).*VmRSS:\\\\s+(\\\\d+) kB.*\", \"$1\")";
    return Long.parseLong(kernel.run(cell).get(0).get("text").asText()) >> 10;
  }

  /** Prints the milliseconds of processor time of all steps but the first. */
  private static final String TRAINING =
      """
      long cpuMs() { return ProcessHandle.current().info().totalCpuDuration().get().toMillis(); }
      long[] from = {0};
      try (Trainer it = Trainer.of(Recipe.shipped("quick-start", "data.trainSpeakers=[val]",
          "data.trials=null", "run.batch=32", "run.length=50 steps"))) {
        it.run(new Listener() {
          @Override public void stepped(Step step) { if (step.step() == 10) from[0] = cpuMs(); }
        });
        System.out.print("\\n" + (cpuMs() - from[0])); // below the progress of features
      }
      """;

  private static double secondsOf(JsonNode cells) {
    assertEquals("ok", statuses(cells), cells::toString);
    return Long.parseLong(cells.get(0).get("text").asText().replaceAll("(?s).*\n", "")) / 1000.0;
  }

  // --- the server ------------------------------------------------------------------------------

  @Test
  void settingsOfTheServerStandBesideTheUsers(@TempDir Path folder) throws Exception {
    Path temporary = Files.createDirectory(folder.resolve("tmp"));
    Path settings = Files.createDirectory(folder.resolve("settings"));
    Files.writeString(
        settings.resolve("jupyter_server_config.py"),
        "c.ServerApp.custom_display_url = 'http://of-the-user'");
    Path log = folder.resolve("log");
    ProcessBuilder builder =
        new ProcessBuilder("notebooks/lab", "--no-browser", "--port=0")
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    builder.environment().put("TMPDIR", temporary.toString());
    builder.environment().put("JUPYTER_CONFIG_DIR", settings.toString());
    Process lab = builder.start();
    try {
      Browser.await("JupyterLab", Lab.LIMIT, () -> Lab.read(log).contains("http://of-the-user"));
      assertEquals(1, foldersOfTheServer(temporary));
      for (String copied : List.of("00-quick-start.ipynb", "glossary.md", "images/slices.svg")) {
        assertTrue(Files.exists(Path.of("work", copied)), copied);
      }
      Script ignored = Script.run(Path.of("."), Map.of(), "git", "check-ignore", "work/mine.ipynb");
      assertEquals("work/mine.ipynb\n", ignored.output());
      Script kernels =
          Script.run(Path.of("."), Map.of(), python, "-m", "jupyter", "kernelspec", "list");
      assertTrue(kernels.output().contains("slimvox"), kernels.output());
      assertFalse(
          kernels.output().matches("(?s).*\\n +java .*"), "JJava's own kernel is there, too");
    } finally {
      lab.destroy();
    }
    assertTrue(lab.waitFor(30, TimeUnit.SECONDS), "JupyterLab does not end");
    assertEquals(0, foldersOfTheServer(temporary));
  }

  private static long foldersOfTheServer(Path temporary) throws IOException {
    try (var files = Files.list(temporary)) {
      return files.filter(f -> f.getFileName().toString().startsWith("slimvox-lab-")).count();
    }
  }

  // --- help ------------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "Trainer.of(|Trainer Trainer.of(Recipe recipe)|A run that leaves nothing on disk",
        "Trainer|Trainer|Trains the network of a Recipe.",
        "Trainer t = null; t.run(|Listener.End Trainer.run(Listener listener)|",
        "Results|Results|Verification results of several systems",
        "Recipe.shipped(|Recipe Recipe.shipped(String name, String... settings)|Reads one of the",
        "Notebook.show(|void Notebook.show(|Shows an object",
        "Corpus.open|Corpus Corpus.open(|Opens a folder",
        "String.format(|String String.format(String format, Object... args)|",
        "var r = Recipe.defaults(); r.hash(|String Recipe.hash()|The first 12 hexadecimal digits",
        "Recipe.shipped(\"quick-start\", \"run.batch=|run.batch = |Training examples",
        "mine|int mine(int count)|One more.",
        "of|counted:int|"
      })
  void helpShowsSignatureAndComment(String code, String signature, String comment) {
    run("/** One more. */ int mine(int count) { return count + 1; }", "int counted = 1;");
    JsonNode reply = ask(Map.of("inspect", code.equals("of") ? "counted" : code));
    assertTrue(reply.get("found").asBoolean(), reply::toString);
    String text = reply.at("/data/text~1plain").asText();
    assertTrue(text.startsWith(signature), text);
    assertTrue(comment == null || text.contains(comment), text);
  }

  @Test
  void aQuestionMarkShowsHelp() {
    assertTrue(run("?Trainer.of").get(0).get("text").asText().contains("leaves nothing on disk"));
    JsonNode table = run("Notebook.settings(\"run.\");").get(0);
    assertTrue(table.get("text").asText().contains("run.batch"), table::toString);
    assertTrue(run("optimizer.?").get(0).get("text").asText().contains("optimizer.weightDecay ="));
  }

  @Test
  void completionOffersParametersAndSettings() {
    JsonNode methods = ask(Map.of("complete", "Recipe.ship"));
    assertEquals("shipped(String name, String... settings)", methods.at("/matches/0").asText());
    assertEquals("shipped(", methods.at("/metadata/_jupyter_types_experimental/0/text").asText());
    JsonNode keys = ask(Map.of("complete", "Recipe.shipped(\"quick-start\", \"optimizer."));
    assertTrue(keys.get("matches").toString().contains("optimizer.state.bits="), keys::toString);
    assertFalse(keys.get("matches").toString().contains("$"), keys::toString);
    JsonNode model = ask(Map.of("complete", "recipe.with(\"model.name=ResNet3"));
    assertEquals("[\"ResNet34\"]", model.get("matches").toString());
    assertEquals(24, model.get("cursor_start").asInt());
    JsonNode trials =
        ask(Map.of("complete", "Recipe.shipped(\"quick-start\", \"data.trials=val-j"));
    assertEquals("[\"val-joined\"]", trials.get("matches").toString());
  }

  @Test
  void whatCannotBeCompletedIsAnsweredToo() {
    JsonNode reply = ask(Map.of("complete", "int", "cursor", 9));
    assertEquals("error", reply.get("status").asText(), reply::toString);
  }
}
