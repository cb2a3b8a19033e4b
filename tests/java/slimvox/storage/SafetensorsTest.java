package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.Fuzz;

class SafetensorsTest {
  @TempDir Path folder;

  private Path file() {
    return folder.resolve("net.safetensors");
  }

  /** A file as another program would write it: header text, then data. */
  private Path foreign(String header, byte[] data) throws IOException {
    return Files.write(file(), withLength(header.getBytes(StandardCharsets.UTF_8), data));
  }

  private static byte[] withLength(byte[] header, byte[] data) {
    return ByteBuffer.allocate(8 + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }

  private Path sample() {
    Safetensors.writer()
        .metadata("model", "ResNet18 \"quarter\"")
        .put("labels", new long[] {3}, new long[] {1, -2, Long.MAX_VALUE})
        .put("codes", new long[] {5}, new byte[] {0, 1, -1, 127, -128})
        .put("conv1.weight", new long[] {2, 3}, new float[] {0, -0f, 1.5f, -2, Float.NaN, 1e-42f})
        .put("conv1.bias", new long[] {}, new float[] {7})
        .put(
            "f64.out", "F64", new long[] {2}, MemorySegment.ofArray(new double[] {Math.PI, -1e300}))
        .put("steps", "I32", new long[] {1, 2}, MemorySegment.ofArray(new int[] {-5, 9}))
        .put("empty", new long[] {0, 4}, new float[0])
        .write(file());
    return file();
  }

  private String refusal(Path file) {
    return refused(() -> Safetensors.read(file));
  }

  @Test
  void whatWasWrittenIsRead() {
    Safetensors read = Safetensors.read(sample());
    assertEquals(Map.of("model", "ResNet18 \"quarter\""), read.metadata());
    assertEquals(
        List.of("labels", "f64.out", "conv1.weight", "conv1.bias", "steps", "empty", "codes"),
        read.names(),
        "wide elements first, else the order of the calls");
    assertArrayEquals(new long[] {2, 3}, read.shape("conv1.weight"));
    assertArrayEquals(new long[] {}, read.shape("conv1.bias"));
    assertEquals("F32", read.dtype("conv1.weight"));
    assertArrayEquals(
        new float[] {0, -0f, 1.5f, -2, Float.NaN, 1e-42f}, read.floats("conv1.weight"));
    assertArrayEquals(new float[] {7}, read.floats("conv1.bias"));
    assertArrayEquals(new double[] {Math.PI, -1e300}, read.doubles("f64.out"));
    assertArrayEquals(
        new float[] {(float) Math.PI, Float.NEGATIVE_INFINITY}, read.floats("f64.out"));
    assertArrayEquals(new double[] {7}, read.doubles("conv1.bias"));
    assertArrayEquals(new long[] {1, -2, Long.MAX_VALUE}, read.longs("labels"));
    assertArrayEquals(new long[] {-5, 9}, read.longs("steps"));
    assertArrayEquals(new long[] {0, 1, 255, 127, 128}, read.longs("codes"));
    assertArrayEquals(new byte[] {0, 1, -1, 127, -128}, read.bytes("codes"));
    assertEquals(0, read.floats("empty").length);
    assertEquals(20, read.segment("codes").byteSize() + read.segment("steps").byteSize() + 7);
    assertTrue(read.has("labels"));
    assertFalse(read.has("label"));
  }

  @Test
  void sameContentGivesTheSameBytesAndAlignedData() throws IOException {
    byte[] first = Files.readAllBytes(sample());
    assertArrayEquals(first, Files.readAllBytes(sample()));
    long header = ByteBuffer.wrap(first).order(ByteOrder.LITTLE_ENDIAN).getLong();
    assertEquals(0, header % 8);
  }

  @Test
  void memoryOutsideTheHeapIsWritten() {
    try (var arena = java.lang.foreign.Arena.ofConfined()) {
      MemorySegment values = arena.allocate(3 << 20, 64); // several chunks
      for (long i = 0; i < values.byteSize() / 4; i++) {
        values.setAtIndex(java.lang.foreign.ValueLayout.JAVA_FLOAT, i, i);
      }
      long count = values.byteSize() / 4;
      Safetensors.writer().put("arena", "F32", new long[] {count}, values).write(file());
      float[] read = Safetensors.read(file()).floats("arena");
      for (int i = 0; i < count; i++) assertEquals(i, read[i]);
    }
  }

  @Test
  void halfPrecisionOfOtherProgramsIsRead() throws IOException {
    Path file =
        foreign(
            "{\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[4,6]}}",
            new byte[] {0, 0x3c, 0, (byte) 0xc1, (byte) 0x80, (byte) 0xbf});
    assertArrayEquals(new float[] {1, -2.5f}, Safetensors.read(file).floats("h"));
    assertArrayEquals(new float[] {-1}, Safetensors.read(file).floats("b"));
  }

  /** A sparse file: five gigabytes by length, a few blocks on the disk. */
  @Test
  void filesBeyondTwoGigabytesAreRead() throws IOException {
    long big = 5L << 30;
    Path file =
        foreign(
            "{\"big\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                    .formatted(big, big)
                + "\"end\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}}"
                    .formatted(big, big + 4),
            new byte[0]);
    try (var access = new java.io.RandomAccessFile(file.toFile(), "rw")) {
      access.seek(access.length() + big);
      access.write(new byte[] {0, 0, (byte) 0x80, 0x3f});
    }
    Safetensors read = Safetensors.read(file);
    assertEquals(1, read.floats("end")[0]);
    assertEquals(big, read.segment("big").byteSize());
    assertRefused(
        file() + ": tensor big has 5368709120 elements, more than a Java array holds",
        () -> read.bytes("big"));
  }

  @Test
  void missingTensorNamesFileTensorAndNearestNames() {
    Safetensors read = Safetensors.read(sample());
    assertRefused(
        file()
            + ": has no tensor conv1.weights; the nearest names are conv1.weight, conv1.bias,"
            + " codes",
        () -> read.floats("conv1.weights"));
  }

  @Test
  void wrongTypeIsNamed() {
    Safetensors read = Safetensors.read(sample());
    assertRefused(
        file() + ": tensor labels is I64, real numbers are needed", () -> read.floats("labels"));
    assertRefused(
        file() + ": tensor f64.out is F64, bytes are needed", () -> read.bytes("f64.out"));
    assertRefused(
        file() + ": tensor conv1.bias is F32, whole numbers are needed",
        () -> read.longs("conv1.bias"));
  }

  @Test
  void missingFileAndFolderAreNamed() {
    Path none = folder.resolve("none.safetensors");
    assertEquals(none + ": no such file", refusal(none));
    assertEquals(folder + ": is a folder, a safetensors file is needed", refusal(folder));
  }

  @Test
  void shortAndForeignFilesAreRefused() throws IOException {
    assertEquals(
        file() + ": not a safetensors file: 0 bytes, the header length alone takes 8",
        refusal(Files.write(file(), new byte[0])));
    assertEquals(
        file()
            + ": not a safetensors file, or cut short: header of 5064579471882209618 bytes in a"
            + " file of 12",
        refusal(Files.writeString(file(), "RIFF2\0IFWAVE")));
  }

  @Test
  void eachFaultOfAHeaderHasItsLine() throws IOException {
    assertBad(
        "{\"a\" xyz}",
        "header is not valid JSON at byte 13 (Unexpected character ('x' (code 120)): was expecting"
            + " a colon to separate field name and value)");
    assertBad("[1]", "header is not a JSON object");
    assertBad("{\"a\":{}}", "tensor a has no dtype");
    assertBad(
        tensor("a", "F32", "[3]", "[0,8]"),
        "tensor a of 12 bytes by type and shape has 8 bytes of data");
    assertBad(
        tensor("a", "F32", "[4294967296,4294967296]", "[0,8]"),
        "tensor a has a shape with more bytes than a file can hold");
    assertBad(
        tensor("a", "F32", "[-2]", "[0,8]"), "tensor a: shape holds something that is not a size");
    assertBad(
        tensor("a", "F32", "[2]", "[8,0]"),
        "tensor a needs data_offsets [begin, end] with begin <= end");
    assertBad("{\"a\":{\"stride\":1}}", "tensor a has the unknown entry stride");
    assertBad("{\"__metadata__\":{\"m\":1}}", "__metadata__ entry m is not a text");
    String two = "{\"a\":%s,\"b\":%s}";
    String entry = "{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}";
    String overlap = two.formatted(entry.formatted(6, 0, 6), entry.formatted(4, 4, 8));
    int data = 8 + overlap.length();
    assertBad(overlap, "tensors a and b overlap at byte " + (data + 4));
    String gap = two.formatted(entry.formatted(2, 0, 2), entry.formatted(4, 4, 8));
    assertBad(
        gap,
        "no tensor owns the bytes from %d to %d, before tensor b".formatted(data + 2, data + 4));
    String rest = tensor("a", "U8", "[7]", "[0,7]");
    assertBad(rest, "no tensor owns the last 1 bytes, from " + (8 + rest.length() + 7));
    String beyond = tensor("a", "U8", "[10]", "[0,10]");
    assertEquals(
        "%s: cut short: tensor a ends 2 bytes after the file, which has %d; copy it again or use an earlier checkpoint"
            .formatted(file(), 8 + beyond.length() + 8),
        refusal(foreign(beyond, new byte[8])));
    assertTrue(
        refusal(foreign("{\"a\":{},\"a\":{}}", new byte[8])).contains("Duplicate field 'a'"));
    assertTrue(
        refusal(foreign("[".repeat(5000), new byte[8]))
            .startsWith(file() + ": not a valid safetensors file: header is not valid"));
  }

  private void assertBad(String header, String fault) throws IOException {
    String message = refusal(foreign(header, new byte[8]));
    assertEquals(file() + ": not a valid safetensors file: " + fault, message);
  }

  /** Types of less than a byte, of today and of the future: the offsets say where they lie. */
  @ParameterizedTest
  @CsvSource({
    "F4, 16",
    "F6_E2M3, 8",
    "F6_E3M2, 8",
    "F8_E8M0, 8",
    "F8_E4M3FNUZ, 8",
    "F8_E5M2FNUZ, 8",
    "C64, 1",
    "F8_E4M3, 8",
    "X2_OF_2031, 32"
  })
  void tensorsOfOtherTypesAreInNobodysWay(String type, int elements) throws IOException {
    String header =
        "{\"a\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,8]},"
            + "\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
    foreign(header.formatted(type, elements), new byte[12]);
    Safetensors read = Safetensors.read(file());
    assertArrayEquals(new float[1], read.floats("w"));
    assertEquals(type, read.dtype("a"));
    assertArrayEquals(new long[] {elements}, read.shape("a"));
    assertEquals(8, read.segment("a").byteSize());
    assertRefused(
        file() + ": tensor a is " + type + ", real numbers are needed", () -> read.floats("a"));
    assertRefused(
        file() + ": tensor a is " + type + ", whole numbers are needed", () -> read.longs("a"));
    assertThrows(InputException.class, () -> read.doubles("a"));
    assertThrows(InputException.class, () -> read.bytes("a"));
  }

  private static String tensor(String name, String dtype, String shape, String offsets) {
    return "{\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}}"
        .formatted(name, dtype, shape, offsets);
  }

  @Test
  void flippedByteOfATensorNamesTheTensor() throws IOException {
    byte[] bytes = Files.readAllBytes(sample());
    bytes[bytes.length - 2] ^= 0x10; // in "codes", the last
    Files.write(file(), bytes);
    String message = refusal(file());
    assertTrue(
        message.matches(
            ".*net.safetensors: tensor codes is damaged \\(checksum [0-9a-f]{8}, the file was"
                + " written with [0-9a-f]{8}\\); use an earlier checkpoint"),
        message);
  }

  @Test
  void anyChangedByteOfOurOwnFileIsRefusedInOneLine() throws IOException {
    byte[] bytes = Files.readAllBytes(sample());
    Random random = new Random(1);
    for (int i = 0; i < bytes.length; i++) {
      byte original = bytes[i];
      for (int change = 0; change < 4; change++) {
        int flip = change == 0 ? 1 << random.nextInt(8) : 1 + random.nextInt(255);
        bytes[i] = (byte) (original ^ flip);
        assertOneLine(refusal(Files.write(file(), bytes)));
      }
      bytes[i] = original;
    }
  }

  /** One byte in each of the two keys: the file would pass for one of another program. */
  @Test
  void changedBytesDoNotTurnTheChecksumsOff() throws IOException {
    byte[] bytes = Files.readAllBytes(sample());
    bytes[bytes.length - 2] ^= 0x10; // in "codes"
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    int format = text.indexOf("slimvox.format");
    int sum = text.indexOf("slimvox.crc32c");
    for (int a = 0; a < 14; a++) {
      for (int b = 0; b < 14; b++) {
        byte[] changed = bytes.clone();
        changed[format + a] ^= 1;
        changed[sum + b] ^= 2;
        String message = refusal(Files.write(file(), changed));
        assertEquals(
            file() + ": header is damaged (checksum missing); use an earlier checkpoint", message);
      }
    }
    for (String key : List.of("slimvox.format", "slimvox.crc32c")) { // and with an entry cut out
      String entry =
          text.substring(text.indexOf("\"" + key), text.indexOf(",", text.indexOf(key)) + 1);
      String without = text.replace(entry, " ".repeat(entry.length()));
      assertOneLine(refusal(Files.write(file(), without.getBytes(StandardCharsets.ISO_8859_1))));
    }
  }

  @Test
  void aKindThatOnlySlimVoxWritesHasChecksums() throws IOException {
    assertTrue(Safetensors.read(sample()).requireChecksums().has("codes"));
    foreign("{\"__metadata__\":{\"recipe\":\"x\"}}", new byte[0]);
    Safetensors read = Safetensors.read(file());
    assertRefused(
        file() + ": header is damaged (checksum missing); use an earlier checkpoint",
        read::requireChecksums);
    foreign("{\"__metadata__\":{\"slimvox.packed\":\"1\"}}", new byte[0]);
    assertTrue(refusal(file()).contains("checksum missing"));
  }

  @Test
  void damageToOurOwnFilesIsNoticed() throws IOException {
    byte[] bytes = Files.readAllBytes(sample());
    int header = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    byte[] text = Arrays.copyOfRange(bytes, 8, 8 + header);
    byte[] data = Arrays.copyOfRange(bytes, 8 + header, bytes.length);
    assertTrue(Fuzz.of(file()).sealed(3000, SafetensorsTest::everything) > 2500);
    int refused =
        Fuzz.of(
                file(),
                r ->
                    withLength(Fuzz.mutate(text, r), r.nextBoolean() ? data : Fuzz.mutate(data, r)))
            .sealed(3000, SafetensorsTest::everything);
    assertTrue(refused > 2500, "refused " + refused);
  }

  /** What no reader of the format would open is not written, and told before it is computed. */
  @Test
  void headersOverTheFormatsLimitAreRefused() throws IOException {
    String path = "x".repeat(9_000);
    List<String> names = new ArrayList<>();
    SafetensorsWriter writer = Safetensors.writer();
    float[] one = {1};
    for (int i = 0; i < 11_200; i++) names.add("id" + i + "\"/" + path); // 100.8 MB of names alone
    for (String name : names) writer.put(name, new long[] {1}, one);
    String limit =
        file()
            + ": the names of 11200 tensors take a header of \\d+ bytes, the safetensors format"
            + " allows 100000000; give shorter ids, or put fewer of them into a file";
    String message = refused(() -> writer.write(file()));
    assertTrue(message.matches(limit), message);
    assertFalse(Files.exists(file()));
    message = refused(() -> SafetensorsWriter.requireRoom(file(), names, 1));
    assertTrue(message.matches(limit), message);
    SafetensorsWriter.requireRoom(file(), names.subList(0, 11_000), 1);
  }

  /** Told beforehand from the header that is written: the same to some hundred bytes. */
  @Test
  void theHeaderIsKnownBeforehand() throws IOException {
    SafetensorsWriter writer = Safetensors.writer();
    List<String> names = new ArrayList<>();
    for (int i = 0; i < 3000; i++) names.add("u\u00e9\"" + i);
    for (String name : names) writer.put(name, new long[] {2, 3}, new float[6]);
    writer.write(file());
    long header =
        ByteBuffer.wrap(Files.readAllBytes(file())).order(ByteOrder.LITTLE_ENDIAN).getLong();
    assertEquals(header, SafetensorsWriter.headerBytes(names, 2, 3), 200);
  }

  @Test
  void anyTruncationIsRefusedInOneLine() throws IOException {
    byte[] bytes = Files.readAllBytes(sample());
    for (int length = 0; length < bytes.length; length++) {
      assertOneLine(refusal(Files.write(file(), Arrays.copyOf(bytes, length))));
    }
    assertOneLine(refusal(Files.write(file(), Arrays.copyOf(bytes, bytes.length + 1))));
  }

  @Test
  void damagedForeignFilesAreReadOrRefusedButNeverFailOtherwise() throws IOException {
    String header =
        "{\"__metadata__\":{\"format\":\"pt\"},\"weight\":{\"dtype\":\"F32\",\"shape\":[2,1],"
            + "\"data_offsets\":[0,8]},\"n\":{\"dtype\":\"I64\",\"shape\":[],"
            + "\"data_offsets\":[8,16]}}";
    foreign(header, new byte[16]);
    int refused = Fuzz.of(file()).rounds(3000, SafetensorsTest::everything);
    assertTrue(refused > 1000, "refused " + refused);
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    refused =
        Fuzz.of(file(), random -> withLength(Fuzz.mutate(text, random), new byte[16]))
            .rounds(3000, SafetensorsTest::everything);
    assertTrue(refused > 1000, "refused " + refused);
  }

  /** All that a file holds, as text. */
  private static String everything(Path file) {
    Safetensors read = Safetensors.read(file);
    StringBuilder all = new StringBuilder(read.metadata().toString());
    for (String name : read.names()) {
      byte[] bytes = read.segment(name).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
      all.append(name + read.dtype(name) + Arrays.toString(read.shape(name)))
          .append(Arrays.toString(bytes));
    }
    return all.toString();
  }

  private void assertOneLine(String message) {
    assertTrue(message.startsWith(file() + ": "), message);
    assertTrue(message.chars().noneMatch(c -> c < ' '), message);
  }

  @Test
  void wrongShapesAndNamesAreTheCallersFault() {
    SafetensorsWriter writer = Safetensors.writer().put("a", new long[] {1}, new float[1]);
    assertThrows(
        IllegalArgumentException.class, () -> writer.put("b", new long[] {2}, new float[3]));
    assertThrows(
        IllegalArgumentException.class, () -> writer.put("a", new long[] {1}, new float[1]));
    assertThrows(
        IllegalArgumentException.class,
        () -> writer.put("__metadata__", new long[] {1}, new float[1]));
    assertThrows(IllegalArgumentException.class, () -> writer.metadata("slimvox.crc32c", "x"));
  }

  @Test
  void filesOfTheReferenceLibraryAreRead() throws IOException {
    Path reference = Path.of("../shared/reference");
    Assumptions.assumeTrue(Files.isDirectory(reference), "no ../shared/reference here");
    int files = 0;
    try (var list = Files.newDirectoryStream(reference, "*.safetensors")) {
      for (Path file : list) {
        Safetensors read = Safetensors.read(file);
        assertTrue(read.metadata().get("meta").startsWith("{"), file.toString());
        for (String name : read.names()) {
          long elements = 1;
          for (long size : read.shape(name)) elements *= size;
          switch (read.dtype(name)) {
            case "F32" -> assertEquals(elements, read.floats(name).length);
            case "F64" -> assertEquals(elements, read.doubles(name).length);
            case "U8" -> assertEquals(elements, read.bytes(name).length);
            default -> assertEquals(elements, read.longs(name).length);
          }
        }
        files++;
      }
    }
    assertTrue(files > 10, files + " files");
  }
}
