package slimvox.export;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * A message of Protocol Buffers that is written and never read: fields in the order in which they
 * are added. Large arrays are asked for as they are written, so that one is in memory at a time.
 *
 * <p>The few kinds of fields that an ONNX file has do not ask for Google's library and classes made
 * of a schema, which are larger than all of SlimVox.
 *
 * <p>Source: protobuf.dev/programming-guides/encoding.
 */
final class ProtobufMessage {
  private static final int VARINT = 0;
  private static final int LENGTH = 2;
  private static final int FIXED32 = 5;

  private interface Part {
    void writeTo(OutputStream out) throws IOException;
  }

  private final List<Part> parts = new ArrayList<>();
  private long size;

  /** Its bytes when it is written. */
  long size() {
    return size;
  }

  /** Writes all fields. */
  void writeTo(OutputStream out) throws IOException {
    for (Part part : parts) part.writeTo(out);
  }

  /** Adds a whole number; a negative one takes ten bytes. */
  ProtobufMessage number(int field, long value) {
    head(field, VARINT);
    varint(value);
    return this;
  }

  /** Adds a float. */
  ProtobufMessage number(int field, float value) {
    head(field, FIXED32);
    add(littleEndian(value), Float.BYTES);
    return this;
  }

  /** Adds a text. */
  ProtobufMessage text(int field, String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    head(field, LENGTH);
    varint(bytes.length);
    add(out -> out.write(bytes), bytes.length);
    return this;
  }

  /** Adds a message, to which nothing may be added any more. */
  ProtobufMessage message(int field, ProtobufMessage value) {
    head(field, LENGTH);
    varint(value.size);
    add(value::writeTo, value.size);
    return this;
  }

  /** Adds floats as bytes, little-endian. */
  ProtobufMessage floats(int field, long count, Supplier<float[]> values) {
    head(field, LENGTH);
    varint(Float.BYTES * count);
    add(out -> littleEndian(values.get()).writeTo(out), Float.BYTES * count);
    return this;
  }

  private static Part littleEndian(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length);
    bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values);
    return out -> out.write(bytes.array());
  }

  private void head(int field, int kind) {
    varint((long) field << 3 | kind);
  }

  /** Seven bits a byte, the lowest first; all but the last byte have their highest bit set. */
  private void varint(long value) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    long left = value;
    for (; (left & ~0x7fL) != 0; left >>>= 7) bytes.write((int) left & 0x7f | 0x80);
    bytes.write((int) left);
    add(bytes::writeTo, bytes.size());
  }

  private void add(Part part, long bytes) {
    parts.add(part);
    size += bytes;
  }
}
