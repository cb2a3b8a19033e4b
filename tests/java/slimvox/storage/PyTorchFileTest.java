package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slimvox.Refusals.assertRefused;
import static slimvox.Refusals.refused;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import slimvox.Fuzz;

/** Files that PyTorch wrote (tests/data/models/pytorch.py), and files that mean harm. */
class PyTorchFileTest {
  private static final Path DATA = Path.of("tests/data/models/pt");

  /** One tensor of four elements, as {@code torch.save} pickles it. */
  private static final String PICKLE =
      "\u0080\u0002ccollections\nOrderedDict\nq\0)R(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n"
          + "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4tQK\0K\4\u0085"
          + "K\1\u0085\u0089h\0)RtRu}X\11\0\0\0_metadata}sb.";

  @TempDir Path folder;

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static Map<String, byte[]> members(byte[] pickle) {
    Map<String, byte[]> members = new LinkedHashMap<>();
    members.put("net/data.pkl", pickle);
    members.put("net/byteorder", latin("little"));
    ByteBuffer floats = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    members.put("net/data/0", floats.putFloat(1).putFloat(-2).putFloat(3).putFloat(0).array());
    return members;
  }

  private static byte[] zip(Map<String, byte[]> members, String compressed) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream out = new ZipOutputStream(bytes)) {
      for (var member : members.entrySet()) {
        ZipEntry entry = new ZipEntry(member.getKey());
        if (!member.getKey().equals(compressed)) {
          CRC32 crc = new CRC32();
          crc.update(member.getValue());
          entry.setMethod(ZipEntry.STORED);
          entry.setSize(member.getValue().length);
          entry.setCrc(crc.getValue());
        }
        out.putNextEntry(entry);
        out.write(member.getValue());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private Path file(byte[] content) throws IOException {
    return Files.write(folder.resolve("net.pt"), content);
  }

  private Path pickled(String pickle) throws IOException {
    return file(zip(members(latin(pickle)), null));
  }

  /** All values, to compare. */
  private static Map<String, List<Object>> everything(Path path) {
    Safetensors file = Safetensors.read(path);
    Map<String, List<Object>> all = new LinkedHashMap<>();
    for (String name : file.names()) {
      boolean real = file.dtype(name).startsWith("F") || file.dtype(name).equals("BF16");
      double[] reals = real ? file.doubles(name) : new double[0];
      long[] wholes = real ? new long[0] : file.longs(name);
      String values = Arrays.toString(reals) + Arrays.toString(wholes);
      all.put(name, List.of(file.dtype(name), Arrays.toString(file.shape(name)), values));
    }
    return all;
  }

  @Test
  void tensorsOfAllTypesAreRead() {
    Safetensors file = Safetensors.read(DATA.resolve("kinds.pt"));
    for (String type : List.of("float32", "float16", "bfloat16", "float64")) {
      assertArrayEquals(new long[] {2, 3}, file.shape(type), type);
      assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5}, file.floats(type), type);
    }
    for (String type : List.of("int64", "int32", "int16", "int8", "uint8")) {
      assertArrayEquals(new long[] {0, 1, 2, 3, 4, 5}, file.longs(type), type);
    }
    assertArrayEquals(new long[] {0, 1, 1, 1, 1, 1}, file.longs("bool"));
    assertArrayEquals(new float[] {3, 4, 5, 6}, file.floats("part"), "a part of a storage");
    assertArrayEquals(new float[] {4, 5, 6, 7}, file.floats("row"), "a stride that is not used");
    assertArrayEquals(new long[0], file.shape("scalar"));
    assertArrayEquals(new long[] {5}, file.longs("scalar"));
    assertArrayEquals(new float[] {1.5f}, file.floats("parameter"));
    assertArrayEquals(new long[] {0, 3}, file.shape("none"));
    assertEquals(0, file.floats("none").length);
    assertEquals(Map.of(), file.metadata());
  }

  @Test
  void aPickleByHandIsReadToo() throws IOException {
    assertEquals(
        Map.of("w", List.of("F32", "[4]", "[1.0, -2.0, 3.0, 0.0][]")), everything(pickled(PICKLE)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "views.pt | tensor turned is not contiguous; save it with .contiguous()",
        "legacy.pt | in PyTorch's format before 1.6; convert it in Python: torch.save(torch.load("
            + "'old.pt', map_location='cpu', weights_only=True), 'new.pt')",
        "whole.pt | whole/data.pkl: byte 2: class torch.nn.modules.linear.Linear is not of a state"
            + " dict; nothing of it was run. Save model.state_dict() alone",
        "optimizer.pt | optimizer/data.pkl: entry model is no tensor; save model.state_dict() alone"
      })
  void whatIsNoStateDictIsRefused(String name, String message) {
    Path file = DATA.resolve(name);
    assertRefused(file + ": " + message, () -> Safetensors.read(file));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "torch\\nFloatStorage | os\\nsystem | class os.system is not of a state dict",
        "collections\\nOrderedDict | builtins\\neval | class builtins.eval is not of a state dict",
        "torch\\nFloatStorage | torch\\nFl\\rat | class torch.Fl?at is not of a state dict",
        "torch\\nFloatStorage | torch._utils\\n_rebuild_tensor_v2 | something else than a storage",
        "cpuK\\x04 | cpuK\\x05 | net/data/0 has 16 bytes, not 5 F32",
        "cpuK\\x04 | cpuJ\\xff\\xff\\xff\\xff | something else stands where a size must be",
        "cpuK\\x04 | cpu\\x8a\\x08\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7f | not"
            + " 9223372036854775807",
        "QK\\x00K\\x04 | QK\\x01K\\x04 | tensor w ends behind its storage net/data/0",
        "K\\x04\\x85 | \\x8a\\x08\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7fK\\x02\\x86 | unexpected"
            + " arg",
        "K\\x04\\x85K\\x01\\x85 | K\\x02K\\x02\\x86K\\x01K\\x02\\x86 | tensor w is not contiguous",
        "K\\x04\\x85K\\x01\\x85 | K\\x04\\x85K\\x00\\x85 | tensor w is not contiguous",
        "X\\x01\\x00\\x00\\x000X | X\\x04\\x00\\x00\\x00../0X | has no net/data/../0, of which a",
        "X\\x01\\x00\\x00\\x00w | X\\xff\\xff\\xff\\x7fw | ends in the middle; copy the file again",
        "X\\x01\\x00\\x00\\x00w | X\\xff\\xff\\xff\\xffw | ends in the middle; copy the file again",
        "X\\x01\\x00\\x00\\x00w | K\\x01 | a dict with keys that are no names",
        "tRu | tRX\\x01\\x00\\x00\\x00wNu | has the name w twice",
        "tRu | tRX\\x01\\x00\\x00\\x00vNu | entry v is no tensor; save model.state_dict() alone",
        "tRu | tRX\\x01\\x00\\x00\\x00vh\\x00u | entry v is no tensor; save model.state_dict()",
        "\\x89h\\x00)R | \\x89h\\x07)R | takes object 7, which it did not keep",
        "\\x80\\x02 | \\x80\\x04 | byte 0: pickle protocol 4; save with protocol 2",
        "\\x80\\x02 | R | byte 0: takes more than there is",
        "\\x80\\x02 | NNR | something else stands where a tuple must be",
        "\\x80\\x02 | N)R | calls what is no class",
        "\\x80\\x02 | t | has no mark",
        "\\x80\\x02 | i | opcode 0x69 has no place in a state dict; save that alone",
        "\\x80\\x02 | K\\x01. | something else stands where a dict must be",
        "sb. | sb | byte 157: ends in the middle; copy the file again",
      })
  void aHostilePickleIsRefused(String part, String by, String message) throws IOException {
    String pickle = PICKLE.replace(unescaped(part), unescaped(by));
    assertTrue(!pickle.equals(PICKLE), part);
    Path file = pickled(pickle);
    String found = refused(() -> Safetensors.read(file));
    assertTrue(found.startsWith(file + ": ") && found.contains(message), found);
  }

  private static String unescaped(String text) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c != '\\') {
        out.append(c);
      } else if (text.charAt(++i) == 'x') {
        out.append((char) Integer.parseInt(text.substring(i + 1, i + 3), 16));
        i += 2;
      } else {
        out.append(text.charAt(i) == 'n' ? '\n' : '\r');
      }
    }
    return out.toString();
  }

  /** A dict in itself, and tuples of tuples, of which plain recursion would never come back. */
  @Test
  void whatHoldsItselfHasNoEnd() throws IOException {
    Path loop = pickled("\u0080\u0002}q\1X\1\0\0\0wh\1s.");
    assertTrue(refused(() -> Safetensors.read(loop)).contains("entry w is no tensor"));
    Path deep = pickled("\u0080\u0002}X\1\0\0\0w)" + "\u0085".repeat(1_000_000) + "s.");
    assertTrue(refused(() -> Safetensors.read(deep)).contains("entry w is no tensor"));
    Path bomb = pickled("\u0080\u0002}X\1\0\0\0w)" + "q\1h\1\u0086".repeat(100_000) + "s.");
    assertTrue(refused(() -> Safetensors.read(bomb)).contains("entry w is no tensor"));
    Path large = pickled(PICKLE + "N".repeat(4 << 20));
    assertTrue(refused(() -> Safetensors.read(large)).contains("at most 4194304 can be"));
  }

  @Test
  void aZipOfAnotherKindIsRefused() throws IOException {
    Map<String, byte[]> members = members(latin(PICKLE));
    refusedZip(zip(members, "net/data/0"), "net/data/0 is compressed or encrypted");
    refusedZip(zip(members, "net/data.pkl"), "net/data.pkl is compressed or encrypted");
    members.put("net/byteorder", latin("big"));
    refusedZip(zip(members, null), "byte order big; save it on a little-endian machine");
    members = members(latin(PICKLE));
    members.put("other/data.pkl", new byte[0]);
    refusedZip(zip(members, null), "holds net/data.pkl and other/data.pkl; a .pt file has one");
    members = members(latin(PICKLE));
    members.remove("net/data/0");
    refusedZip(zip(members, null), "has no net/data/0, of which a tensor is; copy it again");
    members.remove("net/data.pkl");
    refusedZip(zip(members, null), "a zip without NAME/data.pkl, so no .pt file of PyTorch");
  }

  private void refusedZip(byte[] content, String message) throws IOException {
    Path file = file(content);
    String found = refused(() -> Safetensors.read(file));
    assertTrue(found.startsWith(file + ": ") && found.contains(message), found);
  }

  @Test
  void aFileCutShortIsRefusedWhereverItIsCut() throws IOException {
    byte[] whole = zip(members(latin(PICKLE)), null);
    for (int length = 0; length < whole.length; length++) {
      Path file = file(Arrays.copyOf(whole, length));
      assertTrue(refused(() -> Safetensors.read(file)).startsWith(file + ": "));
    }
  }

  @Test
  void aChangedByteOfAStorageIsNoticed() throws IOException {
    byte[] content = zip(members(latin(PICKLE)), null);
    String text = new String(content, StandardCharsets.ISO_8859_1);
    content[text.indexOf("net/data/0") + "net/data/0".length() + 1] ^= 1;
    refusedZip(content, "net/data/0 is damaged (its CRC-32 differs); copy it again");
  }

  @Test
  void damagedFilesAreReadOrRefused() throws IOException {
    Path file = Files.copy(DATA.resolve("kinds.pt"), folder.resolve("kinds.pt"));
    assertTrue(Fuzz.of(file).rounds(200, PyTorchFileTest::everything) > 80);
    Path one = pickled(PICKLE);
    assertTrue(Fuzz.of(one).seed(2).rounds(200, PyTorchFileTest::everything) > 80);
    byte[] pickle = latin(PICKLE);
    Fuzz ofPickles = Fuzz.of(one, random -> zip(members(Fuzz.mutate(pickle, random)), null));
    assertTrue(ofPickles.rounds(1000, PyTorchFileTest::everything) > 500);
  }
}
