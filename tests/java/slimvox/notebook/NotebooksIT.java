package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Runs every notebook headless at smoke size, as {@code notebooks/lab --run} does for a reader. */
@Tag("notebook")
class NotebooksIT {
  private static final Path ROOT = Path.of("").toAbsolutePath();
  private static final String LAB = ROOT.resolve("notebooks/lab").toString();

  @TempDir static Path folder;

  private static Lab jupyterLab;

  /** Once, as two notebooks are run at a time. */
  @BeforeAll
  static void setUp() {
    Script setUp = Script.run(folder, Map.of(), LAB, "--setup");
    assertEquals(0, setUp.status(), setUp.output());
  }

  @AfterAll
  static void closeLab() {
    if (jupyterLab != null) jupyterLab.close();
  }

  static Stream<Path> notebooks() throws IOException {
    List<Path> notebooks = new ArrayList<>();
    try (var files = Files.list(Path.of("notebooks"))) {
      files.filter(f -> f.toString().endsWith(".ipynb")).sorted().forEach(notebooks::add);
    }
    notebooks.add(Path.of("tests/data/notebook/everything.ipynb"));
    return notebooks.stream();
  }

  private Script lab(String... arguments) {
    List<String> command = new ArrayList<>(List.of(LAB));
    command.addAll(List.of(arguments));
    return Script.run(folder, Map.of(), command.toArray(String[]::new));
  }

  private static synchronized Lab lab() throws Exception {
    if (jupyterLab == null) {
      Path root = Files.createDirectories(folder.resolve("lab"));
      jupyterLab = new Lab(root);
    }
    return jupyterLab;
  }

  /** The figures of a notebook that was run, in JupyterLab: each is drawn, each slider moves. */
  private static void assertFiguresLive(Path executed, long figures) throws Exception {
    if (Browser.find().isEmpty()) return; // LabIT says so
    try (Lab.Tab tab = lab().open(executed)) {
      if (figures > 0) {
        String stills = "document.querySelectorAll('.jp-RenderedImage').length";
        Browser.await(
            "pictures of " + executed.getFileName(),
            Lab.LIMIT,
            () -> tab.browser.evaluate(stills).asLong() > 0);
      }
      String hole =
          """
          Math.max(0, ...[...document.querySelectorAll('.jp-OutputArea-child')]
            .filter(o => !o.querySelector('img')
              && o.nextElementSibling?.querySelector('.jp-RenderedImage'))
            .map(o => o.clientHeight))
          """;
      assertTrue(tab.browser.evaluate(hole).asInt() < 40, "a hole above a still picture");
      tab.trust();
      String drawn = "document.querySelectorAll('.js-plotly-plot .main-svg:first-child').length";
      Browser.await(
          figures + " figures of " + executed.getFileName(),
          Lab.LIMIT,
          () -> tab.browser.evaluate(drawn).asLong() == figures);
      String unmoved =
          """
          (() => {
            const plots = [...document.querySelectorAll('.js-plotly-plot')];
            const active = () => plots.map(p => p.layout.sliders?.[0].active);
            const before = active();
            plots.forEach((p, i) => {
              if (before[i] === undefined) return;
              const end = p.layout.sliders[0].steps.length - 1;
              const rail = p.querySelector('.slider-rail-touch-rect').getBoundingClientRect();
              const at = {clientX: before[i] < end / 2 ? rail.right - 4 : rail.left + 4,
                  clientY: rail.top + rail.height / 2, bubbles: true};
              p.querySelector('.slider-rail-touch-rect').dispatchEvent(
                  new MouseEvent('mousedown', at));
              document.dispatchEvent(new MouseEvent('mouseup', at));
            });
            return active().filter((a, i) => a !== undefined && a === before[i]).length;
          })()
          """;
      assertEquals(0, tab.browser.evaluate(unmoved).asInt(), "sliders that did not move");
      assertEquals(List.of(), tab.browser.problems());
      tab.shutDown();
    }
  }

  @ParameterizedTest
  @MethodSource("notebooks")
  @Execution(ExecutionMode.CONCURRENT)
  void everyCellRunsAndEveryFigureIsDrawn(Path notebook) throws Exception {
    Path source = notebook.toAbsolutePath();
    byte[] before = Files.readAllBytes(source);
    Script run = lab("--run", source.toString(), "--size", "smoke", "--out", folder.toString());
    assertEquals(0, run.status(), run.output());
    assertTrue(java.util.Arrays.equals(before, Files.readAllBytes(source)), "it was changed");
    Path executed = folder.resolve(notebook.getFileName());
    assertTrue(Files.size(executed) <= 400_000, "it stores " + Files.size(executed) + " bytes");
    String page = notebook.getFileName().toString().replace(".ipynb", ".html");
    assertTrue(Files.size(folder.resolve(page)) > 100_000, "its page is too small");
    List<JsonNode> outputs = outputs(executed);
    assertFalse(outputs.isEmpty());
    long figures = 0;
    for (int i = 0; i < outputs.size(); i++) {
      JsonNode output = outputs.get(i);
      String type = output.get("output_type").asText();
      assertFalse(type.equals("error"), output::toString);
      assertFalse(output.path("name").asText().equals("stderr"), output::toString);
      if (output.at("/data/text~1html").toString().contains("slimvoxFigures")
          && output.at("/data/text~1plain").toString().contains("figure: ")) {
        assertTrue(outputs.get(i + 1).at("/data/image~1png").asText().length() > 1000);
        figures++;
      }
    }
    assertFiguresLive(executed, figures);
  }

  private static List<JsonNode> outputs(Path notebook) throws IOException {
    List<JsonNode> outputs = new ArrayList<>();
    for (JsonNode cell : new ObjectMapper().readTree(notebook.toFile()).get("cells")) {
      cell.path("outputs").forEach(outputs::add);
    }
    return outputs;
  }

  @Test
  void aCellThatFailsIsNamedWithItsError() throws IOException {
    Path failing = ROOT.resolve("tests/data/notebook/failing.ipynb");
    Script run = lab("--run", failing.toString(), "--size", "smoke", "--out", folder.toString());
    assertEquals(1, run.status(), run.output());
    assertTrue(run.output().contains("failing.ipynb: code cell 2 failed"), run.output());
    assertTrue(run.output().contains("    int answer = 42;"), run.output());
    assertTrue(
        run.output().contains("java.lang.IllegalStateException: the corpus is not there"),
        run.output());
    assertTrue(
        Files.exists(folder.resolve("failing.ipynb")), "the notebook is written all the same");
    assertFalse(Files.readString(folder.resolve("failing.ipynb")).contains("never reached\\n"));
  }

  @Test
  void wrongArgumentsAreNamed() {
    assertWrong("no notebook '77' here; there are: ", "--run", "77");
    assertWrong(
        "unknown option --sise; see notebooks/lab --help", "--run", "00", "--sise", "smoke");
    assertWrong(
        "unknown size 'tiny'; it is smoke, default or paper", "--run", "00", "--size", "tiny");
    assertWrong("--size needs a value; see notebooks/lab --help", "--run", "00", "--size");
    assertWrong("--timeout is 'soon'; it is a number of seconds", "--setup", "--timeout", "soon");
    assertWrong("--fresh and --stored exclude each other", "--run", "03", "--stored", "--fresh");
    assertWrong("--run needs the number of a notebook, for example 00", "--run");
    assertWrong("no notebook missing.ipynb", "--run", "missing.ipynb");
  }

  private void assertWrong(String message, String... arguments) {
    Script run = lab(arguments);
    assertEquals(2, run.status(), run.output());
    assertTrue(run.output().startsWith("notebooks/lab: " + message), run.output());
  }

  @Test
  void setUpIsRepeatedFromAnyFolderThroughALink() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of(LAB));
    Script first = Script.run(folder, Map.of(), link.toString(), "--setup");
    assertEquals(0, first.status(), first.output());
    Script second = Script.run(folder, Map.of(), link.toString(), "--setup");
    assertEquals(0, second.status(), second.output());
    assertTrue(second.output().startsWith("ready: kernel slimvox in "), second.output());
  }
}
