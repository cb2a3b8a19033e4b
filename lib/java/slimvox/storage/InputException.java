package slimvox.storage;

/**
 * Something the user gave cannot be used: a file, a setting, a list.
 *
 * <p>The message is one line that names the file, the place in it and what to do. The command line
 * prints just that line and exits with 2; a notebook shows it as the cell's error.
 */
public class InputException extends RuntimeException {
  public InputException(String message) {
    super(message);
  }

  public InputException(String message, Throwable cause) {
    super(message, cause);
  }
}
