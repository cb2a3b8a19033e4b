package slimvox.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/**
 * Keeps everyone else out of a run's folder: a job that is started again while its first process
 * still saves would otherwise cut that one's log off and overwrite its checkpoints.
 *
 * <p>The operating system holds the lock and drops it with the process, however that ends; a file
 * {@value #NAME} that a killed run left is not in the way. File systems that know no locks (some
 * network folders) go without.
 */
final class RunLock implements AutoCloseable {
  static final String NAME = ".running";

  /** How long a stopped run of the same process, in a notebook, may take to end. */
  private static final long PATIENCE_MILLIS = 30_000;

  private final Path file;
  private final FileChannel channel;

  private RunLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Locks a folder until closed.
   *
   * @throws InputException if another process trains there, or another trainer of this process that
   *     does not end within 30 s, or the folder cannot be written
   */
  static RunLock take(Path folder) throws InterruptedException {
    return take(folder, PATIENCE_MILLIS);
  }

  static RunLock take(Path folder, long patienceMillis) throws InterruptedException {
    Path file = folder.resolve(NAME);
    long end = System.nanoTime() + patienceMillis * 1_000_000;
    while (true) {
      try {
        RunLock lock = tryToTake(file);
        if (lock != null) return lock;
        throw new InputException(folder + ": another process trains here" + holder(file));
      } catch (OverlappingFileLockException e) {
        if (System.nanoTime() > end) {
          throw new InputException(
              folder + ": another trainer of this process is open here; close it first", e);
        }
        Thread.sleep(20);
      } catch (ClosedByInterruptException e) {
        Thread.interrupted(); // the exception says it
        throw new InterruptedException();
      } catch (IOException e) {
        AtomicFile.requireWritable(file); // knows the reasons
        throw new InputException(file + ": cannot be written (" + e.getMessage() + ")", e);
      }
    }
  }

  /** Returns null if another process has the lock. */
  private static RunLock tryToTake(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    RunLock lock = null;
    try {
      if (locks(channel)) {
        sign(channel);
        lock = new RunLock(file, channel);
      }
      return lock;
    } finally {
      if (lock == null) channel.close();
    }
  }

  /** Writes who holds the lock, for the message to others. */
  private static void sign(FileChannel channel) throws IOException {
    try {
      String process = Long.toString(ProcessHandle.current().pid());
      channel.truncate(0);
      channel.write(ByteBuffer.wrap(process.getBytes(StandardCharsets.UTF_8)));
    } catch (ClosedByInterruptException e) {
      throw e;
    } catch (IOException e) {
      // A full disk: what has to be written there next says so.
    }
  }

  private static boolean locks(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (ClosedByInterruptException e) {
      throw e;
    } catch (IOException e) {
      return true; // no locks here
    }
  }

  private static String holder(Path file) {
    String what = "; wait until it has ended or give another folder";
    try {
      String process = Files.readString(file).strip();
      return (process.matches("\\d+") ? " (process " + process + ")" : "") + what;
    } catch (IOException e) {
      return what;
    }
  }

  /** Lets others in; leaves no file. */
  @Override
  public void close() {
    try (channel) {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // The lock goes with the channel; the file is in nobody's way.
    }
  }
}
