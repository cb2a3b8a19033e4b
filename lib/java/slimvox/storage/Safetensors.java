package slimvox.storage;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongToDoubleFunction;
import java.util.function.LongUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A safetensors file, open for reading, or a {@link PyTorchFile}, whose tensors lie in place too.
 *
 * <p>The format: header length (8 bytes, little-endian), a JSON header that gives each tensor's
 * type, shape and place, then the tensors' bytes, little-endian, without gaps. The data is mapped,
 * not loaded, so that files of any size open at once; the mapping ends when this object is
 * collected. A file that is replaced meanwhile by {@link AtomicFile} goes on being read as it was.
 *
 * <p>Files written by {@link SafetensorsWriter} carry checksums, and {@link #read} refuses one in
 * which any byte has changed, or that looks like one of them but has none. Files of other programs
 * are read without. Bad input of any kind is an {@link InputException}.
 *
 * <p>Source: github.com/huggingface/safetensors, README, section Format.
 */
public final class Safetensors {
  static final long MAX_HEADER_BYTES = 100_000_000; // the limit of the reference library

  private final Path file;
  private final SafetensorsHeader header;
  private final MemorySegment data;
  private final Map<String, String> checksums;

  private Safetensors(
      Path file, SafetensorsHeader header, MemorySegment data, Map<String, String> checksums) {
    this.file = file;
    this.header = header;
    this.data = data;
    this.checksums = checksums;
  }

  /** Opens a file, checks its header and, where the file has them, its checksums. */
  public static Safetensors read(Path file) {
    Safetensors opened = open(file);
    for (String name : opened.header.tensors().keySet()) opened.verify(name);
    return opened;
  }

  /** Checks a tensor's checksum, where a file from {@link #open} has one; returns this. */
  public Safetensors verify(String name) {
    Checksums.verify(file, entry(name), data, checksums);
    return this;
  }

  /** The same as {@link #read}, but no tensor's data is looked at: {@link #verify} does that. */
  public static Safetensors open(Path file) {
    if (Files.isDirectory(file)) {
      throw InputException.at(
          file, "is a folder, a safetensors file is needed%s", last("it", file));
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (PyTorchFile.isOne(channel)) {
        MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, Arena.ofAuto());
        return new Safetensors(file, PyTorchFile.header(file, channel, all), all, Map.of());
      }
      byte[] header = readHeader(file, channel, size);
      long start = 8L + header.length;
      MemorySegment data =
          channel.map(FileChannel.MapMode.READ_ONLY, start, size - start, Arena.ofAuto());
      SafetensorsHeader parsed = SafetensorsHeader.parse(file, header, size - start);
      return new Safetensors(file, parsed, data, Checksums.ofTensors(file, header, parsed));
    } catch (NoSuchFileException e) {
      throw InputException.at(
              file, "no such file%s", last("its folder", file.toAbsolutePath().getParent()))
          .because(e);
    } catch (IOException e) {
      throw InputException.unreadable(file, e);
    }
  }

  /** Names the last file of a folder: of a run, its latest checkpoint. */
  private static String last(String whose, Path folder) {
    if (folder == null || !Files.isDirectory(folder)) return "";
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(there -> there.getFileName().toString())
          .filter(name -> name.endsWith(".safetensors"))
          .max(Comparator.naturalOrder())
          .map(name -> "; " + whose + " has " + name)
          .orElse("");
    } catch (IOException e) {
      return "";
    }
  }

  /** Starts a new file. */
  public static SafetensorsWriter writer() {
    return new SafetensorsWriter();
  }

  private static byte[] readHeader(Path file, FileChannel channel, long size) throws IOException {
    if (size < 8) {
      throw InputException.at(
          file, "not a safetensors file: %s bytes, the header length alone takes 8", size);
    }
    ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    readFully(file, channel, length, 0);
    long bytes = length.getLong(0);
    if (bytes < 2 || bytes > Math.min(MAX_HEADER_BYTES, size - 8)) {
      PyTorchFile.refuseLegacy(file, bytes);
      throw InputException.of(
          "%s: not a safetensors file, or cut short: header of %s bytes in a file of %s",
          file, Long.toUnsignedString(bytes), size);
    }
    ByteBuffer header = ByteBuffer.allocate((int) bytes);
    readFully(file, channel, header, 8);
    return header.array();
  }

  private static void readFully(Path file, FileChannel channel, ByteBuffer into, long at)
      throws IOException {
    while (into.hasRemaining()) {
      if (channel.read(into, at + into.position()) < 0) {
        throw InputException.at(file, "became shorter while it was read");
      }
    }
  }

  /** The file that was read. */
  public Path file() {
    return file;
  }

  /**
   * Checks that the file carries checksums: of a kind that only SlimVox writes, one without them is
   * damaged or was changed by another program.
   *
   * @return this
   * @throws InputException if it has none
   */
  public Safetensors requireChecksums() {
    if (header.metadata().containsKey(Checksums.CHECKSUM_KEY)) return this;
    throw Checksums.missing(file);
  }

  /** The texts of the header's {@code __metadata__}, SlimVox's own checksums left out. */
  public Map<String, String> metadata() {
    Map<String, String> metadata = new LinkedHashMap<>(header.metadata());
    metadata.remove(Checksums.FORMAT_KEY);
    metadata.remove(Checksums.CHECKSUM_KEY);
    return Collections.unmodifiableMap(metadata);
  }

  /** The tensors' names, in the order of their data. */
  public List<String> names() {
    return List.copyOf(header.tensors().keySet());
  }

  /** Whether there is a tensor of this name. */
  public boolean has(String name) {
    return header.tensors().containsKey(name);
  }

  /** The sizes of a tensor, outermost first; a scalar has none. */
  public long[] shape(String name) {
    return entry(name).shape().clone();
  }

  /** The element type as the header names it: {@code F32}, {@code I64}, ... */
  public String dtype(String name) {
    return entry(name).type();
  }

  /** The bytes of a tensor where they lie: mapped, read-only, little-endian, perhaps unaligned. */
  public MemorySegment segment(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    return data.asSlice(entry.begin(), entry.end() - entry.begin());
  }

  /** The elements of an F32, F64 (rounded), F16 or BF16 tensor. */
  public float[] floats(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    LongToDoubleFunction element = real(entry);
    float[] values = new float[arrayLength(entry)];
    if (entry.dtype() == Dtype.F32) {
      MemorySegment.copy(data, F32, entry.begin(), values, 0, values.length);
    } else {
      for (int i = 0; i < values.length; i++) values[i] = (float) element.applyAsDouble(i);
    }
    return values;
  }

  /** The elements of an F64, F32, F16 or BF16 tensor. */
  public double[] doubles(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    LongToDoubleFunction element = real(entry);
    double[] values = new double[arrayLength(entry)];
    for (int i = 0; i < values.length; i++) values[i] = element.applyAsDouble(i);
    return values;
  }

  /** The elements of an I64, I32, I16, I8, U32, U16, U8 or BOOL tensor. */
  public long[] longs(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    long begin = entry.begin();
    LongUnaryOperator element =
        switch (entry.dtype()) {
          case I64 -> i -> data.get(I64, begin + 8 * i);
          case I32 -> i -> data.get(I32, begin + 4 * i);
          case U32 -> i -> Integer.toUnsignedLong(data.get(I32, begin + 4 * i));
          case I16 -> i -> data.get(I16, begin + 2 * i);
          case U16 -> i -> Short.toUnsignedLong(data.get(I16, begin + 2 * i));
          case I8 -> i -> data.get(ValueLayout.JAVA_BYTE, begin + i);
          case U8, BOOL -> i -> Byte.toUnsignedLong(data.get(ValueLayout.JAVA_BYTE, begin + i));
          case null, default -> throw wrongType(entry, "whole numbers");
        };
    long[] values = new long[arrayLength(entry)];
    for (int i = 0; i < values.length; i++) values[i] = element.applyAsLong(i);
    return values;
  }

  /** The elements of a U8, I8 or BOOL tensor as they are stored. */
  public byte[] bytes(String name) {
    SafetensorsHeader.Entry entry = entry(name);
    return switch (entry.dtype()) {
      case U8, I8, BOOL -> {
        byte[] values = new byte[arrayLength(entry)];
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, entry.begin(), values, 0, values.length);
        yield values;
      }
      case null, default -> throw wrongType(entry, "bytes");
    };
  }

  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble F64 =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Element number to value, for the types that hold real numbers. */
  private LongToDoubleFunction real(SafetensorsHeader.Entry entry) {
    long begin = entry.begin();
    return switch (entry.dtype()) {
      case F32 -> i -> data.get(F32, begin + 4 * i);
      case F64 -> i -> data.get(F64, begin + 8 * i);
      case F16 -> i -> Float.float16ToFloat(data.get(I16, begin + 2 * i));
      case BF16 -> i -> Float.intBitsToFloat(data.get(I16, begin + 2 * i) << 16);
      case null, default -> throw wrongType(entry, "real numbers");
    };
  }

  private SafetensorsHeader.Entry entry(String name) {
    SafetensorsHeader.Entry entry = header.tensors().get(name);
    if (entry != null) return entry;
    String near =
        NearestNames.of(name, header.tensors().keySet(), 3).stream()
            .map(SafetensorsHeader::oneLine)
            .collect(Collectors.joining(", "));
    throw InputException.of(
        "%s: has no tensor %s; %s",
        file,
        SafetensorsHeader.oneLine(name),
        near.isEmpty() ? "it holds none" : "the nearest names are " + near);
  }

  private int arrayLength(SafetensorsHeader.Entry entry) {
    long elements = (entry.end() - entry.begin()) / entry.dtype().bytes;
    if (elements > Integer.MAX_VALUE - 8) {
      throw InputException.of(
          "%s: tensor %s has %s elements, more than a Java array holds",
          file, SafetensorsHeader.oneLine(entry.name()), elements);
    }
    return (int) elements;
  }

  private InputException wrongType(SafetensorsHeader.Entry entry, String wanted) {
    return InputException.of(
        "%s: tensor %s is %s, %s are needed",
        file,
        SafetensorsHeader.oneLine(entry.name()),
        SafetensorsHeader.oneLine(entry.type()),
        wanted);
  }
}
