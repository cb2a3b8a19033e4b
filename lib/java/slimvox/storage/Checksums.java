package slimvox.storage;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;

/**
 * CRC-32C of a safetensors file's header and of each tensor, kept in its metadata.
 *
 * <p>{@code slimvox.crc32c} holds hexadecimal numbers: first the header's, taken over the header's
 * bytes with its own eight digits as zeros, then one for each tensor in the order of the data. A
 * header that begins almost as ours do, or has another entry {@code slimvox.*}, is of a file that
 * had checksums: changed bytes cannot make it look like one of another program.
 */
final class Checksums {
  static final String FORMAT_KEY = "slimvox.format";
  static final String FORMAT = "1";
  static final String CHECKSUM_KEY = "slimvox.crc32c";
  static final String ZEROS = "00000000";

  private static final String MARK = "\"" + CHECKSUM_KEY + "\":\"";

  /** How each header of ours begins; other programs' share the first 18 bytes at most. */
  private static final String START =
      "{\"" + SafetensorsHeader.METADATA + "\":{\"" + FORMAT_KEY + "\":\"" + FORMAT + "\"," + MARK;

  private static final int CHUNK = 1 << 16;

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

  /** Checks the header; the checksums of the tensors by name, none of another program's file. */
  static Map<String, String> ofTensors(Path file, byte[] header, SafetensorsHeader parsed) {
    String format = parsed.metadata().get(FORMAT_KEY);
    String sums = parsed.metadata().get(CHECKSUM_KEY);
    boolean none = format == null && sums == null;
    if (none && !isAlmostOurs(header, parsed)) return Map.of(); // written by another program
    if (format == null || sums == null) throw missing(file);
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
      throw InputException.of(
          "%s: written by a newer SlimVox (file format %s, this one reads %s)",
          file, SafetensorsHeader.oneLine(format), FORMAT);
    }
    if (expected.length != 1 + parsed.tensors().size()) {
      throw damaged(file, "header", "checksums for " + (expected.length - 1) + " tensors");
    }
    Map<String, String> ofTensors = new HashMap<>();
    for (String name : parsed.tensors().keySet()) {
      ofTensors.put(name, expected[1 + ofTensors.size()]);
    }
    return ofTensors;
  }

  /** Checks a tensor; one without a checksum passes. */
  static void verify(
      Path file, SafetensorsHeader.Entry entry, MemorySegment data, Map<String, String> expected) {
    String sum = expected.get(entry.name());
    if (sum == null) return;
    CRC32C crc = new CRC32C();
    update(crc, file, data, entry.begin(), entry.end());
    compare(file, "tensor " + SafetensorsHeader.oneLine(entry.name()), crc, sum);
  }

  /** Adds mapped bytes of a file to a checksum. */
  static void update(Checksum crc, Path file, MemorySegment data, long begin, long end) {
    byte[] chunk = new byte[(int) Math.min(CHUNK, end - begin)];
    try {
      for (long at = begin; at < end; at += chunk.length) {
        int length = (int) Math.min(chunk.length, end - at);
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, chunk, 0, length);
        Thread.holdsLock(chunk); // compiled code learns of a page that is gone at a call like this
        crc.update(chunk, 0, length);
      }
      // The sum itself, over mapped bytes that are gone, would end the JVM.
    } catch (InternalError e) {
      throw InputException.at(file, "became shorter while it was read").because(e);
    }
  }

  private static boolean isAlmostOurs(byte[] header, SafetensorsHeader parsed) {
    if (parsed.metadata().keySet().stream().anyMatch(key -> key.startsWith("slimvox"))) return true;
    int same = 0;
    for (int i = 0; i < Math.min(START.length(), header.length); i++) {
      if (header[i] == START.charAt(i)) same++;
    }
    return same >= START.length() * 3 / 4;
  }

  static InputException missing(Path file) {
    return damaged(file, "header", "checksum missing");
  }

  private static void compare(Path file, String part, CRC32C crc, String expected) {
    if (hex(crc).equals(expected)) return;
    String written = SafetensorsHeader.oneLine(expected);
    throw damaged(file, part, "checksum " + hex(crc) + ", the file was written with " + written);
  }

  private static InputException damaged(Path file, String part, String why) {
    return InputException.at(file, "%s is damaged (%s); use an earlier checkpoint", part, why);
  }

  private static int place(byte[] header) {
    int mark = new String(header, StandardCharsets.ISO_8859_1).indexOf(MARK);
    if (mark < 0 || mark + MARK.length() + 8 > header.length) return -1;
    return mark + MARK.length();
  }
}
