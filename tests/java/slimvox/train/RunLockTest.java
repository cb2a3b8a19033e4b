package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.storage.InputException;

class RunLockTest {
  @TempDir private Path folder;

  /** Another process: locks a folder and keeps the lock until it is killed. */
  static final class Holder {
    public static void main(String[] arguments) throws InterruptedException {
      RunLock lock = RunLock.take(Path.of(arguments[0]));
      System.out.println("locked " + lock);
      Thread.sleep(600_000);
    }
  }

  @Test
  void aFolderInWhichAnotherProcessTrainsIsRefusedUntilThatIsDead() throws Exception {
    Process other =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Holder.class.getName(),
                folder.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      assertTrue(other.inputReader().readLine().startsWith("locked"));
      var e = assertThrows(InputException.class, () -> RunLock.take(folder));
      assertEquals(
          folder
              + ": another process trains here (process "
              + other.pid()
              + "); wait until it has ended or give another folder",
          e.getMessage());
    } finally {
      other.destroyForcibly();
      other.waitFor();
    }
    Path file = folder.resolve(RunLock.NAME);
    assertTrue(Files.exists(file), "what a killed process leaves");
    RunLock.take(folder).close();
    assertFalse(Files.exists(file));
  }

  @Test
  void aTrainerOfTheSameProcessIsWaitedFor() throws Exception {
    RunLock stopped = RunLock.take(folder);
    var e = assertThrows(InputException.class, () -> RunLock.take(folder, 40));
    assertEquals(
        folder + ": another trainer of this process is open here; close it first", e.getMessage());
    Thread ends =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    Thread.sleep(100);
                  } catch (InterruptedException interrupt) {
                    Thread.currentThread().interrupt();
                  }
                  stopped.close();
                });
    RunLock.take(folder).close();
    ends.join();
  }

  @Test
  void aFolderThatIsNotThereIsNamed() {
    Path none = folder.resolve("none");
    var e = assertThrows(InputException.class, () -> RunLock.take(none));
    assertTrue(e.getMessage().startsWith(none.resolve(RunLock.NAME) + ": cannot be written ("));
  }

  @Test
  void anInterruptEndsTheWait() throws Exception {
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, () -> RunLock.take(folder));
    assertFalse(Thread.currentThread().isInterrupted());
  }
}
