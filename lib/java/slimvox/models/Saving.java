package slimvox.models;

import slimvox.nn.Checkpointed;
import slimvox.nn.Layer;

/**
 * What a network computes twice, in slices or in fixed point, so that less has to be kept.
 *
 * @param recompute what is kept of each block
 * @param slice inner channels of F and G that exist at a time in the first stage; four times as
 *     many in each following one, whose activations have a quarter of the pixels; 0: all
 * @param rebuild keep the outputs of convolutions only, and rebuild batch normalization and ReLU
 * @param streams how a reversible network's streams are held
 * @param stored reversible blocks are not rebuilt but keep what backward needs, as ordinary ones
 *     do: what the inverse's rounding is measured against
 * @param keep outputs of inner convolutions of reversible blocks that are kept instead of computed
 *     again, narrow ones first: as many as need no more bytes than so many streams; 0: none
 */
public record Saving(
    Recompute recompute, int slice, boolean rebuild, Streams streams, boolean stored, int keep) {
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

  /** Reversible blocks are rebuilt. */
  public Saving(Recompute recompute, int slice, boolean rebuild, Streams streams) {
    this(recompute, slice, rebuild, streams, false, 0);
  }

  /** The same with other outputs kept. */
  public Saving withKeep(int keep) {
    return new Saving(recompute, slice, rebuild, streams, stored, keep);
  }

  /** The same, but reversible blocks keep what backward needs, as ordinary ones do. */
  public Saving withStored() {
    return new Saving(recompute, 0, rebuild, streams, true, 0);
  }

  /** An ordinary block, which is kept or computed again. */
  Layer kept(String name, Layer block) {
    return recompute == Recompute.CHECKPOINT ? new Checkpointed(block) : block;
  }

  public Saving {
    if (slice < 0) throw new IllegalArgumentException("slice must be at least 0, not " + slice);
    if (keep < 0) throw new IllegalArgumentException("keep must be at least 0, not " + keep);
  }
}
