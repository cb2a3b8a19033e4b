package slimvox.storage;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * CRC-32C of a safetensors file's header and of each tensor, kept in its metadata.
 *
 * <p>{@code slimvox.crc32c} holds hexadecimal numbers: first the header's, taken over the header's
 * bytes with its own eight digits as zeros, then one for each tensor in the order of the data. The
 * second entry {@code slimvox.format} is there so that no single changed byte can make a file look
 * like one without checksums.
 */
final class Checksums {
  static final String FORMAT_KEY = "slimvox.format";
  static final String FORMAT = "1";
  static final String CHECKSUM_KEY = "slimvox.crc32c";
  static final String ZEROS = "00000000";

  private static final String MARK = "\"" + CHECKSUM_KEY + "\":\"";
  private static final long CHUNK = 1 << 26; // a ByteBuffer cannot hold more than 2 GiB

  private Checksums() {}

  static String hex(CRC32C crc) {
    return HexFormat.of().toHexDigits((int) crc.getValue());
  }

  /** Writes the header's checksum into its place, which holds {@link #ZEROS}. */
  static void stamp(byte[] header) {
    int place = place(header);
    CRC32C crc = new CRC32C();
    crc.update(header);
    byte[] digits = hex(crc).getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(digits, 0, header, place, digits.length);
  }

  static void verify(Path file, byte[] header, SafetensorsHeader parsed, MemorySegment data) {
    String format = parsed.metadata().get(FORMAT_KEY);
    String sums = parsed.metadata().get(CHECKSUM_KEY);
    if (format == null && sums == null) return; // written by another program
    if (format == null || sums == null) throw damaged(file, "header", "checksum missing");
    String[] expected = sums.split(" ", -1);
    int place = place(header);
    if (place < 0 || expected[0].length() != 8) {
      throw damaged(file, "header", "checksum in an unknown form");
    }
    byte[] blank = header.clone();
    System.arraycopy(ZEROS.getBytes(StandardCharsets.US_ASCII), 0, blank, place, 8);
    CRC32C crc = new CRC32C();
    crc.update(blank);
    compare(file, "header", crc, expected[0]);
    if (!format.equals(FORMAT)) {
      throw new InputException(
          file
              + ": written by a newer SlimVox (file format "
              + SafetensorsHeader.oneLine(format)
              + ", this one reads "
              + FORMAT
              + ")");
    }
    if (expected.length != 1 + parsed.tensors().size()) {
      throw damaged(file, "header", "checksums for " + (expected.length - 1) + " tensors");
    }
    int i = 1;
    for (SafetensorsHeader.Entry entry : parsed.tensors().values()) {
      CRC32C sum = new CRC32C();
      for (long at = entry.begin(); at < entry.end(); at += CHUNK) {
        sum.update(data.asSlice(at, Math.min(CHUNK, entry.end() - at)).asByteBuffer());
      }
      compare(file, "tensor " + SafetensorsHeader.oneLine(entry.name()), sum, expected[i++]);
    }
  }

  private static void compare(Path file, String part, CRC32C crc, String expected) {
    if (!hex(crc).equals(expected)) {
      throw damaged(
          file,
          part,
          "checksum "
              + hex(crc)
              + ", the file was written with "
              + SafetensorsHeader.oneLine(expected));
    }
  }

  private static InputException damaged(Path file, String part, String why) {
    return new InputException(
        file + ": " + part + " is damaged (" + why + "); use an earlier checkpoint");
  }

  private static int place(byte[] header) {
    int mark = new String(header, StandardCharsets.ISO_8859_1).indexOf(MARK);
    if (mark < 0 || mark + MARK.length() + 8 > header.length) return -1;
    return mark + MARK.length();
  }
}
