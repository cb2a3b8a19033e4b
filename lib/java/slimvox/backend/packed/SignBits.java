package slimvox.backend.packed;

/**
 * Signs as bits: 1 for a negative number, 0 for one that is not, so that sign(0) = sign(-0) = +1.
 *
 * <p>The signs of a filter are one row of bytes: weight (kh, kw, i) of I input channels is bit (kh
 * K + kw) I + i, bit n being bit n % 8 of byte n / 8; what is left of the last byte is 0.
 */
public final class SignBits {
  private SignBits() {}

  /** Bytes of one filter of {@code weights} weights. */
  public static int rowBytes(int weights) {
    return (weights + 7) / 8;
  }

  /**
   * The signs of a convolution's weights.
   *
   * @param weights out x in x kernel x kernel
   * @return out rows of {@link #rowBytes} bytes
   */
  public static byte[] of(float[] weights, int out, int in, int kernel) {
    int taps = kernel * kernel;
    int row = rowBytes(in * taps);
    byte[] bits = new byte[out * row];
    for (int o = 0; o < out; o++) {
      for (int i = 0; i < in; i++) {
        for (int tap = 0; tap < taps; tap++) {
          if (weights[(o * in + i) * taps + tap] < 0) {
            int n = tap * in + i;
            bits[o * row + n / 8] |= (byte) (1 << n % 8);
          }
        }
      }
    }
    return bits;
  }

  /** Bit {@code n} of row {@code row}. */
  public static int get(byte[] bits, int rowBytes, int row, int n) {
    return bits[row * rowBytes + n / 8] >>> n % 8 & 1;
  }

  /** Whether what is left of every row's last byte is 0. */
  public static boolean endsInZeros(byte[] bits, int weights) {
    int row = rowBytes(weights);
    if (weights % 8 == 0) return true;
    for (int last = row - 1; last < bits.length; last += row) {
      if ((bits[last] & 0xff) >>> weights % 8 != 0) return false;
    }
    return true;
  }
}
