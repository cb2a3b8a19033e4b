package slimvox.notebook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The stop button, with scripts in the place of a command. */
@Timeout(60)
class CommandLineTest {
  @TempDir private Path folder;

  /** Interrupts the thread that runs a script as soon as the file {@code pids} is there. */
  private List<ProcessHandle> stop(String script, long patienceMs) throws Exception {
    Path pids = folder.resolve("pids");
    FutureTask<InterruptedException> cell =
        new FutureTask<>(
            () ->
                assertThrows(
                    InterruptedException.class,
                    () ->
                        CommandLine.run(
                            List.of("sh", "-c", "cd '" + folder + "'; " + script), patienceMs)));
    Thread thread = Thread.ofPlatform().start(cell);
    while (!Files.exists(pids) && thread.isAlive()) Thread.sleep(10);
    List<ProcessHandle> started =
        Files.readString(pids)
            .lines()
            .flatMap(pid -> ProcessHandle.of(Long.parseLong(pid)).stream())
            .toList();
    assertEquals(2, started.size());
    thread.interrupt();
    cell.get();
    return started;
  }

  private static final String CHILD_OF_CHILD =
      "sleep 1000 & echo $$ >new; echo $! >>new; mv new pids; ";

  @Test
  void stoppingACellAsksTheCommandToEndAndWaitsForIt() throws Exception {
    List<ProcessHandle> started =
        stop("trap 'sleep 0.2; echo saved >saved; exit' TERM; " + CHILD_OF_CHILD + "wait", 30_000);
    assertTrue(Files.exists(folder.resolve("saved")), "it had the time to save");
    for (ProcessHandle p : started) assertFalse(p.isAlive());
  }

  @Test
  void aCommandThatDoesNotListenIsKilledWithItsChildren() throws Exception {
    List<ProcessHandle> started =
        stop("trap '' TERM; " + CHILD_OF_CHILD + "while true; do sleep 0.1; done", 300);
    for (ProcessHandle p : started) assertFalse(p.isAlive());
  }

  @Test
  void theLastLineIsTheResultHoweverMuchWasPrinted() throws Exception {
    String script = "yes noise | head -50000; echo '{\"a\": 1}'; echo warning >&2";
    assertEquals(1, CommandLine.run(List.of("sh", "-c", script), 1000).get("a").asInt());
    var e =
        assertThrows(
            IllegalStateException.class,
            () -> CommandLine.run(List.of("sh", "-c", "echo out; echo why >&2; exit 2"), 1000));
    assertTrue(e.getMessage().endsWith(": why"), e.getMessage());
  }
}
