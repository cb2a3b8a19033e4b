package slimvox.storage;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Something the user gave cannot be used: a file, a setting, a list.
 *
 * <p>What a comment says is refused ends with this. The message is one line that names the file,
 * the place in it and what to do. The command line prints just that line and exits with 2; a
 * notebook shows it as the cell's error. What a name in it would do to the line is made visible,
 * and the middle of a very long one is left out.
 */
public class InputException extends RuntimeException {
  private static final int MOST_CHARACTERS = 2000;

  /** A fault of the input, in one line that says what to do. */
  public InputException(String message) {
    super(line(message));
  }

  /** The same with its cause. */
  public InputException(String message, Throwable cause) {
    super(line(message), cause);
  }

  /** With the values in the place of {@code %s} and the like, as in {@link String#format}. */
  public static InputException of(String format, Object... values) {
    return new InputException(String.format(Locale.ROOT, format, values));
  }

  /** Of a file, or what has its name: {@code FILE: MESSAGE}. */
  public static InputException at(Object file, String format, Object... values) {
    return new InputException(file + ": " + String.format(Locale.ROOT, format, values));
  }

  /** Of a line of a file, from 1: {@code FILE:LINE: MESSAGE}. */
  public static InputException at(Object file, long line, String format, Object... values) {
    return at(file + ":" + line, format, values);
  }

  /** Of a file that could not be opened or read. */
  public static InputException unreadable(Path file, IOException e) {
    String reason =
        switch (e) {
          case NoSuchFileException _ -> "no such file";
          case AccessDeniedException _ -> "may not be read (permission denied)";
          default -> "cannot be read (" + e.getMessage() + ")";
        };
    return new InputException(file + ": " + reason, e);
  }

  /** The same with its cause, to be thrown. */
  public InputException because(Throwable cause) {
    initCause(cause);
    return this;
  }

  private static String line(String message) {
    String line = Printable.line(message);
    int length = line.length();
    if (length <= MOST_CHARACTERS) return line;
    int half = MOST_CHARACTERS / 2 - 3;
    return line.substring(0, half) + " ... " + line.substring(length - half);
  }
}
