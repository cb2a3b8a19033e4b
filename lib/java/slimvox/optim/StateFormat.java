package slimvox.optim;

import java.util.Locale;
import slimvox.backend.CodeBook;

/**
 * How an optimizer holds its state: as float32, or as codes of 8 bits with a scale for each block.
 *
 * <p>8 bits take 1 + 4 / block bytes a number instead of 4: 74.6 % less at block 256, 74.95 % at
 * 2048. The update rule is the same.
 *
 * @param bits 32 or 8; with 32 the rest has no effect
 * @param map what the codes stand for
 * @param scale what shares one scale
 * @param block numbers that share a scale, a power of two: 256 as in bitsandbytes since 0.44, or
 *     2048 as in the paper (Dettmers et al. 2022, arXiv 2110.02861)
 * @param exemptBelow parameters with fewer elements keep float32 state. 4096 as in bitsandbytes:
 *     vectors and the smallest filters, where an error matters most and bytes do not
 */
public record StateFormat(int bits, Map map, Scale scale, int block, int exemptBelow) {
  /** What the codes stand for. */
  public enum Map {
    /** {@link DynamicTree}. */
    DYNAMIC,
    /** {@link LinearCode}. */
    LINEAR,
    /** {@link DynamicTree#nearestOnly}: the tree without the guards of Adam and Sgd. */
    NEAREST
  }

  /** What shares one scale. */
  public enum Scale {
    /** Each block. */
    BLOCK,
    /** The whole tensor: one outlier then decides for all. */
    TENSOR
  }

  /** State as float32. */
  public static final StateFormat FLOAT32 =
      new StateFormat(32, Map.DYNAMIC, Scale.BLOCK, 256, 4096);

  /** State of 8 bits: dynamic tree, blocks of 256, parameters under 4,096 elements exempt. */
  public static final StateFormat EIGHT_BIT =
      new StateFormat(8, Map.DYNAMIC, Scale.BLOCK, 256, 4096);

  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException for bits other than 32 and 8, a block that is no power of two,
   *     a negative threshold
   */
  public StateFormat {
    if (bits != 32 && bits != 8) {
      throw new IllegalArgumentException("state of " + bits + " bits is not possible; 32 or 8 is");
    }
    if (block < 1 || Integer.bitCount(block) != 1) {
      throw new IllegalArgumentException(
          "a block of " + block + " is not possible; a power of two is, such as 256 or 2048");
    }
    if (exemptBelow < 0) {
      throw new IllegalArgumentException("parameters below " + exemptBelow + " elements exempt");
    }
  }

  /** State of 8 bits in blocks of another size. */
  public static StateFormat eightBit(int block) {
    return new StateFormat(8, Map.DYNAMIC, Scale.BLOCK, block, EIGHT_BIT.exemptBelow);
  }

  /** True if a parameter of this many elements has state of 8 bits. */
  public boolean quantizes(long elements) {
    return bits == 8 && elements >= exemptBelow;
  }

  /** The book for state that has a sign, or has none. */
  public CodeBook book(boolean signed) {
    return switch (map) {
      case DYNAMIC -> signed ? DynamicTree.signed() : DynamicTree.unsigned();
      case LINEAR -> signed ? LinearCode.signed() : LinearCode.unsigned();
      case NEAREST -> DynamicTree.nearestOnly(signed);
    };
  }

  /** Numbers that share a scale in a tensor of so many. */
  public int blockOf(long elements) {
    return scale == Scale.TENSOR ? Math.toIntExact(elements) : block;
  }

  /** One line, for logs and messages. */
  @Override
  public String toString() {
    if (bits == 32) return "32-bit";
    return String.format(
        Locale.ROOT,
        "8-bit (%s map, %s, exempt below %,d elements)",
        map.name().toLowerCase(Locale.ROOT),
        scale == Scale.TENSOR ? "one scale a tensor" : "blocks of " + block,
        exemptBelow);
  }
}
