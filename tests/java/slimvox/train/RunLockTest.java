package slimvox.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

  /** Another process: takes and leaves a folder again and again, on two threads. */
  static final class Contender {
    public static void main(String[] arguments) throws InterruptedException {
      Path folder = Path.of(arguments[0]);
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        threads.add(Thread.ofPlatform().start(() -> contend(folder, 40)));
      }
      for (Thread t : threads) t.join();
      System.out.println("done");
    }

    private static void contend(Path folder, int times) {
      Path inside = folder.resolve("inside");
      while (times > 0) {
        try (RunLock _ = RunLock.take(folder, 0)) {
          Files.createFile(inside); // fails if somebody else is
          Thread.sleep(1);
          Files.delete(inside);
          times--;
        } catch (InputException e) {
          // Somebody else trains here; what the message says is tested elsewhere.
        } catch (IOException | InterruptedException e) {
          System.out.println("two in one folder: " + e);
          return;
        }
      }
    }
  }

  private static Process start(Class<?> main, Path folder) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            main.getName(),
            folder.toString())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  /** Whether another process can lock a folder; it is dead afterwards. */
  private static boolean isFreeForOthers(Path folder) throws Exception {
    Process other = start(Holder.class, folder);
    try {
      return other.inputReader().readLine() != null;
    } finally {
      other.destroyForcibly().waitFor();
    }
  }

  @Test
  void neverTwoOfManyProcessesAndThreadsAreInOneFolder() throws Exception {
    List<Process> all = new ArrayList<>();
    for (int i = 0; i < 4; i++) all.add(start(Contender.class, folder));
    for (Process process : all) {
      assertEquals("done", new String(process.getInputStream().readAllBytes()).strip());
    }
  }

  @Test
  void theLockOutlivesAllThatItsProcessDoesWithTheFile() throws Exception {
    Path moved = folder.resolveSibling(folder.getFileName() + "-moved");
    Path linked = Files.createSymbolicLink(folder.resolve("link"), folder);
    try (RunLock lock = RunLock.take(folder)) {
      assertThrows(InputException.class, () -> RunLock.take(folder, 0));
      assertThrows(InputException.class, () -> RunLock.take(linked, 0));
      Path relative = Path.of("").toAbsolutePath().relativize(folder);
      assertThrows(InputException.class, () -> RunLock.take(relative, 0));
      assertFalse(isFreeForOthers(folder), "after a second trainer was refused");
      Files.readString(folder.resolve(RunLock.NAME));
      assertFalse(isFreeForOthers(folder), "after the file was read");
      assertFalse(lock.renew());
      Files.move(folder, moved);
      try {
        assertThrows(InputException.class, () -> RunLock.take(moved, 0));
        assertFalse(isFreeForOthers(moved), "under another name");
      } finally {
        Files.move(moved, folder);
      }
    }
    assertTrue(isFreeForOthers(folder));
  }

  @Test
  void aLockWhoseFileWasRemovedIsTakenAgainUnlessSomebodyElseHasIt() throws Exception {
    Path file = folder.resolve(RunLock.NAME);
    try (RunLock lock = RunLock.take(folder)) {
      Files.delete(file);
      assertTrue(lock.renew());
      assertFalse(lock.renew());
      assertThrows(InputException.class, () -> RunLock.take(folder, 0));
      assertFalse(isFreeForOthers(folder));
      Files.delete(file);
      Process other = start(Holder.class, folder);
      try {
        other.inputReader().readLine();
        var e = assertThrows(InputException.class, lock::renew);
        assertEquals(
            folder + ": was replaced by the folder of another run; nothing more is saved there",
            e.getMessage());
      } finally {
        other.destroyForcibly().waitFor();
      }
    }
    RunLock.take(folder).close();
  }

  @Test
  void aFolderThatAnotherTrainerOfThisProcessMadeAnewIsItsOwn() throws Exception {
    Path own = Files.createDirectories(folder.resolve("moved"));
    try (RunLock first = RunLock.take(own, 0)) {
      Files.move(own, folder.resolve("elsewhere"));
      Files.createDirectories(own);
      try (RunLock second = RunLock.take(own, 0)) {
        assertThrows(InputException.class, first::renew);
        assertFalse(second.renew());
      }
    }
  }

  @Test
  void whatAProcessOfTheSameNumberLeftIsNotInTheWay() throws Exception {
    for (String left : List.of("1 1000", "1", "x", "99999999999 5", "\0\0\0")) {
      Files.writeString(folder.resolve(RunLock.NAME), left);
      RunLock.take(folder, 0).close();
    }
  }

  @Test
  void aFolderInWhichAnotherProcessTrainsIsRefusedUntilThatIsDead() throws Exception {
    Process other = start(Holder.class, folder);
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
    // Removing it would leave whoever has it open with a lock on a file without a name.
    assertEquals("", Files.readString(file));
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
