package slimvox.storage;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Numbers on the disk on which a file is going to be written, while there are too many for memory.
 *
 * <p>The scratch file has a name only until it is open (where the system allows that): it ends with
 * the process, however that ends.
 */
public final class ScratchFile implements AutoCloseable {
  private final Path target;
  private final Path name;
  private final RandomAccessFile file;
  private final Arena arena = Arena.ofConfined();

  /**
   * An empty one.
   *
   * @param target the file that is going to be written
   * @throws InputException if it cannot be made there
   */
  public ScratchFile(Path target) {
    this.target = target.toAbsolutePath();
    name = AtomicFile.temporary(this.target);
    try {
      file = new RandomAccessFile(name.toFile(), "rw");
      removeName();
    } catch (IOException e) {
      throw failure(e);
    }
  }

  private void removeName() {
    try {
      Files.deleteIfExists(name);
    } catch (IOException e) {
      // a system that keeps the names of open files: when it is closed
    }
  }

  private InputException failure(IOException e) {
    return AtomicFile.failure(target, target, -1, e);
  }

  /**
   * Adds numbers.
   *
   * @throws InputException if they cannot be written, for example on a full disk
   */
  public void add(float[] values) {
    byte[] bytes = new byte[values.length * Float.BYTES];
    MemorySegment.copy(
        values,
        0,
        MemorySegment.ofArray(bytes),
        ValueLayout.JAVA_FLOAT_UNALIGNED,
        0,
        values.length);
    try {
      file.write(bytes);
    } catch (IOException e) {
      throw failure(e);
    }
  }

  /**
   * All numbers in the machine's byte order, until this is closed; an interrupt before does not
   * lose them and stays set.
   */
  public MemorySegment all() {
    boolean interrupted = Thread.interrupted(); // which closes a channel, and with it the file
    try {
      FileChannel channel = file.getChannel();
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, file.length(), arena);
    } catch (IOException e) {
      throw failure(e);
    } finally {
      if (interrupted) Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    arena.close();
    try {
      file.close();
    } catch (IOException e) {
      // nobody reads it any more
    }
    removeName();
  }
}
