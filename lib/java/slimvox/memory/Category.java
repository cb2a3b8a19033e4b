package slimvox.memory;

/**
 * What a buffer is for. Every byte that SlimVox allocates has exactly one category.
 *
 * <p>The names follow PyTorch's memory profiler where it has one. {@link #ACTIVATION} holds what
 * the forward pass produces, kept for backward or not; {@link #ACTIVATION_GRADIENT} what flows
 * back; {@link #WORKSPACE} what a primitive needs only while it runs (oneDNN scratch pads and
 * reordered weights, cuBLAS workspace) and what therefore differs between backends.
 */
public enum Category {
  PARAMETER,
  GRADIENT,
  OPTIMIZER_STATE,
  ACTIVATION,
  STATISTIC,
  ACTIVATION_GRADIENT,
  WORKSPACE,
  INPUT;

  /** The name as JSON and tables write it, for example {@code optimizer_state}. */
  public String key() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  /** The name for a reader, for example {@code optimizer state}. */
  public String title() {
    return key().replace('_', ' ');
  }
}
