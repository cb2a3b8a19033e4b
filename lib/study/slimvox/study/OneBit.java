package slimvox.study;

import java.util.Arrays;
import slimvox.nn.BinaryConv2d;

/**
 * A few numbers with one bit each, to look at by eye: the arithmetic of {@link BinaryConv2d} and of
 * packed inference on at most {@value #MOST} values.
 *
 * <p>w is approximated by alpha b with b of +1 and -1. The squared error |w - alpha b|^2 is least
 * for b = sign(w) and alpha = mean |w| (XNOR-Net, arXiv 1603.05279): for any b the best alpha is (w
 * . b) / n, which leaves |w|^2 - (w . b)^2 / n, and no b has a larger w . b than sign(w). A bit is
 * 1 for a negative number; sign(0) = +1.
 *
 * @param values the numbers
 */
public record OneBit(double... values) {
  /** The most values: all patterns of signs are looked at. */
  public static final int MOST = 16;

  public OneBit {
    if (values.length < 1 || values.length > MOST) {
      throw new IllegalArgumentException(
          values.length + " values; one to " + MOST + " can be looked at");
    }
    values = values.clone();
  }

  /** The signs, +1 or -1. */
  public double[] signs() {
    return pattern(bits());
  }

  /** The bits; bit i is 1 where value i is negative. */
  public int bits() {
    int bits = 0;
    for (int i = 0; i < values.length; i++) if (values[i] < 0) bits |= 1 << i;
    return bits;
  }

  /** The bits as text, that of the first value first. */
  public String bitText() {
    StringBuilder text = new StringBuilder();
    for (double value : values) text.append(value < 0 ? '1' : '0');
    return text.toString();
  }

  private double[] pattern(int bits) {
    double[] signs = new double[values.length];
    for (int i = 0; i < signs.length; i++) signs[i] = (bits >> i & 1) == 0 ? 1 : -1;
    return signs;
  }

  /** The best scale for the signs: mean |w|. */
  public double scale() {
    return Arrays.stream(values).map(Math::abs).average().orElseThrow();
  }

  /** What one bit a value and one scale make of the values: scale times sign. */
  public double[] approximation() {
    double scale = scale();
    return Arrays.stream(signs()).map(s -> scale * s).toArray();
  }

  /** |w - scale sign(w)|^2. */
  public double squaredError(double scale) {
    return squaredError(signs(), scale);
  }

  /** The squared error for each of some scales. */
  public double[] squaredErrors(double... scales) {
    return Arrays.stream(scales).map(this::squaredError).toArray();
  }

  private double squaredError(double[] signs, double scale) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) sum += Math.pow(values[i] - scale * signs[i], 2);
    return sum;
  }

  /**
   * The squared error of each of the 2^n patterns of signs, each with its own best scale (not below
   * 0), smallest first.
   */
  public double[] errorsOfAllPatterns() {
    double[] errors = new double[1 << values.length];
    for (int bits = 0; bits < errors.length; bits++) {
      double[] signs = pattern(bits);
      double dot = 0;
      for (int i = 0; i < signs.length; i++) dot += values[i] * signs[i];
      errors[bits] = squaredError(signs, Math.max(0, dot / signs.length));
    }
    Arrays.sort(errors);
    return errors;
  }

  /**
   * The sum of products of the signs of both, as hardware counts it: n - 2 popcount(a XOR b).
   *
   * @throws IllegalArgumentException if the other has another number of values
   */
  public int popcountDot(OneBit other) {
    if (other.values.length != values.length) {
      throw new IllegalArgumentException(
          values.length + " and " + other.values.length + " values have no dot product");
    }
    return values.length - 2 * Integer.bitCount(bits() ^ other.bits());
  }
}
