package slimvox.backend;

/** What an element of a {@link Tensor} is. */
public enum DataType {
  /** IEEE single precision. */
  FLOAT32(4),
  /** The upper half of {@link #FLOAT32}: its range, 8 bits of precision. */
  BFLOAT16(2),
  /** Labels, counts. */
  INT32(4),
  /** Codes of 8 bits. */
  UINT8(1),
  /** Multiples of a {@link Tensor.Grid}'s step from -32767 to 32767. */
  FIXED16(2),
  /** Multiples of a {@link Tensor.Grid}'s step from -127 to 127. */
  FIXED8(1);

  private final int bytes;

  DataType(int bytes) {
    this.bytes = bytes;
  }

  /**
   * The bits of the bfloat16 nearest to x, of two equally near ones the even; beyond the largest it
   * is infinity, and a NaN stays one of its sign.
   */
  public static short bfloat16(float x) {
    int bits = Float.floatToRawIntBits(x);
    if (Float.isNaN(x)) return (short) (bits >>> 16 | 0x40);
    return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }

  /** What the bits of a bfloat16 stand for. */
  public static float ofBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Whether an element stands for a real number, not for a label or a code. */
  public boolean isReal() {
    return this != INT32 && this != UINT8;
  }

  /** Whether an element is a whole number of steps. */
  public boolean isFixed() {
    return this == FIXED16 || this == FIXED8;
  }

  /**
   * The largest whole number of steps that an element can be.
   *
   * @throws IllegalStateException if the type is not fixed
   */
  public int largest() {
    if (!isFixed()) throw new IllegalStateException(this + " has no steps");
    return (1 << 8 * bytes - 1) - 1;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }
}
