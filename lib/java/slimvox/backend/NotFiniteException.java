package slimvox.backend;

/** A watched operation gave NaN or infinity, see {@link Operations#detectAnomaly}. */
public class NotFiniteException extends RuntimeException {
  private final String label;

  NotFiniteException(Tensor tensor) {
    this(tensor.label());
  }

  private NotFiniteException(String label) {
    super(label + " is not finite");
    this.label = label;
  }

  /** The same under another label: of what was added, where the tensor is a sum of many. */
  public NotFiniteException under(String label) {
    return new NotFiniteException(label);
  }

  /** Label of the tensor, for example {@code layer3.2.conv1.out}. */
  public String label() {
    return label;
  }
}
