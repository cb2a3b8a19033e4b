package slimvox.optim;

import java.util.Locale;
import slimvox.backend.CodeBook;
import slimvox.settings.InvalidSetting;
import slimvox.settings.Key;
import slimvox.settings.Setting;

/**
 * How an optimizer holds its state: as float32, or as codes of 8 bits with a scale for each block.
 *
 * <p>8 bits take 1 + 4 / block bytes a number instead of 4: 74.6 % less at block 256, 74.95 % at
 * 2048. The update rule is the same.
 *
 * <p>Section {@code optimizer.state} of recipes: sgd's momentum, both moments of adam and adamw.
 * What is below {@code bits} is null with 32. Blocks of 256 are bitsandbytes' since 0.44, of 2048
 * the paper's (Dettmers et al. 2022, arXiv 2110.02861); so is the exemption of vectors and the
 * smallest filters, where an error matters most and bytes do not.
 */
public record OptimizerStateFormat(
    @Setting(
            value = "Bits of a number of state; 8 take a quarter of the memory.",
            byDefault = "32",
            range = "32, 8",
            flag = "--state-bits",
            decidesBits = false)
        int bits,
    @Setting(
            value = "With 8 bits: numbers that share a scale.",
            byDefault = "256",
            range = "a power of two, such as 256 or 2048",
            flag = "--block",
            onlyWith = {"bits=8", "scale!=tensor"},
            decidesBits = false)
        Integer block,
    @Setting(
            value =
                "With 8 bits: what codes stand for: dynamic (a tree), or to compare with linear"
                    + " or nearest (the tree as published).",
            byDefault = "dynamic",
            onlyWith = "bits=8",
            decidesBits = false)
        Map map,
    @Setting(
            value =
                "With 8 bits: what shares a scale: block, or tensor, the whole tensor, without a"
                    + " block then.",
            byDefault = "block",
            onlyWith = "bits=8",
            decidesBits = false)
        Scale scale,
    @Setting(
            value = "With 8 bits: parameters with fewer elements keep 32 bits.",
            byDefault = "4096",
            range = "0..2147483647",
            onlyWith = "bits=8",
            decidesBits = false)
        Integer exemptBelow) {
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
  public static final OptimizerStateFormat FLOAT32 =
      new OptimizerStateFormat(32, null, null, null, null);

  /** State of 8 bits: dynamic tree, blocks of 256, parameters under 4,096 elements exempt. */
  public static final OptimizerStateFormat EIGHT_BIT = eightBit(256);

  /**
   * Checks the numbers; a block is null where the whole tensor has one scale.
   *
   * @throws InvalidSetting for bits other than 32 and 8, a block that is no power of two
   */
  public OptimizerStateFormat {
    if (bits != 32 && bits != 8) {
      throw InvalidSetting.notAllowed("optimizer.state.bits", bits, "32, 8");
    }
    if (block != null && (block < 1 || Integer.bitCount(block) != 1)) {
      throw InvalidSetting.notAllowed(
          "optimizer.state.block", block, "a power of two, such as 256 or 2048");
    }
    if (scale == Scale.TENSOR) block = null;
  }

  /** State of 8 bits in blocks of another size. */
  public static OptimizerStateFormat eightBit(int block) {
    return new OptimizerStateFormat(8, block, Map.DYNAMIC, Scale.BLOCK, 4096);
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
        Key.of(map),
        scale == Scale.TENSOR ? "one scale a tensor" : "blocks of " + block,
        exemptBelow);
  }
}
