package slimvox.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import slimvox.backend.cuda.driver.KernelSource;

/**
 * What the machine code of a kernel says that it needs.
 *
 * @param registers of a thread
 * @param sharedBytes of a block
 * @param mostThreads of a block, as the source bounds it; 1024 where it does not
 * @param parameters bytes of each
 */
record KernelNeeds(int registers, int sharedBytes, int mostThreads, List<Integer> parameters) {
  private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
  private static final Pattern USED = Pattern.compile("Used (\\d+) registers(.*)");
  private static final Pattern SHARED = Pattern.compile(" (\\d+) bytes smem");

  // Attributes of a section .nv.info.KERNEL: format (1 to 3: two bytes of value, 4: so many bytes)
  // and number, see cuobjdump -elf.
  private static final int SIZED = 4;
  private static final int MAX_THREADS = 0x05;
  private static final int PARAMETER = 0x17;

  /** All kernels for a card. */
  static Map<String, KernelNeeds> of(Nvrtc.Target target) {
    Map<String, KernelNeeds> all = new HashMap<>();
    for (KernelSource source : KernelSource.all()) {
      Nvrtc.Compiled code = target.compile(source);
      assertEquals(0, code.status(), code.log());
      Map<String, ByteBuffer> sections = sections(code.cubin());
      String entry = null;
      for (String line : code.log().lines().toList()) {
        Matcher m = ENTRY.matcher(line);
        if (m.find()) entry = m.group(1);
        m = USED.matcher(line);
        if (!m.find()) continue;
        Matcher shared = SHARED.matcher(m.group(2));
        int bytes = shared.find() ? Integer.parseInt(shared.group(1)) : 0;
        ByteBuffer info = sections.get(".nv.info." + entry);
        all.put(entry, read(Integer.parseInt(m.group(1)), bytes, info));
      }
    }
    return all;
  }

  private static KernelNeeds read(int registers, int sharedBytes, ByteBuffer info) {
    int most = 1024;
    Map<Integer, Integer> parameters = new TreeMap<>(); // by number; the table is in no order
    while (info.remaining() >= 4) {
      int format = info.get();
      int attribute = info.get();
      int value = Short.toUnsignedInt(info.getShort());
      if (format != SIZED) continue;
      int at = info.position();
      if (attribute == MAX_THREADS) {
        most = info.getInt(at) * info.getInt(at + 4) * info.getInt(at + 8);
      } else if (attribute == PARAMETER) {
        parameters.put((int) info.getShort(at + 4), info.getInt(at + 8) >>> 18);
      }
      info.position(at + value);
    }
    return new KernelNeeds(registers, sharedBytes, most, new ArrayList<>(parameters.values()));
  }

  /** Sections of an ELF file of 64 bits by their names. */
  private static Map<String, ByteBuffer> sections(byte[] elf) {
    ByteBuffer all = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
    int headers = (int) all.getLong(0x28);
    int size = all.getShort(0x3a);
    int names = (int) all.getLong(headers + size * all.getShort(0x3e) + 0x18);
    Map<String, ByteBuffer> sections = new HashMap<>();
    for (int i = 0; i < all.getShort(0x3c); i++) {
      int header = headers + size * i;
      int at = names + all.getInt(header);
      StringBuilder name = new StringBuilder();
      while (all.get(at) != 0) name.append((char) all.get(at++));
      int offset = (int) all.getLong(header + 0x18);
      boolean inFile = all.getInt(header + 4) != 8; // not SHT_NOBITS
      int bytes = inFile ? (int) all.getLong(header + 0x20) : 0;
      sections.put(name.toString(), all.slice(offset, bytes).order(ByteOrder.LITTLE_ENDIAN));
    }
    return sections;
  }
}
