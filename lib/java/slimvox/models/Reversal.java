package slimvox.models;

import java.util.Locale;

/**
 * Which blocks of a network are reversible, and how a vanilla block becomes reversible ones.
 *
 * <p>A block works on streams x1 and x2: y1 = x1 + F(x2), y2 = x2 + G(y1). See {@code RevNet} for
 * the widths that each way gives.
 *
 * @param kind which blocks
 * @param units how parameters and multiply-adds are kept equal
 * @param order where F and G normalize
 */
public record Reversal(Kind kind, Units units, Order order) {
  /** Which blocks are reversible. */
  public enum Kind {
    /** None: the vanilla network. */
    NONE,
    /** Type I: blocks that keep their shape; strided ones are ordinary, and kept. */
    PARTIAL,
    /** Type II: all; down-sampling is space to depth. Only the last state is kept. */
    FULL
  }

  /** What takes the place of a vanilla block. */
  public enum Units {
    /** One unit (F and G) on half the channels each, with the vanilla block's inner width. */
    A,
    /** Two units on half the channels each, with half the inner width. */
    B,
    /** One function: streams are as wide as the vanilla block, F and G are a block each. */
    C
  }

  /** Where F and G normalize. */
  public enum Order {
    /** Batch normalization and ReLU before each convolution; F ends with a convolution. */
    PRE,
    /** Batch normalization behind each convolution, as in the vanilla block. */
    POST
  }

  /** The vanilla network. */
  public static final Reversal NONE = new Reversal(Kind.NONE, Units.C, Order.PRE);

  /** A kind with the units and the order that measured best. */
  public static Reversal of(Kind kind) {
    return new Reversal(kind, NONE.units, NONE.order);
  }

  /** The name of a constant in recipes. */
  public static String key(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
