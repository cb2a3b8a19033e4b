package slimvox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.function.Executable;
import slimvox.storage.InputException;

/** Asserts that bad input is refused, and with which words. */
public final class Refusals {
  private Refusals() {}

  /** The message with which something is refused. */
  public static String refused(Executable action) {
    return assertThrows(InputException.class, action).getMessage();
  }

  /** Asserts that something is refused with this message. */
  public static void assertRefused(String message, Executable action) {
    assertEquals(message, refused(action));
  }
}
