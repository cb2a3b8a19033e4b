package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import slimvox.backend.Backend;
import slimvox.backend.dry.DryDevice;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.plot.Figure;
import slimvox.recipe.Recipe;
import slimvox.report.NetworkSummary;
import tech.tablesaw.api.StringColumn;
import tech.tablesaw.api.Table;

class NotebookTest {
  private static String printed(Runnable cell) {
    PrintStream out = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      cell.run();
    } finally {
      System.setOut(out);
    }
    return printed.toString(StandardCharsets.UTF_8);
  }

  @Test
  void outsideANotebookOutputIsPrinted() {
    Table table = Table.create("Nets", StringColumn.create("net", "ResNet18"));
    assertEquals("Nets\nnet\n--------\nResNet18\n", printed(() -> Notebook.show(table)));
    assertEquals("figure: Loss\n", printed(() -> Notebook.show(Figure.of("Loss"))));
    assertEquals("**bold**\n", printed(() -> Notebook.markdown("**bold**")));
    assertEquals("text\n", printed(() -> Notebook.text("text")));
  }

  @Test
  void checkPrintsWhatItRunsOn() {
    String text = printed(Notebook::check);
    assertTrue(text.startsWith("SlimVox development | Java " + Runtime.version()), text);
    assertTrue(text.contains("size: " + Notebook.size()), text);
    assertTrue(text.contains("\nbackend: "), text);
  }

  @Test
  void aStoppedCellIsInterrupted() {
    assertFalse(Notebook.interrupted());
    Thread.currentThread().interrupt();
    assertTrue(Notebook.interrupted());
    assertTrue(Thread.interrupted(), "asking does not clear the state");
  }

  private static List<Path> notebooks() throws IOException {
    try (var files = Files.list(Path.of("notebooks"))) {
      List<Path> all = files.filter(f -> f.toString().endsWith(".ipynb")).sorted().toList();
      assertEquals(12, all.size());
      return all;
    }
  }

  @Test
  void allNotebooksAreStoredFromOneCommit() throws IOException {
    Map<String, List<Path>> revisions = new TreeMap<>();
    for (Path notebook : notebooks()) {
      var first = Pattern.compile("SlimVox (\\S+) \\| Java").matcher(Files.readString(notebook));
      assertTrue(first.find(), notebook + " does not say what it was made by");
      revisions.computeIfAbsent(first.group(1), _ -> new ArrayList<>()).add(notebook);
    }
    assertEquals(1, revisions.size(), revisions.toString());
    assertTrue(revisions.keySet().iterator().next().matches("[0-9.]+\\+\\p{XDigit}+"));
  }

  @Test
  void storedNotebooksAreSmallAndTheirLinksLead() throws IOException {
    for (Path notebook : notebooks()) {
      assertTrue(Files.size(notebook) <= 400_000, notebook + " has " + Files.size(notebook));
      for (JsonNode cell : new ObjectMapper().readTree(notebook.toFile()).get("cells")) {
        if (!cell.get("cell_type").asText().equals("markdown")) continue;
        StringBuilder text = new StringBuilder();
        cell.get("source").forEach(line -> text.append(line.asText()));
        var link = Pattern.compile("\\]\\(([^)#:]+)(?:#([^)]*))?\\)").matcher(text);
        while (link.find()) {
          Path to = notebook.resolveSibling(link.group(1));
          assertTrue(Files.exists(to), notebook + " links to " + link.group(1));
          if (link.group(2) == null) continue;
          assertTrue(headings(to).contains(link.group(2)), notebook + " links to " + link.group());
        }
      }
    }
  }

  /** The anchors of a file's headings. */
  private static List<String> headings(Path file) throws IOException {
    return Files.readAllLines(file).stream()
        .filter(line -> line.startsWith("#"))
        .map(line -> line.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT).replace(' ', '-'))
        .toList();
  }

  @Test
  void thePictureOfThePipelineHasTheShapesOfTheQuickStart() throws IOException {
    Recipe recipe = Recipe.shipped("quick-start");
    int frames = recipe.data().frames();
    int bins = recipe.model().bins();
    List<String> expected = new ArrayList<>();
    expected.add(bins + " bins x " + frames + " frames");
    try (Network network = Models.build(recipe.model(), new Backend(new DryDevice()))) {
      var rows = NetworkSummary.of(network, frames);
      int[] last = {};
      for (int i = 0; i < rows.rowCount(); i++) {
        if (!rows.stringColumn("layer").get(i).startsWith("layer")) continue;
        last =
            Arrays.stream(rows.stringColumn("output").get(i).split("\\D+"))
                .filter(n -> !n.isEmpty())
                .mapToInt(Integer::parseInt)
                .toArray();
        String stage = "%d x %d x %d".formatted(last[3], last[1], last[2]);
        if (!expected.contains(stage)) expected.add(stage);
      }
      assertEquals(5, expected.size(), expected.toString());
      expected.add(2 * last[3] * last[1] + " numbers");
      expected.add(recipe.model().embeddingSize() + " numbers");
    }
    String picture = Files.readString(Path.of("notebooks/images/pipeline.svg"));
    for (String text : expected) assertTrue(picture.contains(text), text);
  }

  @Test
  void sizesPickTheirValue() {
    assertEquals(20, (int) Size.named("smoke").pick(20, 400, 4000));
    assertEquals(400, (int) Size.named(null).pick(20, 400, 4000));
    assertEquals(4000, (int) Size.named("paper").pick(20, 400, 4000));
    var e = assertThrows(IllegalArgumentException.class, () -> Size.named("Tiny"));
    assertEquals("SLIMVOX_SIZE is 'Tiny': set it to smoke, default or paper", e.getMessage());
  }

  /** What is longer scrolls sideways in a window of 1,280 pixels and is cut on paper. */
  @Test
  void codeLinesAreNotLong() throws IOException {
    try (var files = Files.newDirectoryStream(Path.of("notebooks"), "*.ipynb")) {
      for (Path file : files) {
        for (JsonNode cell : new ObjectMapper().readTree(file.toFile()).get("cells")) {
          if (!cell.get("cell_type").asText().equals("code")) continue;
          for (JsonNode line : cell.get("source")) {
            assertTrue(line.asText().stripTrailing().length() <= 100, () -> file + ": " + line);
          }
        }
      }
    }
  }
}
