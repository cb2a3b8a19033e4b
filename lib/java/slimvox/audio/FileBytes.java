package slimvox.audio;

import java.io.Closeable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import slimvox.storage.InputException;

/**
 * The bytes of a file, or of a file within a larger one: from a byte of that on, in a tar archive
 * as many as its member has, elsewhere all that follow.
 */
final class FileBytes implements Closeable {
  private static final int TAR_HEADER = 512;

  private final Path path;
  private final RandomAccessFile file;
  private final long start;
  private final long length;
  private final boolean isMember;

  /** Takes the open file; one that ends before the start, or the end of the member, is refused. */
  FileBytes(Path path, RandomAccessFile file, long start) throws IOException {
    this.path = path;
    this.file = file;
    this.start = start;
    long whole = file.length();
    if (start > 0 && start >= whole) {
      throw InputException.at(this, "the file has %d bytes; make the list again", whole);
    }
    long member = start < TAR_HEADER ? -1 : memberLength();
    isMember = member >= 0;
    length = isMember ? member : whole - start;
    if (start + length > whole) {
      throw InputException.at(
          this, "the archive is cut short at byte %d, in this member; copy it again", whole);
    }
  }

  /** What the tar header before the start says; negative: there is none. */
  private long memberLength() throws IOException {
    byte[] header = new byte[TAR_HEADER];
    file.seek(start - TAR_HEADER);
    file.readFully(header);
    if (!new String(header, 257, 5, StandardCharsets.ISO_8859_1).equals("ustar")) return -1;
    String octal = new String(header, 124, 12, StandardCharsets.ISO_8859_1).strip();
    String digits = octal.replace("\0", "");
    return digits.matches("[0-7]{1,12}") ? Long.parseLong(digits, 8) : -1;
  }

  /** Where the bytes start in the file. */
  long start() {
    return start;
  }

  /** Whether it is known where the bytes end. */
  boolean hasEnd() {
    return start == 0 || isMember;
  }

  long length() {
    return length;
  }

  /** Reads some bytes from a position on; how many, or -1 at the end. */
  int read(long position, byte[] into, int at, int count) throws IOException {
    if (position >= length) return -1;
    file.seek(start + position);
    return file.read(into, at, (int) Math.min(count, length - position));
  }

  /** Up to {@code length} bytes from {@code position} on, fewer where the file ends. */
  ByteBuffer readUpTo(long position, int length) throws IOException {
    var bytes = new byte[length];
    int filled = 0;
    for (int read = 0; filled < length && read >= 0; ) {
      read = read(position + filled, bytes, filled, length - filled);
      filled += Math.max(0, read);
    }
    return ByteBuffer.wrap(bytes, 0, filled);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  @Override
  public String toString() {
    return start == 0 ? path.toString() : path + ":" + start;
  }
}
