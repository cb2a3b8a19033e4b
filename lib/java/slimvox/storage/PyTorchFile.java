package slimvox.storage;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;
import slimvox.storage.StateDictPickle.Stored;

/**
 * The tensors of a state dict that {@code torch.save} wrote, where they lie in the file.
 *
 * <p>The file is a zip of {@code NAME/data.pkl}, which names the tensors, and {@code
 * NAME/data/NUMBER}, their storages, little-endian. Nothing in it is compressed, so that tensors
 * are read in place, as those of safetensors are, and no member is larger than the file: one that
 * is compressed is refused. CRC-32 of all that is read is compared. Tensors may share a storage;
 * one that is not contiguous is refused.
 *
 * <p>Source: github.com/pytorch/pytorch, docs/source/notes/serialization.rst.
 */
final class PyTorchFile {
  /** What 200,000 tensors need, and no more than a heap stands. */
  private static final int MOST_PICKLE_BYTES = 4 << 20;

  private static final int ZIP = 0x504b0304; // PK, 3, 4

  private final Path file;
  private final MemorySegment data;
  private final Map<String, ZipArchiveEntry> members = new HashMap<>();
  private String root;

  private PyTorchFile(Path file, MemorySegment data) {
    this.file = file;
    this.data = data;
  }

  /** Whether a file begins as a zip does. */
  static boolean isOne(FileChannel channel) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(4);
    return channel.read(start, 0) == 4 && start.getInt(0) == ZIP;
  }

  /** Refuses a file of PyTorch before 1.6, by its first eight bytes, little-endian. */
  static void refuseLegacy(Path file, long start) {
    if (Long.reverseBytes(start) != 0x80028a0a6cfc9c46L) return;
    throw InputException.at(
        file,
        "in PyTorch's format before 1.6; convert it in Python: torch.save(torch.load('old.pt',"
            + " map_location='cpu', weights_only=True), 'new.pt')");
  }

  /**
   * Reads what tensors there are, and checks the storages.
   *
   * @param all the file's bytes
   * @throws InputException if it holds anything but tensors by name, or is damaged
   */
  static SafetensorsHeader header(Path file, FileChannel channel, MemorySegment all)
      throws IOException {
    try (ZipFile zip = ZipFile.builder().setSeekableByteChannel(channel).get()) {
      return new PyTorchFile(file, all).read(zip);
    } catch (IOException | IllegalArgumentException e) {
      throw InputException.at(
              file,
              "a zip that cannot be read (%s); copy the .pt file again",
              SafetensorsHeader.oneLine(e.getMessage()))
          .because(e);
    }
  }

  private SafetensorsHeader read(ZipFile zip) {
    for (ZipArchiveEntry member : Collections.list(zip.getEntries())) {
      String name = member.getName();
      if (members.put(name, member) != null) throw bad("holds %s twice", name);
      if (name.endsWith("/data.pkl") && name.indexOf('/') == name.lastIndexOf('/')) {
        if (root != null) throw bad("holds %sdata.pkl and %s; a .pt file has one", root, name);
        root = name.substring(0, name.length() - "data.pkl".length());
      }
    }
    if (root == null) throw bad("a zip without NAME/data.pkl, so no .pt file of PyTorch");
    if (members.containsKey(root + "byteorder")) {
      String order = new String(bytes("byteorder", 16), StandardCharsets.ISO_8859_1);
      if (!order.equals("little")) {
        throw bad("byte order %s; save it on a little-endian machine", order);
      }
    }
    Map<String, SafetensorsHeader.Entry> tensors = new LinkedHashMap<>();
    Map<String, Long> places = new HashMap<>();
    byte[] pickle = bytes("data.pkl", MOST_PICKLE_BYTES);
    new StateDictPickle(file + ": " + root + "data.pkl", pickle)
        .tensors()
        .forEach((name, tensor) -> tensors.put(name, entry(name, tensor, places)));
    return new SafetensorsHeader(Map.of(), tensors);
  }

  private SafetensorsHeader.Entry entry(
      String name, StateDictPickle.Tensor tensor, Map<String, Long> places) {
    Stored stored = tensor.storage();
    String member = "data/" + stored.key();
    long place = places.computeIfAbsent(stored.key(), _ -> place(member));
    long size = members.get(root + member).getSize();
    Dtype dtype = stored.dtype();
    if (size % dtype.bytes != 0 || size / dtype.bytes != stored.elements()) {
      throw bad("%s has %d bytes, not %d %s", root + member, size, stored.elements(), dtype);
    }
    long elements = tensor.elements();
    if (elements < 0 || elements > stored.elements() - tensor.offset()) {
      throw bad("tensor %s ends behind its storage %s", name, root + member);
    }
    if (!tensor.isContiguous()) {
      throw bad("tensor %s is not contiguous; save it with .contiguous()", name);
    }
    long begin = place + tensor.offset() * dtype.bytes;
    return new SafetensorsHeader.Entry(
        name, dtype.name(), dtype, tensor.shape(), begin, begin + elements * dtype.bytes);
  }

  /** Where a member's bytes begin, after a look at all of them. */
  private long place(String member) {
    ZipArchiveEntry found = members.get(root + member);
    if (found == null) throw bad("has no %s, of which a tensor is; copy it again", root + member);
    if (found.getMethod() != ZipArchiveEntry.STORED
        || found.getGeneralPurposeBit().usesEncryption()) {
      throw bad("%s is compressed or encrypted; save it with torch.save", root + member);
    }
    long place = found.getDataOffset();
    if (place < 0 || found.getSize() < 0 || found.getSize() > data.byteSize() - place) {
      throw bad("cut short: %s ends behind the file; copy it again", root + member);
    }
    CRC32 crc = new CRC32();
    Checksums.update(crc, file, data, place, place + found.getSize());
    if (crc.getValue() != found.getCrc()) {
      throw bad("%s is damaged (its CRC-32 differs); copy it again", root + member);
    }
    return place;
  }

  private byte[] bytes(String member, int most) {
    long place = place(member);
    long size = members.get(root + member).getSize();
    if (size > most) throw bad("%s has %d bytes, at most %d can be", root + member, size, most);
    return data.asSlice(place, size).toArray(ValueLayout.JAVA_BYTE);
  }

  private InputException bad(String format, Object... values) {
    for (int i = 0; i < values.length; i++) {
      if (values[i] instanceof String text) values[i] = SafetensorsHeader.oneLine(text);
    }
    return InputException.at(file, format, values);
  }
}
