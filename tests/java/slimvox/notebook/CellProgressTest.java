package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class CellProgressTest {
  private static List<String> shown(Consumer<CellProgress> work) {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      work.accept(new CellProgress("features"));
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8).lines().toList();
  }

  private static void wait(int ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aTaskThatIsStoppedEndsItsPanel() {
    List<String> lines =
        shown(
            progress -> {
              wait(1100);
              progress.at(3, 10);
              progress.close();
              progress.at(4, 10);
              progress.close();
            });
    assertEquals(2, lines.size(), lines.toString());
    assertTrue(lines.get(1).startsWith("features: stopped at 3 of 10"), lines.toString());
  }

  /** Threads count on their own, and tell in any order. */
  @Test
  void whoComesAfterTheLastIsNotShown() {
    List<String> lines =
        shown(
            progress -> {
              wait(1100);
              progress.at(9, 10);
              progress.at(10, 10);
              progress.at(8, 10);
            });
    assertTrue(lines.getLast().startsWith("features: 10 of 10"), lines.toString());
    assertEquals(
        List.of(),
        shown(
            progress -> {
              progress.at(10, 10);
              wait(1100);
              progress.at(9, 10);
            }));
  }
}
