package slimvox.cli;

import java.io.FilterWriter;
import java.io.IOException;
import java.io.Writer;
import slimvox.storage.Printable;

/**
 * The standard output or error output. Names and headers from files cannot give orders to the
 * terminal, see {@link Printable}; in JSON what is written instead means the same. The first
 * failure is kept: {@link java.io.PrintWriter} tells of none.
 */
final class Output extends FilterWriter {
  private IOException failure;

  Output(Writer out) {
    super(out);
  }

  /** Why something could not be written; null if all was. */
  IOException failure() {
    return failure;
  }

  @Override
  public void write(String text, int from, int length) throws IOException {
    String shown = Printable.text(text.substring(from, from + length));
    kept(() -> out.write(shown));
  }

  @Override
  public void write(char[] text, int from, int length) throws IOException {
    write(new String(text, from, length), 0, length);
  }

  @Override
  public void write(int c) throws IOException {
    write(String.valueOf((char) c), 0, 1);
  }

  @Override
  public void flush() throws IOException {
    kept(out::flush);
  }

  private interface Writing {
    void run() throws IOException;
  }

  private void kept(Writing writing) throws IOException {
    try {
      writing.run();
    } catch (IOException e) {
      if (failure == null) failure = e;
      throw e;
    }
  }
}
