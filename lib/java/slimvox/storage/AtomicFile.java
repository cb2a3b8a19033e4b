package slimvox.storage;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Writes a file so that at any instant its name leads to the whole old or the whole new content.
 *
 * <p>The content goes to a temporary file in the same folder, is synced to the disk and then takes
 * the name; the folder is synced too where the system allows that. If anything fails the temporary
 * file is removed and an earlier file is untouched. Streams are used, not channels: an interrupt (a
 * notebook's stop button) does not tear a checkpoint.
 */
public final class AtomicFile {
  private static final String TEMPORARY_SUFFIX = ".slimvox-tmp";

  /** Temporary files of this process: its own locks say nothing to it. */
  private static final Set<Path> OPEN = ConcurrentHashMap.newKeySet();

  private AtomicFile() {}

  /** Writes the content of a file to a stream, which it leaves open. */
  @FunctionalInterface
  public interface Content {
    /** Writes the whole contents; {@code out} stays open. */
    void writeTo(OutputStream out) throws IOException;
  }

  /** Opens the temporary file; tests put a full disk here. */
  @FunctionalInterface
  interface Opener {
    FileOutputStream open(Path temporary) throws IOException;
  }

  /**
   * Writes a file; missing folders above it are made.
   *
   * @param bytes the size it will have, for the message on a full disk; -1 if not known
   * @throws InputException if it cannot be written: one line with the file, the reason and, on a
   *     full disk, the space needed and left
   */
  public static void write(Path file, long bytes, Content content) {
    write(file, bytes, content, temporary -> new FileOutputStream(temporary.toFile()));
  }

  /** Writes a text file in UTF-8. */
  public static void write(Path file, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    write(file, bytes.length, out -> out.write(bytes));
  }

  /** Refuses a file that cannot be written, before hours are spent on it; leaves nothing. */
  public static void requireWritable(Path file) {
    Path target = requireNoOtherThing(file);
    Path probe = temporary(target);
    Path folder = probe.getParent();
    try {
      if (!Files.isDirectory(folder)) throw new FileAlreadyExistsException(folder.toString());
      Files.createFile(probe);
    } catch (IOException e) {
      throw failure(file, target, -1, e);
    } finally {
      remove(probe);
    }
  }

  private static Path requireNoOtherThing(Path file) {
    Path target = file.toAbsolutePath();
    if (Files.exists(target) && !Files.isRegularFile(target)) {
      throw InputException.at(file, "cannot be written, it is not a regular file");
    }
    if (isOpenFile(target)) {
      throw InputException.of(
          "%s: cannot be written, it is what a program has open, and would be replaced; give the"
              + " name of a file",
          file);
    }
    return target;
  }

  /**
   * Whether a name leads to an open file, link by link: /dev/stdout, /dev/fd/1, /proc/self/fd/1.
   */
  private static boolean isOpenFile(Path file) {
    try {
      Path at = file;
      for (int links = 0; links < 40; links++) {
        Path parent = at.getParent();
        if (parent == null || !Files.exists(parent)) return false;
        Path folder = parent.toRealPath();
        if (folder.endsWith("fd") && (folder.startsWith("/proc") || folder.startsWith("/dev"))) {
          return true;
        }
        if (!Files.isSymbolicLink(at)) return false;
        at = folder.resolve(Files.readSymbolicLink(at));
      }
    } catch (IOException e) {
      // what is wrong with it shows when it is written
    }
    return false;
  }

  static void write(Path file, long bytes, Content content, Opener opener) {
    Path target = requireNoOtherThing(file);
    Path temporary = null;
    try {
      // A link keeps pointing to the file it points to; the file behind it is replaced.
      if (Files.isSymbolicLink(target) && Files.exists(target)) target = target.toRealPath();
      Files.createDirectories(target.getParent());
      temporary = sibling(target);
      try (FileOutputStream out = openLocked(temporary, opener)) {
        content.writeTo(out);
        out.getFD().sync();
      }
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      syncFolder(target.getParent());
    } catch (IOException e) {
      remove(temporary);
      throw failure(file, target, bytes, e);
    } finally {
      remove(temporary); // also after an error or a RuntimeException of the content
    }
  }

  /** The lock, until the stream is closed, says to {@link #removeLeftovers} that it is in use. */
  private static FileOutputStream openLocked(Path temporary, Opener opener) throws IOException {
    OPEN.add(temporary);
    while (true) {
      Files.createFile(temporary);
      FileOutputStream out = opener.open(temporary);
      try {
        // A clean-up that came between these lines has the lock, or has removed the file.
        if (out.getChannel().tryLock() != null && Files.exists(temporary)) return out;
      } catch (IOException | OverlappingFileLockException e) {
        return out; // a file system without locks
      }
      out.close();
      Files.deleteIfExists(temporary);
    }
  }

  /**
   * Removes the temporary files that killed processes left in a folder; those that are being
   * written, by any process, are locked and stay.
   */
  public static void removeLeftovers(Path folder) {
    try (var files = Files.newDirectoryStream(folder, ".*" + TEMPORARY_SUFFIX)) {
      for (Path file : files) {
        // To open a file of this process would end its lock.
        if (!OPEN.contains(file.toAbsolutePath()) && isLeftover(file)) remove(file);
      }
    } catch (IOException e) {
      throw InputException.at(folder, "cannot be listed (%s)", reason(e)).because(e);
    }
  }

  private static boolean isLeftover(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      return channel.tryLock() != null;
    } catch (IOException | OverlappingFileLockException e) {
      return false; // without locks, or in a folder that cannot be written
    }
  }

  /** A new name beside a file, or in the nearest folder above it that is there. */
  static Path temporary(Path target) {
    Path folder = target.getParent();
    while (folder.getParent() != null && !Files.exists(folder)) folder = folder.getParent();
    return sibling(folder.resolve(target.getFileName()));
  }

  private static Path sibling(Path target) {
    String random = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt());
    return target.resolveSibling("." + target.getFileName() + "." + random + TEMPORARY_SUFFIX);
  }

  private static void remove(Path temporary) {
    if (temporary == null) return;
    OPEN.remove(temporary);
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      // The first failure is the one to report; a leftover does no harm.
    }
  }

  private static void syncFolder(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Windows cannot open folders; the rename is still atomic.
    }
  }

  static InputException failure(Path file, Path target, long bytes, IOException e) {
    long left = usableBytes(target.getParent());
    String message = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
    boolean full =
        message.contains("no space left")
            || message.contains("not enough space")
            || message.contains("quota exceeded")
            || (bytes > 0 && left >= 0 && left < bytes); // messages may be in another language
    if (!full) return InputException.at(file, "cannot be written (%s)", reason(e)).because(e);
    return InputException.of(
            "%s: disk full%s%s; free some space or write elsewhere (an earlier file is untouched)",
            file,
            bytes < 0 ? "" : ", " + size(bytes) + " needed",
            left < 0 ? "" : ", " + size(left) + " left")
        .because(e);
  }

  private static long usableBytes(Path folder) {
    try {
      return Files.getFileStore(folder).getUsableSpace();
    } catch (IOException e) {
      return -1;
    }
  }

  private static String reason(IOException e) {
    return SafetensorsHeader.oneLine(
        switch (e) {
          case java.nio.file.AccessDeniedException _ -> "permission denied";
          case FileAlreadyExistsException x -> x.getFile() + " is not a folder";
          case java.nio.file.NoSuchFileException x -> "no such file: " + x.getFile();
          default -> e.getMessage();
        });
  }

  private static String size(long bytes) {
    if (bytes < 1 << 20) return bytes + " bytes";
    return String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
  }
}
