package slimvox.backend;

/**
 * A device failed or cannot do what is asked; the message is one line that says where and what to
 * do.
 *
 * <p>After it the device is not to be used any more. What is on disk, a run's last checkpoint, is
 * untouched.
 */
public class DeviceException extends RuntimeException {
  /** A fault of the device or its libraries. */
  public DeviceException(String message) {
    super(message);
  }

  /** The same with its cause. */
  public DeviceException(String message, Throwable cause) {
    super(message, cause);
  }
}
