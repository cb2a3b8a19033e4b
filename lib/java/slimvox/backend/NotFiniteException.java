package slimvox.backend;

/** A watched operation gave NaN or infinity, see {@link Operations#watch}. */
public class NotFiniteException extends RuntimeException {
  private final String label;

  NotFiniteException(Tensor tensor) {
    super(tensor.label() + " is not finite");
    this.label = tensor.label();
  }

  /** Label of the tensor, for example {@code layer3.2.conv1.out}. */
  public String label() {
    return label;
  }
}
