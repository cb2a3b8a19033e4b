package slimvox.models;

/**
 * What a network computes twice, in slices or in fixed point, so that less has to be kept.
 *
 * @param recompute what is kept of each block
 * @param slice inner channels of F and G that exist at a time; 0: all
 * @param rebuild keep the outputs of convolutions only, and rebuild batch normalization and ReLU
 * @param streams how a reversible network's streams are held
 */
public record Saving(Recompute recompute, int slice, boolean rebuild, Streams streams) {
  /** What is kept of an ordinary block. */
  public enum Recompute {
    /** All that backward needs. */
    NONE,
    /** Its input: it is computed again before backward. */
    CHECKPOINT
  }

  /** How streams are held. */
  public enum Streams {
    /** As float32: the inverse is exact up to rounding. */
    FLOAT,
    /** As multiples of a fixed step: the inverse is exact to the bit. */
    FIXED
  }

  /** Nothing is saved. */
  public static final Saving NONE = new Saving(Recompute.NONE, 0, false, Streams.FLOAT);

  /** Everything that saves memory without changing the result but for rounding. */
  public static final Saving LEAN = new Saving(Recompute.NONE, 16, true, Streams.FLOAT);

  public Saving {
    if (slice < 0) throw new IllegalArgumentException("slice must be at least 0, not " + slice);
  }
}
