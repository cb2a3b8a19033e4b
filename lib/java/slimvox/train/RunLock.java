package slimvox.train;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;

/**
 * Keeps everyone else out of a run's folder: a job that is started again while its first process
 * still saves would otherwise cut that one's log off and overwrite its checkpoints.
 *
 * <p>The operating system holds the lock and drops it with the process, however that ends; POSIX
 * also drops it as soon as the process closes another descriptor of the file, and some network
 * folders know no locks. So the file {@value #NAME} also names its process while that trains. It is
 * never removed, since a process that had opened it before would lock a file without a name.
 */
final class RunLock implements AutoCloseable {
  static final String NAME = ".running";

  /** How long a stopped run of the same process, in a notebook, may take to end. */
  private static final long PATIENCE_MILLIS = 30_000;

  /** The start of a process, which tells two of one number apart, is known to a few seconds. */
  private static final long SAME_START_MILLIS = 10_000;

  /** What this process has locked, by device and inode; it must not be opened once more. */
  private static final Set<Object> HELD = new HashSet<>();

  private static final Pattern SIGNATURE = Pattern.compile("(\\d{1,18}) (\\d{1,18})");

  private final Path folder;
  private final Path file;
  private Object key;
  private RandomAccessFile opened;

  private RunLock(Path folder) {
    this.folder = folder;
    this.file = folder.resolve(NAME);
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
    RunLock lock = new RunLock(folder);
    long end = System.nanoTime() + patienceMillis * 1_000_000;
    while (true) {
      try {
        if (Thread.interrupted()) throw new InterruptedException();
        lock.lock();
        return lock;
      } catch (OverlappingFileLockException e) {
        if (System.nanoTime() > end) throw lock.sameProcess(e);
        Thread.sleep(20);
      }
    }
  }

  private InputException sameProcess(OverlappingFileLockException e) {
    return new InputException(
        folder + ": another trainer of this process is open here; close it first", e);
  }

  private void lock() {
    try {
      tryToLock();
    } catch (IOException e) {
      AtomicFile.requireWritable(file); // knows the reasons
      throw new InputException(file + ": cannot be written (" + e.getMessage() + ")", e);
    }
  }

  private void tryToLock() throws IOException {
    synchronized (HELD) {
      try {
        Files.createFile(file);
      } catch (FileAlreadyExistsException e) {
        // Of a run that has ended, or goes on.
      }
      Object found = key(file);
      if (HELD.contains(found)) throw new OverlappingFileLockException();
      RandomAccessFile file = new RandomAccessFile(this.file.toFile(), "rw");
      try {
        boolean free = locks(file.getChannel());
        String holder = read(file);
        if (!free || isOfAnother(holder)) throw another(holder);
        sign(file, signature(ProcessHandle.current()));
        HELD.add(found);
        key = found;
        opened = file;
      } finally {
        if (opened != file) file.close();
      }
    }
  }

  private static Object key(Path file) throws IOException {
    Object key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    return key != null ? key : file.toRealPath();
  }

  private static boolean locks(FileChannel channel) {
    try {
      return channel.tryLock() != null;
    } catch (IOException e) {
      return true; // no locks here
    }
  }

  private static String read(RandomAccessFile file) {
    try {
      byte[] start = new byte[64];
      int length = file.read(start);
      return new String(start, 0, Math.max(0, length), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return ""; // some systems do not let others read what is locked
    }
  }

  /** Writes who holds the lock. */
  private static void sign(RandomAccessFile file, String text) {
    try {
      file.setLength(0);
      file.seek(0);
      file.write(text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // A full disk: what has to be written there next says so.
    }
  }

  private static String signature(ProcessHandle process) {
    return process.pid()
        + " "
        + process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  /** Whether a process that still runs has signed; one that was killed has no command any more. */
  private static boolean isOfAnother(String signature) {
    Matcher m = SIGNATURE.matcher(signature);
    if (!m.matches()) return false;
    long process = Long.parseLong(m.group(1));
    long started = Long.parseLong(m.group(2));
    return process != ProcessHandle.current().pid()
        && ProcessHandle.of(process)
            .map(ProcessHandle::info)
            .filter(info -> info.command().isPresent())
            .flatMap(ProcessHandle.Info::startInstant)
            .filter(start -> Math.abs(start.toEpochMilli() - started) < SAME_START_MILLIS)
            .isPresent();
  }

  private InputException another(String signature) {
    Matcher m = SIGNATURE.matcher(signature);
    return new InputException(
        folder
            + ": another process trains here"
            + (m.matches() ? " (process " + m.group(1) + ")" : "")
            + "; wait until it has ended or give another folder");
  }

  /**
   * Takes the lock again if its file, perhaps with the whole folder, was removed or moved away.
   *
   * @return whether it was
   * @throws InputException if somebody else trains or has trained there since
   */
  boolean renew() {
    try {
      Object found = key(file);
      if (found.equals(key)) return false;
      boolean held;
      synchronized (HELD) {
        held = HELD.contains(found); // by another trainer of this process; must not be opened
      }
      // Some network folders number their files anew.
      String own = signature(ProcessHandle.current());
      if (!held && Files.readString(file).strip().equals(own)) return false;
      throw new InputException(
          folder + ": was replaced by the folder of another run; nothing more is saved there");
    } catch (NoSuchFileException e) {
      close();
    } catch (IOException e) {
      throw new InputException(file + ": cannot be read (" + e.getMessage() + ")", e);
    }
    RunFolder.make(folder);
    try {
      lock();
      return true;
    } catch (OverlappingFileLockException e) {
      throw sameProcess(e);
    }
  }

  /** Lets others in. */
  @Override
  public void close() {
    synchronized (HELD) {
      if (opened == null) return;
      try (RandomAccessFile file = opened) {
        sign(file, "");
      } catch (IOException e) {
        // The lock goes with the process at the latest.
      } finally {
        HELD.remove(key);
        opened = null;
      }
    }
  }
}
