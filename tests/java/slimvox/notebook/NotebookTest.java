package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import slimvox.plot.Figure;
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
    assertEquals("plain\n", printed(() -> Notebook.html("<b>html</b>", "plain")));
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

  @Test
  void sizesPickTheirValue() {
    assertEquals(20, (int) Size.named("smoke").pick(20, 400, 4000));
    assertEquals(400, (int) Size.named(null).pick(20, 400, 4000));
    assertEquals(4000, (int) Size.named("paper").pick(20, 400, 4000));
    var e = assertThrows(IllegalArgumentException.class, () -> Size.named("Tiny"));
    assertEquals("SLIMVOX_SIZE is 'Tiny': set it to smoke, default or paper", e.getMessage());
  }
}
