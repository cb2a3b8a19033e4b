package slimvox.backend;

import java.util.Locale;
import java.util.stream.Collectors;
import slimvox.memory.MemoryReport;

/**
 * A device has not enough memory, though the budget would have allowed it: its owner's message with
 * what the ledger holds.
 */
public final class OutOfDeviceMemoryException extends DeviceException {
  private final String device;

  /**
   * Without a ledger, as a device throws it.
   *
   * @param device what the device says about itself and its memory, one line without a full stop
   */
  public OutOfDeviceMemoryException(String device) {
    super(device);
    this.device = device;
  }

  private OutOfDeviceMemoryException(String device, String ledger, Throwable cause) {
    super(device + "; " + ledger, cause);
    this.device = device;
  }

  /**
   * The same with the ledger's contents; itself if it has them.
   *
   * @param plannedBytes of the block that steps share, which was asked for or is in use; 0 if none
   */
  OutOfDeviceMemoryException with(MemoryReport ledger, long plannedBytes) {
    if (getCause() != null) return this;
    String categories =
        ledger.now().entrySet().stream()
            .filter(e -> e.getValue() > 0)
            .map(e -> "%s %s".formatted(e.getKey().key(), mib(e.getValue())))
            .collect(Collectors.joining(", "));
    return new OutOfDeviceMemoryException(
        device,
        "the ledger holds %s, the block of the planned step takes %s; use a smaller batch or fewer"
                .formatted(categories.isEmpty() ? "nothing" : categories, mib(plannedBytes))
            + " frames, or a reversible model; what was saved can be resumed",
        this);
  }

  private static String mib(long bytes) {
    return String.format(Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
  }
}
