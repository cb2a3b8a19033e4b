package slimvox.backend.packed;

/**
 * What follows a convolution's batch normalization, with a parameter for each channel.
 *
 * @param kind what it is
 * @param slope of what is not above 0; null but for {@link Kind#PRELU} and {@link Kind#RPRELU}
 * @param before added before; null but for {@link Kind#RPRELU}
 * @param after added afterwards; null but for {@link Kind#RPRELU}
 */
public record ChannelActivation(Kind kind, float[] slope, float[] before, float[] after) {
  /** The functions. */
  public enum Kind {
    /** y = x. */
    NONE,
    /** y = max(x, 0). */
    RELU,
    /** y = x if x &gt; 0, else slope x. */
    PRELU,
    /** z = x + before; y = (z if z &gt; 0, else slope z) + after (ReActNet, arXiv 2003.03488). */
    RPRELU
  }

  /** None. */
  public static final ChannelActivation NONE = new ChannelActivation(Kind.NONE, null, null, null);

  /** ReLU. */
  public static final ChannelActivation RELU = new ChannelActivation(Kind.RELU, null, null, null);

  public ChannelActivation {
    if ((kind.ordinal() >= Kind.PRELU.ordinal()) != (slope != null)
        || (kind == Kind.RPRELU) != (before != null)
        || (kind == Kind.RPRELU) != (after != null)) {
      throw new IllegalArgumentException(kind + " with other parameters than it has");
    }
  }

  /** How many parameters each channel has. */
  public int rowCount() {
    return slope == null ? 0 : before == null ? 1 : 3;
  }
}
