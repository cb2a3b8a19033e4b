package slimvox.storage;

import java.io.FilterReader;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Path;

/**
 * Text of lines that have an end: a device or a binary file, read as text, would fill the memory.
 */
public final class LineLimit extends FilterReader {
  /** Characters a line may have; those of lists and trials have a few hundred. */
  public static final int MOST = 1 << 20;

  private final Path file;
  private long line = 1;
  private long length;

  /**
   * The text of a reader.
   *
   * @param file named in the message
   */
  public LineLimit(Reader in, Path file) {
    super(in);
    this.file = file;
  }

  /** The message where a file of lines does not fit into the memory. */
  public static InputException tooLarge(Path file, OutOfMemoryError e) {
    return InputException.of(
            "%s: is larger than the Java heap of %d MiB can hold; set SLIMVOX_XMX, for example"
                + " SLIMVOX_XMX=8g, or give a file of fewer lines",
            file, Runtime.getRuntime().maxMemory() >> 20)
        .because(e);
  }

  @Override
  public int read(char[] text, int from, int length) throws IOException {
    int count = super.read(text, from, length);
    for (int i = from; i < from + count; i++) counted(text[i]);
    return count;
  }

  @Override
  public int read() throws IOException {
    int c = super.read();
    if (c >= 0) counted((char) c);
    return c;
  }

  private void counted(char c) {
    if (c == '\n' || c == '\r') {
      if (c == '\n') line++;
      length = 0;
    } else if (++length > MOST) {
      throw InputException.at(
          file, line, "a line of more than %s characters; is it a text file?", MOST);
    }
  }
}
