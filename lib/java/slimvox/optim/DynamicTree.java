package slimvox.optim;

import java.util.Arrays;
import slimvox.backend.CodeBook;

/**
 * The dynamic-tree code: 8-bit floating point whose exponent and fraction share the bits.
 *
 * <p>A byte is read from the left. The first bit is the sign (the unsigned kind has none). Then
 * come zeros, and how many there are is the decimal exponent: none stands for 10^0, one for 10^-1.
 * The first 1 is the indicator: it ends the exponent. All bits behind it are the fraction, linear
 * from 0.1 to 1:
 *
 * <pre>
 *   sign  zeros  indicator  fraction                value
 *    0     -        1       6 bits: 64 steps        10^0  x (0.1 ... 1)     0.107 to 0.993
 *    0     0        1       5 bits: 32 steps        10^-1 x (0.1 ... 1)
 *    0     00       1       4 bits: 16 steps        10^-2 x (0.1 ... 1)
 *                                ...
 *    0     000000   1       none: 1 step            10^-6 x  0.55           the smallest, 5.5e-7
 * </pre>
 *
 * <p>With f fraction bits [0.1, 1] is cut into 2^f equal steps, and a code stands for the middle of
 * one. The unsigned kind has one bit more for the fraction, so twice the steps in each decade. That
 * gives 127 numbers of each sign, or 254; zero and 1 take the two codes that are left. There is no
 * -1: the signed code is not symmetric, and the largest negative number of a block shrinks by 0.7 %
 * each time it is quantized.
 *
 * <p>An error is at most half a step: in the uppermost decade 0.7 % of the largest number of a
 * block, 6 % of a number a tenth that size; up to twice the share in each decade below. So numbers
 * down to a millionth of the largest are still told from zero, where a linear code of 8 bits sees
 * nothing below 0.4 %. Optimizer state needs that: within a block it spans several orders of
 * magnitude, and Adam divides by the root of its second moment.
 *
 * <p>Source: Dettmers 2016, arXiv 1511.04561 (the tree); Dettmers et al. 2022, arXiv 2110.02861
 * (optimizer state); the numbers are bitsandbytes' {@code create_dynamic_map} to the bit. Codes are
 * numbered in ascending order of the value, as there, not by the bit pattern.
 */
public final class DynamicTree {
  /** Decades: 10^0 down to 10^-6. */
  private static final int DECADES = 7;

  private static final CodeBook SIGNED = new CodeBook("dynamic signed", values(true));
  private static final CodeBook UNSIGNED = new CodeBook("dynamic unsigned", values(false));
  private static final CodeBook SIGNED_NEAREST = SIGNED.nearestOnly();
  private static final CodeBook UNSIGNED_NEAREST = UNSIGNED.nearestOnly();

  private DynamicTree() {}

  /** For numbers of both signs: momentum, and Adam's mean of gradients. Zero is code 127. */
  public static CodeBook signed() {
    return SIGNED;
  }

  /**
   * For numbers from 0 up: Adam's mean of squared gradients. Zero is code 0, and only zero: smaller
   * numbers than 5.5e-7 get code 1, because Adam divides by them.
   */
  public static CodeBook unsigned() {
    return UNSIGNED;
  }

  /** The code as published, see {@link CodeBook#nearestOnly}; to compare with. */
  public static CodeBook nearestOnly(boolean signed) {
    return signed ? SIGNED_NEAREST : UNSIGNED_NEAREST;
  }

  /**
   * How the tree reads a signed code: sign, zeros, the 1 that ends them and fraction, with spaces
   * between those there are, {@code "0 0 1 10110"}; of the two codes beside the tree their value,
   * {@code "zero"} and {@code "one"}.
   *
   * @param code 0 to 255, in ascending order of the value
   */
  public static String bits(int code) {
    float value = SIGNED.value(code);
    if (value == 0) return "zero";
    if (value == 1) return "one";
    double unit = Math.abs(value);
    int zeros = 0;
    for (; unit < 0.1; unit *= 10) zeros++;
    int fractionBits = DECADES - 1 - zeros;
    int step = (int) ((unit - 0.1) / 0.9 * (1 << fractionBits));
    StringBuilder bits = new StringBuilder(value < 0 ? "1" : "0");
    if (zeros > 0) bits.append(' ').append("0".repeat(zeros));
    bits.append(" 1");
    if (fractionBits == 0) return bits.toString();
    String fraction = Integer.toBinaryString(step);
    return bits.append(' ')
        .append("0".repeat(fractionBits - fraction.length()))
        .append(fraction)
        .toString();
  }

  private static float[] values(boolean signed) {
    float[] values = new float[CodeBook.SIZE];
    int count = 0;
    for (int decade = 0; decade < DECADES; decade++) {
      int steps = 1 << (signed ? decade : decade + 1);
      float unit = (float) Math.pow(10, decade - (DECADES - 1));
      for (int i = 0; i < steps; i++) {
        float value = unit * ((bound(i, steps) + bound(i + 1, steps)) / 2);
        values[count++] = value;
        if (signed) values[count++] = -value;
      }
    }
    values[count++] = 0;
    values[count] = 1;
    Arrays.sort(values);
    return values;
  }

  /**
   * Bound i of equal steps from 0.1 to 1 in float32, counted from the nearer end as PyTorch's
   * linspace does.
   */
  private static float bound(int i, int steps) {
    float step = (1 - 0.1f) / steps;
    return i < (steps + 1) / 2 ? Math.fma(step, i, 0.1f) : Math.fma(-step, steps - i, 1f);
  }
}
