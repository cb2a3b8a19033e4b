package slimvox.storage;

/**
 * An element type of the safetensors format, by the name it has in the header.
 *
 * <p>The format has others, some of less than a byte, and will get more: tensors of these have a
 * place in a file, but no values here.
 */
enum Dtype {
  F64(8),
  I64(8),
  U64(8),
  F32(4),
  I32(4),
  U32(4),
  F16(2),
  BF16(2),
  I16(2),
  U16(2),
  I8(1),
  U8(1),
  BOOL(1),
  F8_E4M3(1),
  F8_E5M2(1);

  /** Bytes of one element. */
  final int bytes;

  Dtype(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the type with this name, or null where there is none. */
  static Dtype named(String name) {
    for (Dtype dtype : values()) if (dtype.name().equals(name)) return dtype;
    return null;
  }
}
