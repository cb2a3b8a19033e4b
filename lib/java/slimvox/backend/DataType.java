package slimvox.backend;

/** What an element of a {@link Tensor} is. */
public enum DataType {
  /** IEEE single precision. */
  FLOAT32(4),
  /** Labels, counts. */
  INT32(4),
  /** Codes of 8 bits. */
  UINT8(1);

  private final int bytes;

  DataType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }
}
