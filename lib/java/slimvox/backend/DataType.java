package slimvox.backend;

/** What an element of a {@link Tensor} is. */
public enum DataType {
  FLOAT32(4),
  INT32(4),
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
