package slimvox.storage;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;

/**
 * Collects tensors and writes them as one safetensors file, with checksums, in one atomic step.
 *
 * <p>Arrays are not copied: they must stay as they are until {@link #write} returns. Wide elements
 * come first in the file, so that every tensor is aligned; among equal ones the order of the calls
 * is kept. The same content gives the same bytes.
 */
public final class SafetensorsWriter {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final int CHECKSUM_BYTES = 9; // a blank and eight digits
  private static final String ENTRY =
      "\"\":{\"dtype\":\"F32\",\"shape\":,\"data_offsets\":[,]}"; // without the comma before

  private record Part(String name, Dtype dtype, long[] shape, MemorySegment values) {}

  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Part> parts = new LinkedHashMap<>();

  SafetensorsWriter() {}

  /** Adds an F32 tensor. */
  public SafetensorsWriter put(String name, long[] shape, float[] values) {
    return put(name, Dtype.F32, shape, MemorySegment.ofArray(values));
  }

  /** Adds an I64 tensor. */
  public SafetensorsWriter put(String name, long[] shape, long[] values) {
    return put(name, Dtype.I64, shape, MemorySegment.ofArray(values));
  }

  /** Adds a U8 tensor. */
  public SafetensorsWriter put(String name, long[] shape, byte[] values) {
    return put(name, Dtype.U8, shape, MemorySegment.ofArray(values));
  }

  /** Adds a tensor of any type that {@link Dtype} knows, in the machine's byte order. */
  public SafetensorsWriter put(String name, String dtype, long[] shape, MemorySegment values) {
    Dtype known = Dtype.named(dtype);
    if (known == null) throw new IllegalArgumentException("type " + dtype + " is not known");
    return put(name, known, shape, values);
  }

  private SafetensorsWriter put(String name, Dtype dtype, long[] shape, MemorySegment values) {
    long bytes = dtype.bytes;
    for (long size : shape) {
      if (size < 0) throw new IllegalArgumentException(name + ": negative size in shape");
      bytes = Math.multiplyExact(bytes, size);
    }
    if (bytes != values.byteSize()) {
      throw new IllegalArgumentException(
          name + ": shape needs " + bytes + " bytes, given " + values.byteSize());
    }
    if (name.equals(SafetensorsHeader.METADATA)) {
      throw new IllegalArgumentException(name + " cannot name a tensor");
    }
    if (parts.putIfAbsent(name, new Part(name, dtype, shape.clone(), values)) != null) {
      throw new IllegalArgumentException("tensor " + name + " is there already");
    }
    return this;
  }

  /** Sets a text of the header's {@code __metadata__}. */
  public SafetensorsWriter metadata(String key, String value) {
    if (key.equals(Checksums.FORMAT_KEY) || key.equals(Checksums.CHECKSUM_KEY)) {
      throw new IllegalArgumentException(key + " is written by SlimVox itself");
    }
    metadata.put(key, Objects.requireNonNull(value));
    return this;
  }

  /**
   * Checks that one file can hold F32 tensors of these names, before their values are computed.
   *
   * @param leastShape a shape that none is smaller than
   * @throws InputException if their header is over the format's limit
   */
  public static void requireRoom(Path file, Collection<String> names, long... leastShape) {
    requireRoom(file, names.size(), headerBytes(names, leastShape));
  }

  static long headerBytes(Collection<String> names, long... leastShape) {
    String shape = Arrays.toString(leastShape).replace(" ", "");
    long bytes = 4;
    for (long size : leastShape) bytes *= size;
    long header = 0;
    long offset = 0;
    for (String name : names) {
      header += ENTRY.length() + JsonStringEncoder.getInstance().quoteAsUTF8(name).length;
      header += shape.length() + digits(offset) + digits(offset + bytes) + 1 + CHECKSUM_BYTES;
      offset += bytes;
    }
    return header;
  }

  private static int digits(long number) {
    return Long.toString(number).length();
  }

  private static void requireRoom(Path file, int tensors, long header) {
    if (header <= Safetensors.MAX_HEADER_BYTES) return;
    throw InputException.of(
        "%s: the names of %d tensors take a header of %d bytes, the safetensors format allows %d;"
            + " give shorter ids, or put fewer of them into a file",
        file, tensors, header, Safetensors.MAX_HEADER_BYTES);
  }

  /**
   * Writes the file; an earlier one of this name is replaced only when the new one is complete.
   *
   * @throws InputException if it cannot be written, for example on a full disk, see {@link
   *     AtomicFile}; or if nothing could read it, its header being over the format's limit
   */
  public void write(Path file) {
    List<Part> ordered = new ArrayList<>(parts.values());
    ordered.sort(Comparator.comparingInt((Part part) -> -part.dtype().bytes));
    byte[] header = header(ordered);
    requireRoom(file, ordered.size(), header.length);
    long bytes = 8L + header.length;
    for (Part part : ordered) bytes += part.values().byteSize();
    AtomicFile.write(
        file,
        bytes,
        out -> {
          out.write(
              ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).array());
          out.write(header);
          byte[] chunk = new byte[CHUNK_BYTES];
          for (Part part : ordered) stream(part, chunk, out::write);
        });
  }

  private byte[] header(List<Part> ordered) {
    byte[] chunk = new byte[CHUNK_BYTES];
    StringBuilder sums = new StringBuilder(Checksums.ZEROS);
    try {
      for (Part part : ordered) {
        CRC32C crc = new CRC32C();
        stream(part, chunk, crc::update);
        sums.append(' ').append(Checksums.hex(crc));
      }
      ByteArrayOutputStream header = new ByteArrayOutputStream();
      try (JsonGenerator json = new JsonFactory().createGenerator(header)) {
        json.writeStartObject();
        json.writeObjectFieldStart(SafetensorsHeader.METADATA);
        json.writeStringField(Checksums.FORMAT_KEY, Checksums.FORMAT);
        json.writeStringField(Checksums.CHECKSUM_KEY, sums.toString());
        for (var entry : metadata.entrySet()) {
          json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
        long offset = 0;
        for (Part part : ordered) {
          json.writeObjectFieldStart(part.name());
          json.writeStringField("dtype", part.dtype().name());
          json.writeFieldName("shape");
          json.writeArray(part.shape(), 0, part.shape().length);
          json.writeFieldName("data_offsets");
          long end = offset + part.values().byteSize();
          json.writeArray(new long[] {offset, end}, 0, 2);
          json.writeEndObject();
          offset = end;
        }
        json.writeEndObject();
      }
      // Spaces bring the data to a multiple of 8 bytes.
      header.write(" ".repeat(-header.size() & 7).getBytes(StandardCharsets.US_ASCII));
      byte[] bytes = header.toByteArray();
      Checksums.stamp(bytes);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory only: cannot happen
    }
  }

  private interface Sink {
    void accept(byte[] bytes, int offset, int length) throws IOException;
  }

  /** Passes a tensor's bytes on, little-endian, a chunk at a time. */
  private static void stream(Part part, byte[] chunk, Sink sink) throws IOException {
    int each = part.dtype().bytes;
    ValueLayout layout =
        switch (each) {
          case 8 -> ValueLayout.JAVA_LONG_UNALIGNED;
          case 4 -> ValueLayout.JAVA_INT_UNALIGNED;
          case 2 -> ValueLayout.JAVA_SHORT_UNALIGNED;
          default -> ValueLayout.JAVA_BYTE;
        };
    ValueLayout little = layout.withOrder(ByteOrder.LITTLE_ENDIAN);
    MemorySegment target = MemorySegment.ofArray(chunk);
    long bytes = part.values().byteSize();
    for (long at = 0; at < bytes; at += chunk.length) {
      int length = (int) Math.min(chunk.length, bytes - at);
      MemorySegment.copy(part.values(), layout, at, target, little, 0, length / each);
      sink.accept(chunk, 0, length);
    }
  }
}
